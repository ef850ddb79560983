"""An asyncio loop in which no time is spent on waiting.

When nothing is ready, the clock jumps to the next timer. So a target whose other side is
silent runs into the product's deadlines at once, and a wait for ever is noticed.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any


class WaitsForEver(BaseException):
    """Nothing is ready, no timer is set. Not an Exception, so that nobody takes it."""


class _Selector(selectors.DefaultSelector):
    """Never waits, and counts how long it was asked to."""

    skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise WaitsForEver("a coroutine waits, and nothing is left that could wake it")
        if not ready and timeout is not None:
            self.skipped += max(0.0, timeout)
        return ready


class EagerLoop(asyncio.SelectorEventLoop):
    """Runs one coroutine after the other."""

    def __init__(self) -> None:
        self._jumping = _Selector()
        super().__init__(self._jumping)
        self.complaints: list[str] = []
        self.set_exception_handler(lambda loop, context: self.complaints.append(str(context)))

    def time(self) -> float:
        """Return the monotonic time with all that was not waited for."""
        return super().time() + self._jumping.skipped


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine on a loop of its own; nothing of it may be left afterwards."""
    loop = EagerLoop()
    try:
        loop.run_until_complete(coroutine)
        left = asyncio.all_tasks(loop)
        assert not left, left
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
    assert not loop.complaints, loop.complaints
