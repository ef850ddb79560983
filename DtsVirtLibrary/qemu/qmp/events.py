"""The events of a monitor: kept, waited for, passed on."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Any

from DtsVirtLibrary.results import MonitorEvent

LOGGER = logging.getLogger("DtsVirtLibrary.qemu")
# Enough for a day of a guest that sets its clock every minute or two.
KEPT = 1000

Match = Callable[[MonitorEvent], bool]


class EventLog:
    """The newest events with their times, and who waits for one.

    :param origin: monotonic time that the events' times count from.
    """

    def __init__(self, origin: float) -> None:
        self.events: deque[MonitorEvent] = deque(maxlen=KEPT)
        self._origin = origin
        self._waiting: list[tuple[Match, asyncio.Future[MonitorEvent | None]]] = []
        self._listeners: list[Callable[[MonitorEvent], None]] = []

    def now(self) -> float:
        """Return the time as the events count it."""
        return time.monotonic() - self._origin

    def on_event(self, function: Callable[[MonitorEvent], None]) -> None:
        """Call `function` with every event from now on."""
        self._listeners.append(function)

    def add(self, name: str, data: Mapping[str, Any]) -> None:
        """Keep an event and tell everybody."""
        event = MonitorEvent(name, data, self.now())
        self.events.append(event)
        for matches, future in self._waiting:
            _offer(event, matches, future)
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:
                # One listener's mistake must not end the monitor for all.
                LOGGER.exception("a listener failed on the event %s", name)

    def find(self, matches: Match, since: float) -> MonitorEvent | None:
        """Return the first kept event from `since` on that matches."""
        return next((event for event in self.events if event.at >= since and matches(event)), None)

    def next(self, matches: Match) -> asyncio.Future[MonitorEvent | None]:
        """Return the future of the next event that matches; None after :meth:`end`.

        Not a coroutine: events count from this call on, and a coroutine starts later.
        """
        future: asyncio.Future[MonitorEvent | None] = asyncio.get_running_loop().create_future()
        entry = (matches, future)
        self._waiting.append(entry)
        future.add_done_callback(lambda _: self._waiting.remove(entry))
        return future

    def end(self) -> None:
        """Tell whoever waits that no more events will come."""
        for _, future in self._waiting:
            if not future.done():
                future.set_result(None)


def named(names: Collection[str], match: Match | None) -> Match:
    """Return what matches events of these names, and `match` if given."""
    return lambda event: event.name in names and (match is None or match(event))


def _offer(
    event: MonitorEvent, matches: Match, future: asyncio.Future[MonitorEvent | None]
) -> None:
    if future.done():
        return
    try:
        if matches(event):
            future.set_result(event)
    except Exception as error:
        future.set_exception(error)
