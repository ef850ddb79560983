"""The machine that the runner itself runs on."""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress

from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.host import command, files, private
from DtsVirtLibrary.host.protocol import Completed, FileStatus, HostPath, HostProcess, Spawn
from DtsVirtLibrary.host.supervisor import Supervisor
from DtsVirtLibrary.host.surroundings import search_path
from DtsVirtLibrary.host.sweep import sweep

# Files larger than this, in bytes, are read and written outside the loop's thread.
LARGE = 1 << 20
UNDO_TIMEOUT = 5.0


class LocalHost:
    """The local machine; see :class:`~DtsVirtLibrary.host.protocol.Host`.

    Nothing is started until a process, a private directory or an undo is asked for; from
    then on one small supervisor process stands by.
    """

    def __init__(self) -> None:
        self._supervisor: Supervisor | None = None
        self._commands: set[command.Command] = set()
        self._directories: set[str] = set()
        self._undo: dict[str, tuple[str, ...]] = {}
        self._passing: dict[str, str] = {}
        self._tokens = itertools.count(1)

    @property
    def name(self) -> str:
        """``localhost``."""
        return "localhost"

    async def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        stdin: bytes | None = None,
        environment: Mapping[str, str] | None = None,
        directory: HostPath | None = None,
        check: bool = True,
    ) -> Completed:
        """Run a command to its end."""
        place = os.path.abspath(directory or os.curdir)
        running = command.Command(argv)
        self._commands.add(running)
        try:
            await command.start(running, stdin, environment, place)
            in_time = await running.finish(stdin, timeout)
        finally:
            self._commands.discard(running)
        if running.excessive:
            raise command.excessive(running)
        if not in_time:
            raise command.overdue(running, timeout)
        completed = running.completed()
        if check and completed.exit_code != 0:
            raise command.failed(completed)
        return completed

    async def spawn(self, spawn: Spawn) -> HostProcess:
        """Start a process that ends with the runner at the latest."""
        try:
            if spawn.remove is not None:
                self._remove_on_death(os.path.abspath(spawn.remove))
            return await self._supervise().spawn(spawn)
        finally:
            for passed in spawn.sockets.values():
                passed.close()
            if spawn.terminal is not None:
                os.close(spawn.terminal)

    async def on_runner_death(self, argv: Sequence[str]) -> str:
        """Register a command that takes back a change of the host."""
        token = str(next(self._tokens))
        supervisor = self._supervise()
        self._undo[token] = tuple(argv)
        try:
            await supervisor.undo_on_death(token, argv)
        except BaseException:
            await self.forget(token)
            raise
        return token

    async def forget(self, token: str) -> None:
        """Drop a command of :meth:`on_runner_death`; quiet if it is not there."""
        if self._undo.pop(token, None) is not None and self._supervisor is not None:
            with suppress(HostError):  # a dead supervisor has forgotten it already
                self._supervisor.forget(token)

    async def lock(self, path: HostPath, text: str, *, shared: bool = False) -> str | None:
        """Take a lock file for the runner, unless somebody else has it."""
        return await self._supervise().lock(os.path.abspath(path), text, shared=shared)

    async def unlock(self, path: HostPath) -> None:
        """Free a lock file; quiet if it is not held."""
        if self._supervisor is not None:
            with suppress(HostError):  # a dead supervisor has freed it already
                await self._supervisor.unlock(os.path.abspath(path))

    async def which(self, program: str) -> str | None:
        """Return the absolute path of an executable, None if there is none."""
        import shutil  # slow to import, and not needed by everybody

        found = shutil.which(program, path=search_path())
        return None if found is None else os.path.abspath(found)

    async def environment(self, variable: str) -> str | None:
        """Return a variable of the runner's environment."""
        return os.environ.get(variable)

    async def user_id(self) -> int:
        """Return the effective user id."""
        return os.geteuid()

    async def status(self, path: HostPath, *, follow: bool = True) -> FileStatus | None:
        """Return what stands at `path`."""
        return files.status(path, follow)

    async def real_path(self, path: HostPath) -> str:
        """Return the absolute path with symbolic links resolved."""
        return os.path.realpath(path)

    async def list_directory(self, path: HostPath) -> list[str]:
        """Return the sorted names in a directory; empty if there is none."""
        return files.list_directory(path)

    async def read_bytes(
        self, path: HostPath, *, offset: int = 0, limit: int | None = None
    ) -> bytes:
        """Return a file's bytes."""
        if files.size(path) > LARGE and (limit is None or limit > LARGE):
            return await asyncio.to_thread(files.read_bytes, path, offset, limit)
        return files.read_bytes(path, offset, limit)

    async def read_text(self, path: HostPath) -> str:
        """Return a file's text (UTF-8, undecodable bytes replaced)."""
        return (await self.read_bytes(path)).decode("utf-8", "replace")

    async def write_bytes(self, path: HostPath, data: bytes, *, mode: int = 0o600) -> None:
        """Write a file so that it appears whole or not at all."""
        if len(data) > LARGE:
            await asyncio.to_thread(files.write_bytes, path, data, mode)
        else:
            files.write_bytes(path, data, mode)

    async def write_control(self, path: HostPath, text: str) -> None:
        """Write to an existing control file; binding a driver there may take seconds."""
        await asyncio.to_thread(files.write_control, path, text)

    async def make_directory(self, path: HostPath, *, mode: int = 0o755) -> None:
        """Make a directory, and those above it that are missing; quiet if it is there."""
        files.make_directory(path, mode)

    async def private_directory(self, purpose: str) -> str:
        """Make a new directory of our own, which is removed if the runner dies."""
        path = private.new_path(purpose)
        # First the promise to remove it, then the directory: no moment lies between.
        self._remove_on_death(path)
        try:
            private.make(path)
        except BaseException:
            await self.remove(path)
            raise
        return path

    async def passing_directory(self, path: HostPath) -> None:
        """Make a directory that is removed if the runner dies, unless it was renamed."""
        place = os.path.abspath(path)
        self._passing[place] = await self.on_runner_death(["rm", "-rf", "--", place])
        files.make_directory(place, 0o700)

    async def sweep(self) -> list[str]:
        """Remove the private directories of runs that are dead; return their paths."""
        return await asyncio.to_thread(sweep)

    async def remove(self, path: HostPath) -> None:
        """Remove a file, or a directory with all in it; quiet if there is none."""
        await asyncio.to_thread(files.remove, path)
        self._directories.discard(str(path))
        await self._passed(path)

    async def rename(self, old: HostPath, new: HostPath) -> None:
        """Rename within one file system, replacing `new` in one step."""
        files.rename(old, new)
        await self._passed(old)

    async def link(self, old: HostPath, new: HostPath) -> None:
        """Give a file a second name within one file system."""
        files.link(old, new)

    async def _passed(self, path: HostPath) -> None:
        """Forget to remove a passing directory, which is not there any more."""
        if token := self._passing.pop(os.path.abspath(path), None):
            await self.forget(token)

    async def free_space(self, path: HostPath) -> int:
        """Return the bytes free to us where `path` is or would be made."""
        return files.free_space(path)

    async def file_system(self, path: HostPath) -> str:
        """Return the file system's type there, as mount(8) names it."""
        return files.file_system(path)

    async def set_affinity(self, thread_id: int, cpus: Sequence[int]) -> None:
        """Pin a thread to host CPUs."""
        try:
            os.sched_setaffinity(thread_id, cpus)
        except (OSError, ValueError, OverflowError) as error:
            raise _affinity_failure(thread_id, cpus, error) from error

    async def affinity(self, thread_id: int) -> tuple[int, ...]:
        """Return the host CPUs that a thread may run on, sorted."""
        try:
            return tuple(sorted(os.sched_getaffinity(thread_id)))
        except OSError as error:
            raise _affinity_failure(thread_id, (), error) from error

    async def close(self) -> None:
        """End every process that this host object started. Quiet the second time."""
        for running in self._commands:
            running.kill()
        supervisor, self._supervisor = self._supervisor, None
        undo, self._undo = self._undo, {}
        self._directories.clear()
        self._passing.clear()
        if supervisor is not None and not await supervisor.close():
            # It was killed: what it was to take back is still there.
            supervisor.discard_notebook()
            for argv in reversed(undo.values()):
                with suppress(HostError):
                    await self.run(argv, timeout=UNDO_TIMEOUT, check=False)

    def _supervise(self) -> Supervisor:
        """Return the supervisor that stands by; start one, with all promises, if none does."""
        if self._supervisor is None or self._supervisor.gone:
            if self._supervisor is not None:
                self._supervisor.discard_notebook()
            self._supervisor = Supervisor(self._directories, self._undo)
        return self._supervisor

    def _remove_on_death(self, path: str) -> None:
        self._supervise().remove_on_death(path)
        self._directories.add(path)


def _affinity_failure(thread_id: int, cpus: Sequence[int], error: Exception) -> HostError:
    number = getattr(error, "errno", None)
    if number == errno.ESRCH:
        return HostError(f"There is no thread {thread_id} on this host.")
    wanted = ", ".join(map(str, cpus)) or "none"
    online = ", ".join(map(str, range(os.cpu_count() or 1)))
    reason = os.strerror(number) if number else str(error)
    return HostError(
        f"Cannot pin thread {thread_id} to the host CPUs {wanted}: {reason}. "
        f"The host has the CPUs {online}; a cgroup may allow fewer."
    )
