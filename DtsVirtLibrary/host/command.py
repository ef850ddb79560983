"""Running a command to its end, with its output, on one deadline."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import cast

from DtsVirtLibrary.errors import CommandError, Evidence, describe_exit
from DtsVirtLibrary.host.failures import output_facts, start_failure
from DtsVirtLibrary.host.protocol import Completed
from DtsVirtLibrary.host.surroundings import minimal_environment
from DtsVirtLibrary.printable import printable

OUTPUT_LIMIT = 64 << 20
# A command may leave a daemon behind that keeps its output open; its own part is in by then.
OUTPUT_GRACE = 1.0
KILL_TIMEOUT = 2.0
STDOUT, STDERR = 1, 2


class Command(asyncio.SubprocessProtocol):
    """A command that runs, and what it has written so far."""

    def __init__(self, argv: Sequence[str]) -> None:
        self.argv = tuple(argv)
        self.excessive = False
        self._loop = asyncio.get_running_loop()
        self._output = {STDOUT: bytearray(), STDERR: bytearray()}
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._transport: asyncio.SubprocessTransport | None = None
        self._killed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called when it was started."""
        self._transport = cast(asyncio.SubprocessTransport, transport)
        if self._killed:
            self.kill()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Called with what it wrote."""
        self._output[fd] += data
        if sum(map(len, self._output.values())) > OUTPUT_LIMIT:
            self.excessive = True
            self.kill()

    def process_exited(self) -> None:
        """Called when it ended; its output may still be on the way."""
        self._loop.call_later(OUTPUT_GRACE, self.connection_lost, None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called when it ended and all its output is here."""
        if not self._ended.done():
            self._ended.set_result(None)

    def kill(self) -> None:
        """Kill it with its process group, also if it just starts; not if it has ended."""
        self._killed = True
        if self._transport is not None and self._transport.get_returncode() is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._transport.get_pid(), signal.SIGKILL)

    async def finish(self, stdin: bytes | None, timeout: float) -> bool:
        """Feed it and wait for its end; tell whether it came in time, else kill it."""
        assert self._transport is not None
        try:
            if stdin is not None:
                pipe = cast(asyncio.WriteTransport, self._transport.get_pipe_transport(0))
                pipe.write(stdin)
                pipe.write_eof()
            ended, _ = await asyncio.wait({self._ended}, timeout=timeout)
            return bool(ended)
        finally:
            if not self._ended.done():
                self.kill()
                await asyncio.wait({self._ended}, timeout=KILL_TIMEOUT)
            self._transport.close()

    def completed(self) -> Completed:
        """Return how it ended and what it wrote."""
        assert self._transport is not None
        code = self._transport.get_returncode()
        return Completed(
            self.argv,
            -signal.SIGKILL if code is None else code,
            self._output[STDOUT].decode("utf-8", "replace"),
            self._output[STDERR].decode("utf-8", "replace"),
        )


async def start(
    command: Command,
    stdin: bytes | None,
    environment: Mapping[str, str] | None,
    directory: str,
) -> None:
    """Start a command in a session of its own, so that it can be killed with its children.

    :raises CommandError: it cannot be started.
    """
    argv = command.argv
    try:
        await asyncio.get_running_loop().subprocess_exec(
            lambda: command,
            *argv,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            cwd=directory,
            env=minimal_environment(environment),
            start_new_session=True,
        )
    except OSError as error:
        stage = "directory" if error.filename == directory else "execute"
        places = {"directory": directory}
        raise start_failure(argv, stage, error.errno or 0, places) from error
    except ValueError as error:
        raise CommandError(f"Cannot start '{argv[0]}': {error}.", Evidence(argv=argv)) from error


def overdue(command: Command, timeout: float) -> CommandError:
    """Return the error for a command that was killed after its time."""
    completed = command.completed()
    return CommandError(
        f"The command '{command.argv[0]}' did not end within {timeout:g} s and was killed.",
        Evidence(
            argv=command.argv,
            waited=timeout,
            facts=output_facts(completed.stdout, completed.stderr),
        ),
    )


def excessive(command: Command) -> CommandError:
    """Return the error for a command that was killed because of its endless output."""
    return CommandError(
        f"The command '{command.argv[0]}' wrote more than {OUTPUT_LIMIT >> 20} MiB and was killed.",
        Evidence(argv=command.argv),
    )


def failed(completed: Completed) -> CommandError:
    """Return the error for a command that ended with an exit code other than 0."""
    said = printable((completed.stderr.strip() or completed.stdout.strip())[-500:]).splitlines()
    reason = f": {said[-1].strip()}" if said else ", and wrote nothing."
    return CommandError(
        f"The command '{completed.argv[0]}' failed with {describe_exit(completed.exit_code)}"
        + reason,
        Evidence(
            argv=completed.argv,
            exit_code=completed.exit_code,
            facts=output_facts(completed.stdout, completed.stderr),
        ),
    )
