"""The asyncio loop thread of the library, and deadlines.

Robot Framework runs keywords in a plain thread and interrupts them for timeouts and
Ctrl-C; QMP events arrive at any time. So everything asynchronous lives on one daemon
thread, and a keyword calls into it and waits.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

# How long an interrupted keyword waits for its coroutine to give back what it took.
CANCEL_GRACE = 10.0


class Deadline:
    """A point in time on the monotonic clock, passed down to everything that waits.

    :param seconds: how long from now; None never expires.
    """

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self._start = time.monotonic()

    def restart(self) -> None:
        """Count from now on, as where the preparation before does not count."""
        self._start = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the deadline was set."""
        return time.monotonic() - self._start

    @property
    def remaining(self) -> float | None:
        """Seconds left, never below 0; None if it never expires."""
        return None if self.seconds is None else max(0.0, self.seconds - self.elapsed)

    @property
    def expired(self) -> bool:
        """Whether the time is over."""
        return self.remaining == 0.0

    def at_most(self, seconds: float) -> float:
        """Return `seconds`, or what is left if that is less."""
        return seconds if self.remaining is None else min(seconds, self.remaining)


class LoopThread:
    """One daemon thread that runs one asyncio loop, started at the first use."""

    def __init__(self, name: str = "DtsVirtLibrary loop") -> None:
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run `coroutine` on the loop and return what it returns.

        Whatever interrupts the wait (Robot Framework's timeout, Ctrl-C) cancels the
        coroutine and waits, up to :data:`CANCEL_GRACE` seconds, until its clean-up ran.
        """
        loop = self._running_loop()
        finished: Future[T] = Future()
        task: list[asyncio.Task[T]] = []

        def start() -> None:
            task.append(loop.create_task(coroutine))
            task[0].add_done_callback(lambda done: _transfer(done, finished))

        loop.call_soon_threadsafe(start)
        try:
            return finished.result()
        except BaseException:
            if not finished.done():
                loop.call_soon_threadsafe(lambda: task[0].cancel())
                _wait_quietly(finished)
            raise

    def close(self) -> None:
        """Cancel what still runs, stop the loop and join the thread. Quiet the second time."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None:
            return
        loop.call_soon_threadsafe(lambda: loop.create_task(_cancel_all_and_stop()))
        thread.join(CANCEL_GRACE)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                ready = threading.Event()
                # Made here, since what it cannot be made for is the caller's to know.
                loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._serve, args=(loop, ready), name=self._name, daemon=True
                )
                try:
                    self._thread.start()
                except RuntimeError:
                    loop.close()
                    raise
                self._loop = loop
                ready.wait()
            return self._loop

    def _serve(self, loop: asyncio.AbstractEventLoop, ready: threading.Event) -> None:
        asyncio.set_event_loop(loop)
        loop.call_soon(ready.set)
        try:
            loop.run_forever()
        finally:
            loop.close()


def _transfer(task: asyncio.Task[T], finished: Future[T]) -> None:
    if task.cancelled():
        finished.cancel()
        finished.set_running_or_notify_cancel()
    elif (error := task.exception()) is not None:
        finished.set_exception(error)
    else:
        finished.set_result(task.result())


def _wait_quietly(finished: Future[Any]) -> None:
    try:
        finished.exception(CANCEL_GRACE)
    except BaseException:  # the first interruption is the one to report
        return


async def _cancel_all_and_stop() -> None:
    loop = asyncio.get_running_loop()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    loop.stop()
