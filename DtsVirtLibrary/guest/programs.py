"""Programs on a terminal: on a host, or in a guest over its SSH connection."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from DtsVirtLibrary.errors import ApplicationError
from DtsVirtLibrary.guest.screen import Screen
from DtsVirtLibrary.host.protocol import Host, HostProcess, Spawn
from DtsVirtLibrary.host.surroundings import minimal_environment
from DtsVirtLibrary.host.terminal import COLUMNS, ROWS, Terminal

# Plain text: programs then send no colours and no positions.
TERMINAL_TYPE = "dumb"
RECEIVE_SIZE = 1 << 16
# After the output has ended the exit code follows at once, or never.
EXIT_CODE_TIMEOUT = 5.0
CHANNEL_TIMEOUT = 30.0


class Program(Protocol):
    """A program that runs on a terminal; what it prints goes to its screen."""

    @property
    def screen(self) -> Screen:
        """What it prints."""

    @property
    def exit_code(self) -> int | None:
        """Exit code (negative: signal); None while it runs, or where it is not known."""

    def type(self, data: bytes) -> None:
        """Type into its terminal."""

    def signal(self, number: int) -> None:
        """Send a signal as far as that is possible; nothing happens if it has ended."""

    def close(self) -> None:
        """Hang up. Quiet the second time."""


class HostProgram:
    """A program of the host, a child of its supervisor."""

    def __init__(self, terminal: Terminal) -> None:
        self.screen = Screen()
        self._terminal = terminal
        self._loop = asyncio.get_running_loop()
        self._process: HostProcess | None = None
        self._watch: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, host: Host, argv: Sequence[str], directory: str | None) -> HostProgram:
        """Start it.

        :raises CommandError: it cannot be started.
        """
        program = cls(Terminal())
        spawn = Spawn(
            argv,
            os.devnull,
            os.devnull,
            terminal=program._terminal.hand_over(),
            environment={**minimal_environment(), "TERM": TERMINAL_TYPE},
            directory=directory,
        )
        try:
            program._process = await host.spawn(spawn)
        except BaseException:
            program._terminal.close()
            raise
        program._loop.add_reader(program._terminal, program._receive)
        program._watch = program._loop.create_task(program._wait())
        return program

    @property
    def exit_code(self) -> int | None:
        """Exit code (negative: signal); None while it runs."""
        assert self._process is not None
        return self._process.exit_code

    def type(self, data: bytes) -> None:
        """Type into its terminal."""
        if not self.screen.ended:
            self._terminal.write(data)

    def signal(self, number: int) -> None:
        """Send a signal; nothing happens if it has ended."""
        assert self._process is not None
        self._loop.call_soon_threadsafe(self._process.send_signal, number)

    def close(self) -> None:
        """Kill it if it still runs; its terminal is closed when it has ended."""
        self.signal(signal.SIGKILL)

    def _receive(self) -> bool:
        """Take what is there; tell whether more may come."""
        data = self._terminal.read()
        if data is None:
            self._loop.remove_reader(self._terminal)
        elif data:
            self.screen.feed(data)
        return bool(data)

    async def _wait(self) -> None:
        assert self._process is not None
        await self._process.wait()
        while self._receive():
            pass
        self._loop.remove_reader(self._terminal)
        self._terminal.close()
        self.screen.end()


class GuestProgram:
    """A program of a guest, on a channel of its own over an SSH connection.

    :param open_channel: opens a channel (paramiko's) of the logged-in connection.
    :raises ApplicationError: the connection takes no further channel, or no command.
    """

    def __init__(self, open_channel: Callable[[], Any], command: str, name: str) -> None:
        self.screen = Screen()
        self.exit_code: int | None = None
        try:
            self._channel = open_channel()
            self._channel.settimeout(CHANNEL_TIMEOUT)
            self._channel.get_pty(term=TERMINAL_TYPE, width=COLUMNS, height=ROWS)
            self._channel.exec_command(command)
        except Exception as error:
            raise ApplicationError(
                f"The guest's SSH connection started no command: {error or type(error).__name__}"
            ) from error
        self._channel.settimeout(None)
        self._reader = threading.Thread(target=self._read, name=f"application {name}", daemon=True)
        self._reader.start()

    def type(self, data: bytes) -> None:
        """Type into its terminal."""
        if not self.screen.ended:
            self._channel.sendall(data)

    def signal(self, number: int) -> None:
        """Send what the terminal knows: ^C for any signal but SIGKILL, which hangs up."""
        if number == signal.SIGKILL:
            self.close()
        else:
            self.type(b"\x03")

    def close(self) -> None:
        """Hang up: the guest's SSH server then ends it."""
        self._channel.close()

    def _read(self) -> None:
        try:
            while data := self._channel.recv(RECEIVE_SIZE):
                self.screen.feed(data)
            if (
                self._channel.status_event.wait(EXIT_CODE_TIMEOUT)
                and self._channel.exit_status >= 0
            ):
                self.exit_code = self._channel.exit_status
        except OSError:  # the connection was lost, with the guest perhaps
            return
        finally:
            self.screen.end()
