"""Starting a VM, and every way in which that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from DtsVirtLibrary.errors import (
    AgentTimeout,
    ConfigError,
    Evidence,
    GuestPanic,
    GuestShutdown,
    SshAuthError,
    StartError,
    VmDied,
    VmStateError,
)
from DtsVirtLibrary.results import PciFunction, Readiness, VmStatus
from DtsVirtLibrary.timeline import describe_stages
from DtsVirtLibrary.vm.artifacts import StartArtifacts
from DtsVirtLibrary.vm.context import MachineContext
from DtsVirtLibrary.vm.machine import Machine
from utest.fakes.hypervisor import FakeHypervisor
from utest.vm.conftest import parameters


async def started(machine: Machine, hypervisor: FakeHypervisor) -> asyncio.Task[object]:
    """Begin a start whose guest does not answer yet; return once its process is there."""
    hypervisor.agents_ready = False
    task: asyncio.Task[object] = asyncio.ensure_future(machine.start(Readiness.AGENT, 60))
    await hypervisor.arrived.wait()
    return task


def kept(machine: Machine) -> Path:
    assert machine.artifacts is not None
    return machine.artifacts.directory


async def test_a_started_vm_has_a_session_and_artifacts(machine: Machine) -> None:
    session = await machine.start(Readiness.SSH, 60)
    assert machine.status is VmStatus.RUNNING
    assert session.ip == "10.0.2.15"
    assert session.interfaces["host_connect"].ipv4 == "10.0.2.15"
    assert [stage.name for stage in session.stages] == [
        "process started",
        "agent answered",
        "address assigned",
    ]
    assert (kept(machine) / "serial.log").read_text() == "console's last line\n"
    assert kept(machine).parts[-3:] == ("vms", "vm0", "start-1")


async def test_stages_are_kept_with_their_times(machine: Machine) -> None:
    session = await machine.start(Readiness.AGENT, 60)
    lines = (kept(machine) / "stages.txt").read_text().splitlines()
    assert [line.split(" ", 2)[2] for line in lines] == [stage.name for stage in session.stages]
    assert lines[0] == f"{session.stages[0].at:.3f} s process started"


async def test_the_session_maps_ids_to_guest_addresses(
    machine: Machine, hypervisor: FakeHypervisor
) -> None:
    task = await started(machine, hypervisor)
    hypervisor.launched[0].functions = (
        PciFunction("0000:00:01.0", "", "8086:7000", "ISA bridge"),
        PciFunction("0000:00:04.0", "pt_0", "8086:10ed", "Ethernet controller", "0000:07:10.0"),
    )
    hypervisor.launched[0].agent_ready.set()
    await task
    assert machine.session is not None
    assert dict(machine.session.pci_mapping) == {"pt_0": "0000:00:04.0"}


async def test_waiting_for_the_process_asks_no_agent(
    machine: Machine, hypervisor: FakeHypervisor
) -> None:
    hypervisor.agents_ready = False
    session = await machine.start(Readiness.PROCESS, 60)
    assert "wait_for_agent" not in hypervisor.launched[0].calls
    assert session.ip is None


async def test_waiting_for_an_agent_that_cannot_be_is_refused(
    context: MachineContext, hypervisor: FakeHypervisor
) -> None:
    machine = Machine("vm0", parameters(qga="enable=no"), context)
    with pytest.raises(
        ConfigError, match=r"wait_for=agent needs the guest agent.*wait_for=process"
    ):
        await machine.start(Readiness.AGENT, 60)
    assert not hypervisor.launched
    assert machine.status is VmStatus.CREATED


async def test_a_running_vm_is_not_started_again(
    machine: Machine, hypervisor: FakeHypervisor
) -> None:
    await machine.start(Readiness.AGENT, 60)
    with pytest.raises(VmStateError, match=r"VM 'vm0' is already running. Stop it"):
        await machine.start(Readiness.AGENT, 60)
    assert len(hypervisor.launched) == 1
    assert machine.status is VmStatus.RUNNING


async def test_a_starting_vm_is_not_started_again(
    machine: Machine, hypervisor: FakeHypervisor
) -> None:
    task = await started(machine, hypervisor)
    with pytest.raises(VmStateError, match="already starting"):
        await machine.start(Readiness.AGENT, 60)
    hypervisor.launched[0].agent_ready.set()
    await task
    assert machine.status is VmStatus.RUNNING


async def test_a_stopped_vm_starts_again_with_artifacts_of_its_own(
    machine: Machine, hypervisor: FakeHypervisor
) -> None:
    await machine.start(Readiness.AGENT, 60)
    await machine.stop(1)
    await machine.start(Readiness.AGENT, 60)
    assert machine.status is VmStatus.RUNNING
    assert kept(machine).name == "start-2"
    assert [instance.released for instance in hypervisor.launched] == [1, 0]


async def test_the_mac_address_is_the_same_at_every_start(
    machine: Machine, hypervisor: FakeHypervisor
) -> None:
    for _ in range(2):
        await machine.start(Readiness.AGENT, 60)
        await machine.stop(1)
    first, second = (instance.spec.nics[0].mac for instance in hypervisor.launched)
    assert first is not None
    assert first == second


async def test_a_refused_launch_leaves_a_vm_that_can_be_started(
    machine: Machine, hypervisor: FakeHypervisor
) -> None:
    hypervisor.failure = ConfigError("No such device.")
    with pytest.raises(ConfigError, match=r"No such device."):
        await machine.start(Readiness.AGENT, 60)
    assert not machine.started
    assert machine.status is VmStatus.STOPPED
    hypervisor.failure = None
    await machine.start(Readiness.AGENT, 60)
    assert machine.started


async def test_what_a_failed_launch_left_is_kept(
    machine: Machine, hypervisor: FakeHypervisor
) -> None:
    hypervisor.remains = {"stderr.log": b"no such option"}
    hypervisor.failure = StartError(
        "QEMU ended while it started.",
        Evidence(argv=("fake-vm", "a b"), exit_code=1, stderr_tail="no such option"),
    )
    with pytest.raises(StartError) as caught:
        await machine.start(Readiness.AGENT, 60)
    files = {path.name: path.read_text() for path in kept(machine).iterdir()}
    assert files["stderr.log"] == "no such option"
    assert files["error.txt"] == f"{caught.value.whole_text()}\n"
    assert "Command line: fake-vm 'a b'\n" in files["error.txt"]
    assert str(caught.value).endswith(f"Artifacts: {kept(machine)}")


async def test_an_interrupted_launch_keeps_its_files_too(
    machine: Machine, hypervisor: FakeHypervisor
) -> None:
    hypervisor.remains = {"stderr.log": b""}
    hypervisor.failure = asyncio.CancelledError()
    with pytest.raises(asyncio.CancelledError):
        await machine.start(Readiness.AGENT, 60)
    assert sorted(path.name for path in kept(machine).iterdir()) == ["stages.txt", "stderr.log"]


async def test_bad_input_keeps_no_artifacts(machine: Machine, hypervisor: FakeHypervisor) -> None:
    hypervisor.failure = ConfigError("No such device.")
    with pytest.raises(ConfigError) as caught:
        await machine.start(Readiness.AGENT, 60)
    assert machine.artifacts is None
    assert str(caught.value) == "VM 'vm0': No such device."


async def test_a_guest_that_does_not_answer_is_ended_and_its_tails_are_told(
    machine: Machine, hypervisor: FakeHypervisor
) -> None:
    hypervisor.agents_ready = False
    with pytest.raises(AgentTimeout) as caught:
        await machine.start(Readiness.AGENT, 0.05)
    instance = hypervisor.launched[0]
    assert instance.exit_code == -9
    assert instance.released == 1
    assert not machine.started
    assert machine.status is VmStatus.STOPPED
    text = str(caught.value)
    assert "stderr's last line" in text
    assert "console's last line" in text
    assert "\nGive it more time (timeout, or start = wait_seconds=...)" in text
    assert "Stages reached: process started 0.0" in text
    assert "QEMU's state: running; accelerator: tcg; serial console has output" in text
    assert caught.value.evidence.waited is not None
    assert "Process ended" not in text, "that was us"
    whole = (kept(machine) / "error.txt").read_text()
    assert whole == f"{caught.value.whole_text()}\n"
    assert "Command line: fake-vm vm0" in whole


@pytest.mark.parametrize(
    ("exit_code", "reason", "expected", "message"),
    [
        (-11, None, VmDied, "its process ended; 'Start VM' needs it running."),
        (-9, None, VmDied, "It was killed from outside"),
        (0, "guest-shutdown", GuestShutdown, "the guest shut itself down"),
        (0, "guest-panicked", GuestPanic, "the guest's kernel panicked"),
    ],
)
async def test_a_death_while_starting_is_told_at_once(
    machine: Machine,
    hypervisor: FakeHypervisor,
    exit_code: int,
    reason: str | None,
    expected: type[VmDied],
    message: str,
) -> None:
    task = await started(machine, hypervisor)
    hypervisor.launched[0].end(exit_code, reason)
    with pytest.raises(expected, match=message) as caught:
        await task
    assert caught.value.evidence.exit_code == exit_code
    assert caught.value.evidence.stderr_tail == "stderr's last line"
    assert hypervisor.launched[0].released == 1
    assert not machine.started
    assert (kept(machine) / "serial.log").exists()


async def test_a_death_in_the_last_moment_is_no_running_vm(
    machine: Machine, hypervisor: FakeHypervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends while the artifacts of its start are written."""
    keep = StartArtifacts.keep

    async def keep_and_die(self: StartArtifacts, files: Mapping[str, bytes]) -> None:
        hypervisor.launched[0].end(-11)
        await keep(self, files)

    monkeypatch.setattr(StartArtifacts, "keep", keep_and_die)
    with pytest.raises(VmDied, match="'Start VM' needs it running"):
        await machine.start(Readiness.AGENT, 60)
    assert machine.status is not VmStatus.RUNNING
    assert not machine.started


async def test_a_cancelled_start_ends_the_process(
    machine: Machine, hypervisor: FakeHypervisor
) -> None:
    task = await started(machine, hypervisor)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert hypervisor.launched[0].exit_code == -9
    assert hypervisor.launched[0].released == 1
    assert not machine.started
    assert machine.status is VmStatus.STOPPED
    assert (kept(machine) / "serial.log").exists()


async def test_a_cancelled_start_ends_the_process_though_it_is_cancelled_again(
    machine: Machine, hypervisor: FakeHypervisor
) -> None:
    hypervisor.ends_by = ()
    task = await started(machine, hypervisor)
    task.cancel()
    while "SIGKILL" not in hypervisor.launched[0].calls:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    hypervisor.launched[0].end(-9)
    await machine.stop(1)
    assert hypervisor.launched[0].released == 1


async def test_a_vm_that_cannot_be_ended_says_so_and_why_it_was(
    machine: Machine, hypervisor: FakeHypervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("DtsVirtLibrary.vm.stopping.SIGNAL_SECONDS", 0.01)
    hypervisor.ends_by = ()
    hypervisor.agents_ready = False
    with pytest.raises(AgentTimeout) as caught:
        await machine.start(Readiness.AGENT, 0.01)
    assert "process 4711 did not end, not even by SIGKILL" in str(caught.value)
    hypervisor.launched[0].end(-9)
    await machine.stop(1)


async def test_describing_stages() -> None:
    assert describe_stages(()) == ""


async def test_a_login_that_failed_is_explained_like_a_start_that_failed(
    machine: Machine, hypervisor: FakeHypervisor
) -> None:
    await machine.start(Readiness.SSH, 60)
    error = SshAuthError("The login was refused.")
    await machine.give_up(error)
    assert hypervisor.launched[0].exit_code == -9
    assert machine.status is VmStatus.STOPPED
    assert "console's last line" in str(error)
    assert f"Artifacts: {kept(machine)}" in str(error)
    assert (kept(machine) / "error.txt").read_text() == f"{error.whole_text()}\n"
