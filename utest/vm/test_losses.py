"""What befalls a guest while its process lives: told at once, and for as long as it lasts."""

from __future__ import annotations

import asyncio

import pytest

from DtsVirtLibrary.errors import (
    AgentClosed,
    BackendError,
    DtsVirtError,
    GuestIoError,
    GuestPanic,
    GuestRebooted,
    HostError,
    MonitorTimeout,
    VmDied,
    VmStateError,
    WaitTimeout,
)
from DtsVirtLibrary.results import GuestLoss, LossKind, MonitorEvent, Readiness, VmStatus
from DtsVirtLibrary.vm import power, states
from DtsVirtLibrary.vm.context import MachineContext
from DtsVirtLibrary.vm.machine import Machine
from utest.fakes.hypervisor import FakeHypervisor, FakeInstance
from utest.vm.conftest import parameters

CRASH = "VM Should Not Have Crashed"


@pytest.fixture
async def instance(machine: Machine, hypervisor: FakeHypervisor) -> FakeInstance:
    await machine.start(Readiness.AGENT, 60)
    return hypervisor.launched[-1]


async def forever() -> None:
    await asyncio.Event().wait()


@pytest.mark.fault(58, 59)
@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [
        (LossKind.PANIC, GuestPanic, "the guest's kernel panicked; 'Ping' needs it running"),
        (LossKind.IO_ERROR, GuestIoError, "the host cannot read or write a disk of the guest"),
        (LossKind.RESET, GuestRebooted, "the guest was reset within 'Ping'"),
    ],
)
async def test_it_ends_what_needs_the_guest(
    machine: Machine,
    instance: FakeInstance,
    kind: LossKind,
    error: type[DtsVirtError],
    words: str,
) -> None:
    use = asyncio.ensure_future(machine.use("Ping", lambda _: forever(), needs_guest=True))
    await asyncio.sleep(0)
    instance.loss.set_result(GuestLoss(kind, ("A fact.",)))
    with pytest.raises(error, match=words) as caught:
        await use
    assert "A fact." in str(caught.value)
    assert "console's last line" in str(caught.value)
    assert caught.value.evidence.artifacts is not None


async def test_it_is_told_before_anything_is_tried(
    machine: Machine, instance: FakeInstance
) -> None:
    instance.loss.set_result(GuestLoss(LossKind.PANIC))
    instance.calls.clear()
    with pytest.raises(GuestPanic):
        await machine.use("Ping", lambda item: item.agent.ping(timeout=1), needs_guest=True)
    assert instance.calls == []


PANIC = "[    5.9] Kernel panic - not syncing: sysrq triggered crash\n[    6.0] Call Trace:\n"


@pytest.mark.fault(59)
async def test_the_first_line_tells_why_the_kernel_panicked(
    machine: Machine, instance: FakeInstance
) -> None:
    instance.console = PANIC
    instance.loss.set_result(GuestLoss(LossKind.PANIC))
    with pytest.raises(GuestPanic, match=r"panicked \(sysrq triggered crash\); 'Ping' needs"):
        await machine.use("Ping", lambda item: item.agent.ping(timeout=1), needs_guest=True)
    with pytest.raises(GuestPanic, match=rf"triggered crash\), as '{CRASH}' found"):
        await states.require_no_crash(machine)


@pytest.mark.fault(59)
async def test_a_stop_tells_of_a_panic_that_no_keyword_saw(
    machine: Machine, instance: FakeInstance
) -> None:
    instance.console = PANIC
    instance.loss.set_result(GuestLoss(LossKind.PANIC))
    instance.run_state = "guest-panicked"
    await machine.stop(60)
    assert "the guest's kernel had panicked (sysrq triggered crash)" in machine.notes


async def test_a_paused_guest_is_not_waited_for(machine: Machine, instance: FakeInstance) -> None:
    await power.pause(machine)
    instance.run_state = "paused"
    instance.calls.clear()
    with pytest.raises(VmStateError, match="VM 'vm0' is paused; 'Ping' needs its CPUs to run"):
        await machine.use("Ping", lambda item: item.agent.ping(timeout=1), needs_guest=True)
    assert instance.calls == ["status"]


async def test_a_guest_that_was_resumed_otherwise_is_used(
    machine: Machine, instance: FakeInstance
) -> None:
    await power.pause(machine)
    instance.run_state = "running"
    await machine.use("Ping", lambda item: item.agent.ping(timeout=1), needs_guest=True)
    assert machine.status is VmStatus.RUNNING


async def test_an_error_without_a_vm_gets_its_name(
    machine: Machine, instance: FakeInstance
) -> None:
    async def refuse() -> None:
        raise HostError("localhost has no such thing.")

    with pytest.raises(HostError, match=r"^VM 'vm0': localhost has no such thing"):
        await machine.use("Ping", lambda _: refuse())


async def test_what_needs_no_guest_goes_on(machine: Machine, instance: FakeInstance) -> None:
    instance.loss.set_result(GuestLoss(LossKind.PANIC))
    assert await machine.use("Get VM Status", lambda item: item.status()) == "running"


@pytest.mark.fault(58)
async def test_a_channel_that_closes_is_told_as_the_reset_behind_it(
    machine: Machine, instance: FakeInstance
) -> None:
    async def close() -> None:
        raise AgentClosed("The guest's agent closed its port.")

    use = asyncio.ensure_future(machine.use("Ping", lambda _: close(), needs_guest=True))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not use.done()
    instance.loss.set_result(GuestLoss(LossKind.RESET))
    with pytest.raises(GuestRebooted):
        await use


async def test_a_guest_that_answered_has_come_up(machine: Machine, instance: FakeInstance) -> None:
    instance.expect_reset()
    await machine.use("Get VM Status", lambda item: item.status())
    assert instance.resets_expected
    await machine.use("Ping", lambda item: item.agent.ping(timeout=1), needs_guest=True)
    assert not instance.resets_expected


async def test_who_waits_for_the_guest_expects_it_to_boot(
    machine: Machine, instance: FakeInstance
) -> None:
    instance.agent_ready.clear()
    waiting = asyncio.ensure_future(power.wait_until_ready_again(machine, 60))
    while "wait_for_agent" not in instance.calls[2:]:
        await asyncio.sleep(0)
    assert instance.resets_expected
    instance.agent_ready.set()
    await waiting
    assert not instance.resets_expected


@pytest.mark.fault(50)
async def test_a_monitor_that_is_silent_tells_the_state_of_the_process(
    machine: Machine, instance: FakeInstance
) -> None:
    instance.deaf = True
    with pytest.raises(MonitorTimeout, match="Its process 4711 is in state T"):
        await machine.use("Get VM Status", lambda item: item.status())


async def test_a_reset_is_told_to_the_owner(
    hypervisor: FakeHypervisor, context: MachineContext
) -> None:
    told: list[str] = []
    machine = Machine(
        "vm0",
        parameters(),
        MachineContext(
            hypervisor, context.host, context.artifacts, context.seed, on_reset=told.append
        ),
    )
    await machine.start(Readiness.AGENT, 60)
    hypervisor.launched[-1].reset_listener()
    assert told == ["vm0"]


async def test_what_runs_well_has_not_crashed(machine: Machine, instance: FakeInstance) -> None:
    await states.require_no_crash(machine)
    await machine.stop(60)
    await states.require_no_crash(machine)


async def test_what_was_never_started_has_not_crashed(machine: Machine) -> None:
    await states.require_no_crash(machine)


async def test_a_guest_that_shut_itself_down_has_not_crashed(
    machine: Machine, instance: FakeInstance
) -> None:
    instance.end(0, "guest-shutdown")
    assert await machine.wait_until_stopped(60)
    await states.require_no_crash(machine)


@pytest.mark.parametrize("stopped", [False, True])
async def test_a_process_that_died_has_crashed_also_after_a_stop(
    machine: Machine, instance: FakeInstance, stopped: bool
) -> None:
    instance.end(-11)
    assert await machine.wait_until_stopped(60)
    if stopped:
        await machine.stop(60)
    with pytest.raises(VmDied, match=CRASH):
        await states.require_no_crash(machine)


@pytest.mark.parametrize("kind", [LossKind.PANIC, LossKind.IO_ERROR])
async def test_a_guest_that_stands_still_has_crashed(
    machine: Machine, instance: FakeInstance, kind: LossKind
) -> None:
    instance.loss.set_result(GuestLoss(kind))
    with pytest.raises(DtsVirtError, match=CRASH):
        await states.require_no_crash(machine)


async def test_a_reset_that_nobody_asked_for_is_a_crash(
    machine: Machine, instance: FakeInstance
) -> None:
    instance.resets.append("the guest was reset 3.0 s after the launch")
    with pytest.raises(GuestRebooted, match=r"VM 'vm0': the guest was reset 3\.0 s"):
        await states.require_no_crash(machine)


async def test_a_back_end_that_is_gone(machine: Machine, instance: FakeInstance) -> None:
    await states.require_connected(machine, "nic0")
    instance.connected = False
    with pytest.raises(BackendError, match="back end of card 'nic0' is disconnected"):
        await states.require_connected(machine, "nic0")


async def test_a_back_end_is_waited_for(machine: Machine, instance: FakeInstance) -> None:
    instance.connected = False
    await states.wait_for_backend(machine, "nic0", connected=False, seconds=60)
    waiting = asyncio.ensure_future(
        states.wait_for_backend(machine, "nic0", connected=True, seconds=60)
    )
    while instance.calls.count("backend_connected nic0") < 2:
        await asyncio.sleep(0)
    assert not waiting.done()
    instance.connected = True
    await waiting
    with pytest.raises(WaitTimeout, match="card 'nic0' is not disconnected after"):
        await states.wait_for_backend(machine, "nic0", connected=False, seconds=0.01)


async def test_an_event_of_the_past_counts_unless_it_is_not_after_another(
    machine: Machine, instance: FakeInstance
) -> None:
    instance.events = [MonitorEvent("RESET", {}, 1.0), MonitorEvent("RESET", {}, 1.5)]
    first = await states.wait_for_event(machine, ["RESET", "STOP"], None, 60)
    assert first.at == 1.0
    second = await states.wait_for_event(machine, ["RESET", "STOP"], first, 60)
    assert second.at == 1.5
