"""Events that come while somebody turns to wait for them."""

from __future__ import annotations

import asyncio
import time

import pytest

from DtsVirtLibrary.qemu.qmp.events import EventLog, named


@pytest.fixture
def log() -> EventLog:
    return EventLog(time.monotonic())


async def test_an_event_counts_from_the_call_on_not_from_the_first_await(log: EventLog) -> None:
    future = log.next(named(["WANTED"], None))
    log.add("OTHER", {})
    log.add("WANTED", {"number": 1})
    event = await future
    assert event is not None
    assert event.data == {"number": 1}


async def test_who_waits_no_more_is_forgotten(log: EventLog) -> None:
    given_up, answered = log.next(named(["A"], None)), log.next(named(["B"], None))
    given_up.cancel()
    log.add("B", {})
    await asyncio.wait({given_up, answered})
    await asyncio.sleep(0)
    assert log._waiting == []


async def test_the_end_is_told_to_who_waits(log: EventLog) -> None:
    future = log.next(named(["A"], None))
    log.end()
    assert await future is None
