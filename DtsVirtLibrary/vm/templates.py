"""Making and removing the template of a VM, apart from its warm starts."""

from __future__ import annotations

from DtsVirtLibrary.config import build_spec
from DtsVirtLibrary.errors import TemplateError
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.results import Readiness
from DtsVirtLibrary.vm.addresses import with_mac_addresses
from DtsVirtLibrary.vm.hypervisor import Hypervisor
from DtsVirtLibrary.vm.machine import Machine

RESTORED = "state restored"


async def make_template(machine: Machine, seconds: float | None) -> None:
    """Start the VM warm, which makes its template where there is none, and end it.

    :raises VmStateError: it runs.
    :raises TemplateError: no template can be made of it, or none can serve.
    """
    session = await machine.start(Readiness.SSH, seconds, warm=True)
    await machine.kill()
    if not any(stage.name == RESTORED for stage in session.stages):
        why = " ".join(machine.notes)
        raise TemplateError(f"There is no template of VM '{machine.name}': {why}")


async def save_running(machine: Machine, hypervisor: Hypervisor, seconds: float) -> None:
    """Save a running VM, as it is now, as its template; it runs on.

    :raises TemplateError: no template can be made of it.
    :raises VmStateError: it does not run, was started cold, or has other devices now.
    """
    spec = machine.specification()
    deadline = Deadline(seconds)
    await machine.use(
        "Save VM Template",
        lambda instance: hypervisor.save_running(spec, instance, deadline),
    )


async def remove_template(machine: Machine, hypervisor: Hypervisor) -> bool:
    """Remove the template that a warm start would use; return whether there was one."""
    spec = build_spec(machine.name, machine.parameters)
    return await hypervisor.remove_template(with_mac_addresses(spec, "", alike=True))
