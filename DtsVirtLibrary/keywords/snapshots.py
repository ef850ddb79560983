"""Keywords for snapshots of running VMs, and for the templates of warm start."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from robot.api import logger
from robot.api.deco import keyword

from DtsVirtLibrary.results import TemplateInfo

if TYPE_CHECKING:
    from DtsVirtLibrary.keywords.context import LibraryContext


# To save a running VM; what takes long is to copy its disks.
SAVE_SECONDS = 300.0


class SnapshotKeywords:
    """Saving states of VMs and going back to them."""

    def __init__(self, context: LibraryContext) -> None:
        self._context = context

    @keyword(name="Save VM Snapshot", tags=("VM", "Snapshot"))
    def save_vm_snapshot(
        self, vm: str, name: str, *, timeout: timedelta = timedelta(minutes=1)
    ) -> None:
        """Saves the state of a running VM: its memory, its devices and its disks.

        `Restore VM Snapshot` brings it back as long as the VM runs; when it has ended, its
        snapshots are gone. A snapshot of the same name is replaced. Every disk that is
        written needs an overlay (``disk = file=...,overlay=yes``); one started warm has it.

        | `Start VM` | vm0 |
        | `Save VM Snapshot` | vm0 | clean |
        """
        from DtsVirtLibrary.vm.snapshots import save

        context = self._context
        context.run(save(context.machine(vm), name, timeout.total_seconds()))

    @keyword(name="Restore VM Snapshot", tags=("VM", "Snapshot"))
    def restore_vm_snapshot(
        self, vm: str, name: str, *, timeout: timedelta = timedelta(minutes=1)
    ) -> None:
        """Brings a running VM back to the state that `Save VM Snapshot` saved.

        The guest's clock is set, the guest agent has answered, and if SSHLibrary was
        logged in, it is logged in again under the same alias.

        | [Setup] | `Restore VM Snapshot` | vm0 | clean |
        """
        from DtsVirtLibrary.vm.snapshots import restore

        context = self._context
        machine = context.machine(vm)
        context.sessions.close(vm)
        context.run(restore(machine, name, timeout.total_seconds()))
        if machine.uses_ssh:
            context.log_in(machine)

    @keyword(name="Save VM Template", tags=("VM", "Template"))
    def save_vm_template(self, vm: str, *, timeout: timedelta | None = None) -> None:
        """Makes the template of a VM ahead, or of what a running VM is now.

        A VM that does not run is booted, saved when it is ready, and ended, so that its first
        warm start is fast too. If there is a template of it already, nothing happens.

        A VM that runs must have been started warm. It stands still for some seconds and runs
        on; its memory, its devices and its disks as they are become its template, in the
        place of the former one: every later warm start of such a VM, in other suites too,
        begins there. `Remove VM Template` ends that.

        A VM of which none can be made fails, and the message says why.

        | `Create VM` | vm0 |
        | `Start VM` | vm0 | warm=True |
        | Execute Command | prepare-the-guest |
        | `Save VM Template` | vm0 |
        """
        from DtsVirtLibrary.vm.templates import make_template, save_running

        context = self._context
        machine = context.machine(vm)
        seconds = None if timeout is None else timeout.total_seconds()
        if machine.started:
            hypervisor = context.parts.hypervisor
            context.run(save_running(machine, hypervisor, seconds or SAVE_SECONDS))
            return
        context.run(make_template(machine, seconds))
        for note in machine.notes:
            logger.info(note)

    @keyword(name="List VM Templates", tags=("Template", "Getter"))
    def list_vm_templates(self) -> list[TemplateInfo]:
        """Returns the templates that are stored on the host, the one used last first.

        Each has ``key``, ``vm`` (the VM that it was made of), ``description``, ``version`` (of
        QEMU), ``memory_mib``, ``size`` (in bytes), ``saved_at`` (in seconds since 1970) and
        ``directory``.

        | @{templates} = | `List VM Templates` |
        | Log | ${templates[0].description} |
        """
        context = self._context
        return list(context.run(context.parts.hypervisor.templates()))

    @keyword(name="Remove VM Template", tags=("VM", "Template"))
    def remove_vm_template(self, vm: str) -> bool:
        """Removes the template that a warm start of the VM would use; VMs made of it run on.

        Returns whether there was one.

        | `Remove VM Template` | vm0 |
        """
        from DtsVirtLibrary.vm.templates import remove_template

        context = self._context
        return context.run(remove_template(context.machine(vm), context.parts.hypervisor))
