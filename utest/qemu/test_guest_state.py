"""Panics and resets that nobody asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from DtsVirtLibrary.qemu.running.guest_state import GuestState
from DtsVirtLibrary.results import GuestLoss, LossKind, MonitorEvent


class Events:
    """A monitor that sends what a test says."""

    def on_event(self, function: Callable[[MonitorEvent], None]) -> None:
        self.send = function


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
async def state(events: Events) -> GuestState:
    made = GuestState(events)  # type: ignore[arg-type]
    made.settle()
    return made


def reset(at: float = 12.34) -> MonitorEvent:
    return MonitorEvent("RESET", {"guest": True}, at)


async def lost(state: GuestState) -> GuestLoss:
    return await asyncio.wait_for(state.wait_lost(), 0.01)


async def test_a_panic_is_told_for_as_long_as_it_lasts(events: Events, state: GuestState) -> None:
    waiting = asyncio.ensure_future(state.wait_lost())
    await asyncio.sleep(0)
    assert not waiting.done()
    events.send(MonitorEvent("GUEST_PANICKED", {"action": "pause"}, 3.0))
    assert (await waiting).kind is LossKind.PANIC
    assert (await lost(state)).kind is LossKind.PANIC
    events.send(MonitorEvent("RESUME", {}, 3.5))
    assert state.loss is not None
    events.send(reset())
    assert state.loss is None
    with pytest.raises(asyncio.TimeoutError):
        await lost(state)


async def test_a_disk_that_failed_is_told_until_the_vm_goes_on(
    events: Events, state: GuestState
) -> None:
    data = {
        "action": "stop",
        "node-name": "disk0",
        "operation": "write",
        "reason": "No space left on device",
    }
    events.send(MonitorEvent("BLOCK_IO_ERROR", data, 3.0))
    loss = await lost(state)
    assert loss.kind is LossKind.IO_ERROR
    assert loss.facts == ("Disk 'disk0': write failed on the host: No space left on device.",)
    events.send(MonitorEvent("RESUME", {}, 4.0))
    assert state.loss is None


async def test_an_error_that_only_the_guest_is_told_of_is_none(
    events: Events, state: GuestState
) -> None:
    events.send(MonitorEvent("BLOCK_IO_ERROR", {"action": "report", "node-name": "disk0"}, 3.0))
    assert state.loss is None


async def test_a_reset_nobody_asked_for_is_told_once(events: Events, state: GuestState) -> None:
    for _ in range(3):
        events.send(reset())
    [line] = state.take_surprises()
    assert "the guest was reset 12.3 s after the launch" in line
    assert state.take_surprises() == []
    assert state.unasked_resets == [line]


async def test_a_reset_ends_what_waits_and_names_the_boot(
    events: Events, state: GuestState
) -> None:
    state.boot = "boot-1"
    waiting = asyncio.ensure_future(state.wait_lost())
    await asyncio.sleep(0)
    events.send(reset())
    assert await waiting == GuestLoss(LossKind.RESET, ("Boot id before: boot-1",))
    assert state.boot is None
    with pytest.raises(asyncio.TimeoutError):
        await lost(state)


async def test_a_reset_that_was_asked_for_is_none(events: Events, state: GuestState) -> None:
    state.expect_reset()
    waiting = asyncio.ensure_future(state.wait_lost())
    await asyncio.sleep(0)
    events.send(reset(1.0))
    events.send(reset(1.1))
    assert state.take_surprises() == []
    assert not waiting.done()
    state.settle()
    events.send(reset(9.0))
    assert len(state.take_surprises()) == 1
    await waiting


async def test_a_guest_may_reboot_while_it_comes_up(events: Events) -> None:
    state = GuestState(events)  # type: ignore[arg-type]
    events.send(reset())
    assert state.unasked_resets == []


@pytest.mark.parametrize("settled", [False, True])
async def test_what_a_clone_was_saved_with_holds_until_something_happens(
    events: Events, settled: bool
) -> None:
    state = GuestState(events)  # type: ignore[arg-type]
    assert state.as_saved
    if settled:
        state.settle()
    else:
        events.send(reset())
    assert not state.as_saved
