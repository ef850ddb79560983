"""Pausing, resetting and rebooting a VM, and waiting until its guest is back."""

from __future__ import annotations

from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.results import Readiness, VmStatus
from DtsVirtLibrary.timeline import Timeline
from DtsVirtLibrary.vm.hypervisor import Instance
from DtsVirtLibrary.vm.machine import Machine
from DtsVirtLibrary.vm.readiness import wait_until_ready

AGENT_SECONDS = 10.0


async def pause(machine: Machine) -> None:
    """Stop the CPUs; one that is paused already stays so."""
    await machine.use("Pause VM", lambda instance: instance.pause())
    _note_status(machine, VmStatus.PAUSED)


async def resume(machine: Machine) -> None:
    """Let the CPUs run again."""
    await machine.use("Resume VM", lambda instance: instance.resume())
    _note_status(machine, VmStatus.RUNNING)


def _note_status(machine: Machine, status: VmStatus) -> None:
    if machine.started:
        machine.status = status


async def reset(machine: Machine) -> None:
    """Press the reset button."""
    await machine.use("Reset VM", lambda instance: instance.reset())


async def reboot(machine: Machine, seconds: float) -> None:
    """Reboot the guest by its agent and wait until the new boot is as ready as the start was.

    :raises AgentTimeout: the agent did not come back in time.
    :raises StartTimeout: the control card got no address in time.
    :raises SshTimeout: the SSH server did not come back in time.
    """
    deadline = Deadline(seconds)

    async def work(instance: Instance) -> None:
        old_boot = await instance.agent.boot_id(timeout=AGENT_SECONDS)
        instance.expect_reset()
        await instance.agent.shutdown("reboot", timeout=AGENT_SECONDS)
        await instance.wait_for_boot(old_boot, deadline)
        await _ready_again(machine, instance, deadline)

    await machine.use("Reboot Guest", work, needs_guest=True)


async def wait_until_ready_again(machine: Machine, seconds: float) -> None:
    """Wait until the guest is as ready as it was after its start.

    :raises AgentTimeout: the agent did not answer in time.
    :raises StartTimeout: the control card got no address in time.
    :raises SshTimeout: the SSH server showed no banner in time.
    """
    deadline = Deadline(seconds)

    async def work(instance: Instance) -> None:
        # Who waits for the guest expects it to boot, however that came about.
        instance.expect_reset()
        await _ready_again(machine, instance, deadline)

    await machine.use("Wait Until Guest Is Ready", work, needs_guest=True)


async def _ready_again(machine: Machine, instance: Instance, deadline: Deadline) -> None:
    machine.session = await wait_until_ready(
        machine.specification(),
        instance,
        Readiness.SSH if machine.uses_ssh else Readiness.AGENT,
        deadline,
        Timeline(),
    )
