"""Panics and resets that nobody asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from DtsVirtLibrary.qemu.guest_state import GuestState
from DtsVirtLibrary.results import MonitorEvent


class Events:
    """A monitor that sends what a test says."""

    def on_event(self, function: Callable[[MonitorEvent], None]) -> None:
        self.send = function


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
async def state(events: Events) -> GuestState:
    return GuestState(events)  # type: ignore[arg-type]


async def test_a_panic_is_told_for_as_long_as_it_lasts(events: Events, state: GuestState) -> None:
    waiting = asyncio.ensure_future(state.wait_panicked())
    await asyncio.sleep(0)
    assert not waiting.done()
    events.send(MonitorEvent("GUEST_PANICKED", {"action": "pause"}, 3.0))
    await waiting
    await state.wait_panicked()
    events.send(MonitorEvent("RESET", {"guest": False}, 4.0))
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(state.wait_panicked(), 0.01)


async def test_a_reset_nobody_asked_for_is_told_once(events: Events, state: GuestState) -> None:
    for _ in range(3):
        events.send(MonitorEvent("RESET", {"guest": True}, 12.34))
    [line] = state.take_surprises()
    assert "the guest was reset 12.3 s after the launch" in line
    assert state.take_surprises() == []


async def test_a_reset_that_was_asked_for_is_none(events: Events, state: GuestState) -> None:
    state.expect_reset()
    events.send(MonitorEvent("RESET", {"guest": False}, 1.0))
    events.send(MonitorEvent("RESET", {"guest": True}, 1.1))
    assert state.take_surprises() == []
    state.settle()
    events.send(MonitorEvent("RESET", {"guest": True}, 9.0))
    assert len(state.take_surprises()) == 1
