"""Snapshots of a running VM, and the way back to them."""

from __future__ import annotations

from DtsVirtLibrary.config import validate_name
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.results import VmStatus
from DtsVirtLibrary.vm.machine import Machine


async def save(machine: Machine, name: str, seconds: float) -> None:
    """Save the state of a running VM under a name.

    :raises ConfigError: the name is malformed.
    :raises VmStateError: the VM does not run, or has a disk that is written in place.
    """
    validate_name(name)
    deadline = Deadline(seconds)
    await machine.use("Save VM Snapshot", lambda instance: instance.save_snapshot(name, deadline))


async def restore(machine: Machine, name: str, seconds: float) -> None:
    """Bring a VM back to a snapshot; its CPUs run then and its agent has answered.

    :raises ConfigError: there is no such snapshot.
    """
    deadline = Deadline(seconds)
    await machine.use(
        "Restore VM Snapshot", lambda instance: instance.restore_snapshot(name, deadline)
    )
    machine.host_keys.forget()
    if machine.started:
        machine.status = VmStatus.RUNNING
