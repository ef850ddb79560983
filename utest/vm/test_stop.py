"""Every rung of the ladder by which a VM is stopped."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from DtsVirtLibrary.errors import CleanupError, GuestShutdown, HostError, VmDied, VmStateError
from DtsVirtLibrary.host.memory import MemoryKills
from DtsVirtLibrary.results import Readiness, StopStage, VmStatus
from DtsVirtLibrary.vm import process, stopping
from DtsVirtLibrary.vm.context import MachineContext
from DtsVirtLibrary.vm.machine import Machine
from utest.fakes.hypervisor import AGENT, BUTTON, EVERYTHING, FakeHypervisor, FakeInstance
from utest.vm.conftest import parameters


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "QUIT_SECONDS", 0.01)
    monkeypatch.setattr(stopping, "SIGNAL_SECONDS", 0.01)


async def running(machine: Machine, hypervisor: FakeHypervisor) -> FakeInstance:
    await machine.start(Readiness.AGENT, 60)
    instance = hypervisor.launched[-1]
    instance.calls.clear()
    return instance


@pytest.mark.fault(55)
@pytest.mark.parametrize(
    ("ends_by", "stage", "calls"),
    [
        (EVERYTHING, StopStage.AGENT, ["status", "agent ping", "agent shutdown powerdown"]),
        (EVERYTHING - {AGENT}, StopStage.POWER_BUTTON, ["power_button"]),
        (EVERYTHING - {AGENT, BUTTON}, StopStage.QUIT, ["power_button", "quit"]),
        ({"SIGTERM"}, StopStage.TERMINATE, ["power_button", "quit", "SIGTERM"]),
        ({"SIGKILL"}, StopStage.KILL, ["power_button", "quit", "SIGTERM", "SIGKILL"]),
    ],
)
async def test_each_rung(
    machine: Machine,
    hypervisor: FakeHypervisor,
    ends_by: set[str],
    stage: StopStage,
    calls: list[str],
) -> None:
    hypervisor.ends_by = ends_by
    instance = await running(machine, hypervisor)
    assert await machine.stop(0.01) is stage
    assert instance.calls[-len(calls) :] == calls
    assert machine.status is VmStatus.STOPPED
    assert not machine.started
    assert instance.released == 1


@pytest.mark.fault(55)
async def test_each_rung_that_failed_is_noted(machine: Machine, hypervisor: FakeHypervisor) -> None:
    hypervisor.ends_by = {"SIGKILL"}
    await running(machine, hypervisor)
    await machine.stop(0.02)
    assert machine.notes == [
        "guest agent shutdown did not end the VM within 0.02 s",
        "ACPI power button did not end the VM within 0.02 s",
        "QMP quit did not end the VM within 0.01 s",
        "SIGTERM did not end the VM within 0.01 s",
    ]


@pytest.mark.fault(57)
async def test_a_process_that_survives_everything(
    machine: Machine, hypervisor: FakeHypervisor
) -> None:
    hypervisor.ends_by = ()
    instance = await running(machine, hypervisor)
    with pytest.raises(CleanupError, match="process 4711 did not end, not even by SIGKILL") as it:
        await machine.stop(0.01)
    assert "Its process is in state T (stopped)." in str(it.value)
    assert "Left: that process with its memory, its private directory" in str(it.value)
    assert machine.started
    instance.end(-9)
    assert await machine.stop(0.01) is StopStage.ALREADY
    assert machine.status is VmStatus.STOPPED


async def test_a_silent_agent_does_not_hold_up_the_power_button(
    machine: Machine, hypervisor: FakeHypervisor
) -> None:
    instance = await running(machine, hypervisor)
    instance.agent.deaf = True
    assert await machine.stop(60) is StopStage.POWER_BUTTON
    assert machine.notes == ["guest agent shutdown failed: The guest agent did not answer."]


async def test_a_vm_without_an_agent_begins_with_the_power_button(
    context: MachineContext, hypervisor: FakeHypervisor
) -> None:
    machine = Machine("vm0", parameters(qga="enable=no"), context)
    await machine.start(Readiness.PROCESS, 60)
    assert await machine.stop(60) is StopStage.POWER_BUTTON


async def test_a_paused_guest_is_not_asked(machine: Machine, hypervisor: FakeHypervisor) -> None:
    instance = await running(machine, hypervisor)
    instance.run_state = "paused"
    assert await machine.stop(60) is StopStage.QUIT
    assert instance.calls == ["status", "quit"]


async def test_no_time_for_the_guest_leaves_it_unasked(
    machine: Machine, hypervisor: FakeHypervisor
) -> None:
    instance = await running(machine, hypervisor)
    assert await machine.stop(0) is StopStage.QUIT
    assert instance.calls == ["quit"]


async def test_a_deaf_monitor_is_not_asked_twice(
    machine: Machine, hypervisor: FakeHypervisor
) -> None:
    instance = await running(machine, hypervisor)
    instance.deaf = True
    assert await machine.stop(60) is StopStage.TERMINATE
    assert instance.calls == ["status", "SIGTERM"]


@pytest.mark.fault(56)
async def test_stopping_twice_is_quiet(machine: Machine, hypervisor: FakeHypervisor) -> None:
    instance = await running(machine, hypervisor)
    await machine.stop(60)
    assert await machine.stop(60) is StopStage.ALREADY
    assert instance.released == 1


@pytest.mark.fault(56)
async def test_stopping_what_never_started_is_quiet(machine: Machine) -> None:
    assert await machine.stop(60) is StopStage.ALREADY


async def test_a_vm_that_never_started_can_still_be_started_after_a_stop(machine: Machine) -> None:
    await machine.stop(60)
    await machine.start(Readiness.AGENT, 60)
    assert machine.status is VmStatus.RUNNING


@pytest.mark.fault(56)
async def test_stopping_a_crashed_vm_is_quiet(machine: Machine, hypervisor: FakeHypervisor) -> None:
    instance = await running(machine, hypervisor)
    instance.end(-11)
    assert await machine.stop(60) is StopStage.ALREADY
    assert machine.status is VmStatus.STOPPED
    assert instance.released == 1


@pytest.mark.fault(51)
async def test_a_death_within_the_stop_counts_as_its_success(
    machine: Machine, hypervisor: FakeHypervisor
) -> None:
    hypervisor.ends_by = ()
    instance = await running(machine, hypervisor)
    stop = asyncio.ensure_future(machine.stop(60))
    while "agent shutdown powerdown" not in instance.calls:
        await asyncio.sleep(0)
    instance.end(-11)
    assert await stop is StopStage.AGENT
    assert machine.status is VmStatus.STOPPED


async def test_killing_asks_nobody(machine: Machine, hypervisor: FakeHypervisor) -> None:
    instance = await running(machine, hypervisor)
    assert await machine.kill() is StopStage.KILL
    assert instance.calls == ["SIGKILL"]
    assert machine.status is VmStatus.STOPPED


async def test_a_death_while_it_is_used(machine: Machine, hypervisor: FakeHypervisor) -> None:
    instance = await running(machine, hypervisor)
    use = asyncio.ensure_future(machine.use("Execute In Guest", lambda _: asyncio.sleep(60)))
    await asyncio.sleep(0)
    instance.end(-9)
    with pytest.raises(
        VmDied, match=r"'Execute In Guest' needs it running. It was killed"
    ) as caught:
        await use
    assert caught.value.evidence.exit_code == -9
    assert caught.value.evidence.artifacts is not None
    assert machine.status is VmStatus.CRASHED


async def test_a_closed_channel_is_told_as_the_death_behind_it(
    machine: Machine, hypervisor: FakeHypervisor
) -> None:
    instance = await running(machine, hypervisor)
    instance.exit_code = -9  # seen by the channels first
    task = asyncio.ensure_future(
        machine.use("Ping Guest Agent", lambda instance: instance.agent.ping(timeout=1))
    )
    while "agent ping" not in instance.calls:
        await asyncio.sleep(0)
    instance.end(-9)
    with pytest.raises(VmDied, match="'Ping Guest Agent'"):
        await task


async def test_after_a_crash_each_keyword_tells_of_it(
    machine: Machine, hypervisor: FakeHypervisor
) -> None:
    instance = await running(machine, hypervisor)
    instance.end(-11)
    assert await machine.wait_until_stopped(60)
    for action in ("Ping Guest Agent", "Run QMP Command"):
        with pytest.raises(VmDied, match=action) as caught:
            await machine.use(action, lambda instance: instance.status())
        assert "signal SIGSEGV (11)" in str(caught.value)


@pytest.mark.fault(60)
async def test_a_guest_that_powers_off_is_stopped_and_not_crashed(
    machine: Machine, hypervisor: FakeHypervisor
) -> None:
    instance = await running(machine, hypervisor)
    instance.end(0, "guest-shutdown")
    assert await machine.wait_until_stopped(60)
    assert machine.status is VmStatus.STOPPED
    with pytest.raises(GuestShutdown):
        await machine.use("Ping Guest Agent", lambda instance: instance.status())


async def test_a_vm_that_was_stopped_only_says_so(
    machine: Machine, hypervisor: FakeHypervisor
) -> None:
    await running(machine, hypervisor)
    await machine.stop(60)
    with pytest.raises(VmStateError, match=r"is stopped; 'Ping' needs it running. Start it"):
        await machine.use("Ping", lambda instance: instance.status())


async def test_waiting_for_an_end_that_does_not_come(
    machine: Machine, hypervisor: FakeHypervisor
) -> None:
    await running(machine, hypervisor)
    assert not await machine.wait_until_stopped(0.01)
    assert machine.status is VmStatus.RUNNING


async def test_artifacts_that_cannot_be_kept_do_not_keep_the_process_resources(
    machine: Machine, hypervisor: FakeHypervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = await running(machine, hypervisor)

    async def no_space(self: object, files: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("DtsVirtLibrary.vm.artifacts.StartArtifacts.keep", no_space)
    with pytest.raises(OSError, match="No space"):
        await machine.stop(60)
    assert instance.released == 1
    assert not machine.started


@pytest.mark.fault(52)
@pytest.mark.parametrize(
    ("kills", "text"),
    [
        pytest.param((4, 2), "The kernel killed it for want of memory", id="here"),
        pytest.param((4, None), "Perhaps the kernel killed it for want of mem", id="perhaps"),
        pytest.param((4, 1), "has struck since the start, but not in the control", id="elsewhere"),
        pytest.param((3, 1), "has not struck since the start\\.", id="nowhere"),
        pytest.param((3, None), "has not struck since the start\\.", id="nowhere, unknown group"),
    ],
)
async def test_who_killed_is_told_as_far_as_it_is_known(
    machine: Machine,
    hypervisor: FakeHypervisor,
    monkeypatch: pytest.MonkeyPatch,
    kills: tuple[int, int | None],
    text: str,
) -> None:
    counts = iter([MemoryKills(3, 1), MemoryKills(*kills)])

    async def count(host: object, group: str | None) -> MemoryKills:
        return next(counts)

    monkeypatch.setattr(process, "memory_kills", count)
    instance = await running(machine, hypervisor)
    instance.end(-9)
    assert await machine.wait_until_stopped(60)
    with pytest.raises(VmDied, match=text):
        await machine.use("Ping Guest Agent", lambda instance: instance.status())


async def test_a_kill_that_was_not_the_kernels_says_so(
    machine: Machine, hypervisor: FakeHypervisor
) -> None:
    instance = await running(machine, hypervisor)
    instance.last_events = "RESUME at 0.1 s"
    instance.end(-9)
    assert await machine.wait_until_stopped(60)
    with pytest.raises(VmDied, match="this library did not send that signal") as caught:
        await machine.use("Ping Guest Agent", lambda instance: instance.status())
    assert "Last events: RESUME at 0.1 s" in str(caught.value)


async def test_a_vm_that_outlives_the_run_is_no_failure(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go, unheard = asyncio.Event(), []

    async def outlive(_instance: FakeInstance) -> int:
        await let_go.wait()
        raise HostError("Process 7 was kept when its host was closed.")

    def hear(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        unheard.append(context["message"])

    monkeypatch.setattr(FakeInstance, "wait_closed", outlive)
    asyncio.get_running_loop().set_exception_handler(hear)
    await machine.start(Readiness.AGENT, 60)
    let_go.set()
    assert await machine.wait_until_stopped(60)
    machine._process._watch = None
    gc.collect()
    assert unheard == []
