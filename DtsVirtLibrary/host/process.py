"""A process that the supervisor started, as the runner sees it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.host import private
from DtsVirtLibrary.host.identity import state
from DtsVirtLibrary.host.protocol import HostPath, ProcessIdentity


class SupervisedProcess:
    """A process that the supervisor started; see :class:`~.protocol.HostProcess`."""

    def __init__(
        self,
        argv: Sequence[str],
        identity: ProcessIdentity,
        pidfd: int,
        keep: Callable[[Sequence[str]], None],
    ) -> None:
        self.argv = tuple(argv)
        self._keep = keep
        self._identity = identity
        self._pidfd = pidfd
        self._loop = asyncio.get_running_loop()
        self._exit: asyncio.Future[int] = self._loop.create_future()

    @property
    def identity(self) -> ProcessIdentity:
        """Who it is."""
        return self._identity

    @property
    def exit_code(self) -> int | None:
        """Exit code (negative: signal), None while it runs."""
        if not self._exit.done() or self._exit.exception() is not None:
            return None
        return self._exit.result()

    async def wait(self) -> int:
        """Wait until it ends and return its exit code (negative: signal)."""
        return await asyncio.shield(self._exit)

    def send_signal(self, number: int) -> None:
        """Send a signal; nothing happens if it has ended."""
        if not self._exit.done():
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    async def state(self) -> str:
        """Return the kernel's letter for its state and what that means, empty if it is gone."""
        return "" if self._exit.done() else state(self.identity.pid)

    async def keep(self, directories: Iterable[HostPath] = ()) -> None:
        """Let it outlive the runner; the directories are removed when it ends.

        :raises HostError: the supervisor has ended.
        """
        paths = [os.path.abspath(path) for path in directories]
        self._keep(paths)
        for path in paths:
            # They are its own now, or a sweep would take them for those of a dead run.
            private.mark(path, self.identity)

    def finish(self, exit_code: int) -> None:
        """Take note that it ended."""
        if not self._exit.done():
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._exit.set_result(exit_code)

    def let_go(self) -> None:
        """Leave it to itself: its supervisor tells us nothing of it any more."""
        if not self._exit.done():
            os.close(self._pidfd)
            self._exit.set_exception(
                HostError(f"Process {self.identity.pid} was kept when its host was closed.")
            )
            self._exit.exception()  # or asyncio would say that nobody looked at it

    def finish_when_killed(self) -> None:
        """Take note of the end that it meets with its supervisor, once it came."""
        self._loop.add_reader(self._pidfd, self.finish, -signal.SIGKILL)
