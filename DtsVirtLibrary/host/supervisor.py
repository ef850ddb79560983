"""The runner's end of the supervisor process, which is the parent of what it spawns."""

from __future__ import annotations

import asyncio
import errno
import itertools
import marshal
import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import astuple
from functools import partial
from pathlib import Path
from typing import Any

from DtsVirtLibrary.errors import CleanupError, CommandError, Evidence, HostError, describe_exit
from DtsVirtLibrary.host import private
from DtsVirtLibrary.host.failures import file_failure, output_facts, shortage, start_failure
from DtsVirtLibrary.host.files import remove
from DtsVirtLibrary.host.identity import boot_id
from DtsVirtLibrary.host.process import SupervisedProcess
from DtsVirtLibrary.host.protocol import ProcessIdentity, Spawn
from DtsVirtLibrary.host.surroundings import minimal_environment

# Imported, not run as a script, because an imported module's byte code is cached.
PROGRAM = "import sys; sys.path.append(sys.argv[3]); from leash.main import main; main()"

# Seconds: a start takes milliseconds and an end at most two; more means that it hangs.
SPAWN_TIMEOUT = 10.0
CLOSE_TIMEOUT = 10.0
KILLED_TIMEOUT = 2.0
MESSAGE_LIMIT = 1 << 16
REQUEST_LIMIT = 1 << 20


class Supervisor:
    """One supervisor process, which starts at once and ends with :meth:`close`.

    :param directories: directories to remove if the runner dies.
    :param undo: commands to run if the runner dies or closes, by token.
    :raises HostError: the process cannot be started.
    """

    def __init__(self, directories: Iterable[str], undo: Mapping[str, Sequence[str]]) -> None:
        self._loop = asyncio.get_running_loop()
        self._numbers = itertools.count(1)
        self._starting: dict[int, tuple[Spawn, asyncio.Future[SupervisedProcess]]] = {}
        self._processes: dict[int, SupervisedProcess] = {}
        self._noting: dict[str, asyncio.Future[None]] = {}
        self._locking: dict[str, asyncio.Future[str | None]] = {}
        self._kept: set[int] = set()
        self._closing = False
        self._gone = asyncio.Event()
        # What it says before it ends in an error; no pipe, which it could block on.
        with ExitStack() as made:
            try:
                self._stderr = open(os.memfd_create("supervisor"), "rb")  # noqa: SIM115
                made.callback(self._stderr.close)
                self._control, self._supervisor = _launch(self._stderr.fileno())
                # It ends by itself once the control socket closes.
                made.callback(self._supervisor.wait)
                made.callback(self._control.close)
                self._pidfd = os.pidfd_open(self._supervisor.pid)
            except OSError as error:
                raise shortage("start the supervisor of child processes", error) from error
            made.pop_all()
        self._loop.add_reader(self._control, self._receive)
        self._loop.add_reader(self._pidfd, self._end)
        self._notebook = private.new_notebook(self._supervisor.pid)
        if self._notebook is not None:
            self._send({"do": "notebook", "path": self._notebook[0], "mark": self._notebook[1]})
        for path in directories:
            self.remove_on_death(path)
        for token, argv in undo.items():
            self._send_undo(token, argv)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._supervisor.pid

    @property
    def gone(self) -> bool:
        """Whether it has ended."""
        return self._gone.is_set()

    async def spawn(self, spawn: Spawn) -> SupervisedProcess:
        """Start a process; one whose start is cancelled is killed.

        :raises CommandError: it cannot be started.
        :raises HostError: the supervisor has ended or hangs.
        """
        number = next(self._numbers)
        started: asyncio.Future[SupervisedProcess] = self._loop.create_future()
        self._starting[number] = (spawn, started)
        try:
            self._send(_request(number, spawn), _descriptors(spawn).values())
            await asyncio.wait({started}, timeout=SPAWN_TIMEOUT)
        except asyncio.CancelledError:
            await self._abandon(number, started)
            raise
        except HostError:
            self._starting.pop(number, None)
            raise
        if not started.done():
            self._starting.pop(number)
            self._send({"do": "kill", "id": number})
            raise CommandError(
                f"Cannot start '{spawn.argv[0]}': {self._silence()}.",
                Evidence(argv=spawn.argv),
            )
        return started.result()

    def remove_on_death(self, path: str) -> None:
        """Have a directory removed if the runner dies."""
        self._send({"do": "remove", "path": path})

    async def undo_on_death(self, token: str, argv: Sequence[str]) -> None:
        """Have a command run if the runner dies or closes; return when that is sure.

        :raises HostError: the supervisor has ended or hangs.
        """
        self._noting[token] = self._loop.create_future()
        try:
            self._send_undo(token, argv)
            await asyncio.wait_for(self._noting[token], SPAWN_TIMEOUT)
        except asyncio.TimeoutError as error:
            raise HostError(f"{self._silence()}, so nothing may be changed here.") from error
        finally:
            self._noting.pop(token, None)

    async def lock(self, path: str, text: str, *, shared: bool) -> str | None:
        """Take a lock file and write `text` to it; return what another holder wrote there.

        :raises HostError: it cannot be taken, or the supervisor has ended or hangs.
        """
        try:
            return await self._lock({"do": "lock", "path": path, "text": text, "shared": shared})
        except asyncio.CancelledError:
            self._send({"do": "unlock", "path": path})
            raise

    async def unlock(self, path: str) -> None:
        """Free a lock file; quiet if it is not held.

        :raises HostError: the supervisor has ended or hangs.
        """
        await self._lock({"do": "unlock", "path": path})

    async def _lock(self, request: Mapping[str, Any]) -> str | None:
        path = request["path"]
        self._locking[path] = self._loop.create_future()
        try:
            self._send(request)
            return await asyncio.wait_for(self._locking[path], SPAWN_TIMEOUT)
        except asyncio.TimeoutError as error:
            raise HostError(f"{self._silence()}, so nothing can be locked.") from error
        finally:
            self._locking.pop(path, None)

    def forget(self, token: str) -> None:
        """Take back what :meth:`undo_on_death` asked for."""
        self._send({"do": "forget", "id": token})

    def _keep(self, number: int, directories: Sequence[str]) -> None:
        self._send({"do": "keep", "id": number, "directories": list(directories)})
        self._kept.add(number)

    def discard_notebook(self) -> None:
        """Remove what a supervisor that was killed had noted: others see to that now."""
        if self._notebook is not None:
            with suppress(CleanupError):
                remove(self._notebook[0])

    async def close(self) -> bool:
        """End the processes, run what is to be undone, end the supervisor.

        With processes that are kept, it stays with them, and undoes when they have ended.
        Return whether it did, or will do, all this; it may be dead.

        :raises CleanupError: a process could not be ended.
        """
        with suppress(HostError):
            self._closing = True
            self._send({"do": "close"})
        try:
            await asyncio.wait_for(self._gone.wait(), CLOSE_TIMEOUT)
        except asyncio.TimeoutError:
            self._supervisor.kill()
            await self._gone.wait()
        ends = [asyncio.ensure_future(process.wait()) for process in self._processes.values()]
        if ends and (await asyncio.wait(ends, timeout=KILLED_TIMEOUT))[1]:
            for end in ends:
                end.cancel()
            raise _survivors(self._processes.values())
        return self._supervisor.returncode == 0

    def _silence(self) -> str:
        return f"the supervisor (process {self.pid}) did not answer within {SPAWN_TIMEOUT:g} s"

    def _send_undo(self, token: str, argv: Sequence[str]) -> None:
        self._send({"do": "undo", "id": token, "argv": list(argv)})

    def _let_go(self) -> None:
        """Leave the supervisor alone with what is kept; the others have ended."""
        for number in self._kept & self._processes.keys():
            self._processes.pop(number).let_go()
        self._loop.remove_reader(self._pidfd)
        self._control.close()
        os.close(self._pidfd)
        self._stderr.close()
        # It is not ours to wait for any more, and Popen would warn of that.
        self._supervisor.returncode = 0
        self._gone.set()

    async def _abandon(self, number: int, started: asyncio.Future[SupervisedProcess]) -> None:
        with suppress(HostError):
            self._send({"do": "kill", "id": number})
            await asyncio.wait({started}, timeout=SPAWN_TIMEOUT)
            if started.done():
                await started.result().wait()

    def _send(self, message: Mapping[str, Any], passed: Iterable[int] = ()) -> None:
        descriptors = list(passed)
        data = marshal.dumps(dict(message))
        try:
            if len(data) > REQUEST_LIMIT:
                raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
            socket.send_fds(self._control, [data], descriptors)
        except OSError as error:
            raise HostError(
                f"The supervisor (process {self.pid}) takes no request '{message['do']}' of "
                f"{len(data)} bytes and {len(descriptors)} descriptors: {error.strerror}."
            ) from error

    def _receive(self) -> None:
        while True:
            try:
                data, ancillary, _, _ = self._control.recvmsg(
                    MESSAGE_LIMIT, socket.CMSG_SPACE(4), socket.MSG_CMSG_CLOEXEC
                )
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._loop.remove_reader(self._control)
                if self._closing and self._kept & self._processes.keys():
                    self._let_go()
                return
            self._handle(
                marshal.loads(data), [memoryview(raw).cast("i")[0] for *_, raw in ancillary]
            )

    def _handle(self, message: dict[str, Any], descriptors: list[int]) -> None:
        if "exited" in message:
            process = self._processes.pop(message["exited"], None)
            if process is not None:
                process.finish(message["code"])
        elif "started" in message:
            self._handle_started(message, descriptors[0])
        elif "noted" in message:
            noted = self._noting.get(message["noted"])
            if noted is not None and not noted.done():
                noted.set_result(None)
        elif "locked" in message:
            self._handle_locked(message)
        elif message["failed"] in self._starting:
            spawn, started = self._starting.pop(message["failed"])
            places = {name: str(getattr(spawn, name)) for name in ("directory", "stdout", "stderr")}
            places["logs"] = ", ".join(map(str, spawn.logs))
            started.set_exception(
                start_failure(spawn.argv, message["stage"], message["errno"], places)
            )

    def _handle_locked(self, message: dict[str, Any]) -> None:
        locked = self._locking.get(message["locked"])
        if locked is None or locked.done():
            return
        if message["errno"]:
            error = OSError(message["errno"], os.strerror(message["errno"]))
            locked.set_exception(file_failure("take the lock", message["locked"], error))
        else:
            locked.set_result(message["holder"])

    def _handle_started(self, message: dict[str, Any], pidfd: int) -> None:
        number = message["started"]
        if number not in self._starting:  # given up meanwhile, and being killed
            os.close(pidfd)
            return
        spawn, started = self._starting.pop(number)
        identity = ProcessIdentity(boot_id(), message["pid"], message["start_time"])
        self._processes[number] = SupervisedProcess(
            spawn.argv, identity, pidfd, partial(self._keep, number)
        )
        started.set_result(self._processes[number])

    def _end(self) -> None:
        """Take note that the supervisor ended; its children were killed with it."""
        self._closing = False
        self._receive()
        self._loop.remove_reader(self._control)
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._control.close()
        code = self._supervisor.wait()
        self._stderr.seek(0)  # the place is shared with the writer
        said = self._stderr.read(MESSAGE_LIMIT).decode("utf-8", "replace")
        self._stderr.close()
        for spawn, started in self._starting.values():
            started.set_exception(_ended(spawn.argv, code, said))
        waiting: tuple[asyncio.Future[Any], ...] = (*self._noting.values(), *self._locking.values())
        for answer in waiting:
            if not answer.done():
                answer.set_exception(_ended((), code, said))
        self._starting.clear()
        for process in self._processes.values():
            process.finish_when_killed()
        self._gone.set()


def _ended(argv: Sequence[str], code: int, said: str) -> HostError:
    waiting = f"started '{argv[0]}'" if argv else "was asked to stand by"
    return HostError(
        f"The supervisor process ended with {describe_exit(code)} while it {waiting}. Try again.",
        Evidence(argv=argv, facts=output_facts("", said)),
    )


def _launch(stderr: int) -> tuple[socket.socket, subprocess.Popen[bytes]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    descriptor = theirs.fileno()
    # The interpreter with nothing of a site or of the user in it.
    python = [sys.executable, "-I", "-S", "-c", PROGRAM]
    argv = [*python, str(descriptor), str(os.getpid()), str(Path(__file__).parent)]
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            pass_fds=[descriptor],
            cwd="/",
            env=minimal_environment(),
            start_new_session=True,
        )
    except OSError:
        ours.close()
        raise
    finally:
        theirs.close()
    ours.setblocking(False)
    return ours, process


def _request(number: int, spawn: Spawn) -> dict[str, Any]:
    environment = minimal_environment() if spawn.environment is None else spawn.environment
    return {
        "do": "spawn",
        "id": number,
        "argv": list(spawn.argv),
        "stdout": os.path.abspath(spawn.stdout),
        "stderr": os.path.abspath(spawn.stderr),
        "logs": [os.path.abspath(log) for log in spawn.logs],
        "environment": dict(environment),
        "directory": os.path.abspath(spawn.directory or os.curdir),
        "numbers": list(_descriptors(spawn)),
        "terminal": spawn.terminal is not None,
        "files": {number: os.path.abspath(path) for number, path in spawn.files.items()},
        "taps": dict(spawn.taps),
        "user": astuple(spawn.user) if spawn.user is not None else None,
    }


def _descriptors(spawn: Spawn) -> dict[int, int]:
    """Return what the process inherits, by the number that it sees."""
    terminal = {} if spawn.terminal is None else dict.fromkeys((0, 1, 2), spawn.terminal)
    return {**terminal, **{number: end.fileno() for number, end in spawn.sockets.items()}}


def _survivors(processes: Iterable[SupervisedProcess]) -> CleanupError:
    left = [f"{process.argv[0]} (process {process.identity.pid})" for process in processes]
    return CleanupError(
        f"Could not be ended, even by SIGKILL: {', '.join(left)}. "
        "They wait in the kernel, for a device or a file system that does not answer."
    )
