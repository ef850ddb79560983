"""Keywords that pause, resume, reset and reboot."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from robot.api.deco import keyword

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from DtsVirtLibrary.keywords.context import LibraryContext
    from DtsVirtLibrary.vm.machine import Machine


class PowerKeywords:
    """Pausing and rebooting."""

    def __init__(self, context: LibraryContext) -> None:
        self._context = context

    @keyword(name="Pause VM", tags=("VM",))
    def pause_vm(self, vm: str) -> None:
        """Stops the VM's CPUs; network connections to the guest hang until `Resume VM`.

        | `Pause VM` | vm0 |
        """
        from DtsVirtLibrary.vm.power import pause

        self._context.run(pause(self._context.machine(vm)))

    @keyword(name="Resume VM", tags=("VM",))
    def resume_vm(self, vm: str) -> None:
        """Lets the CPUs of a paused VM run again.

        | `Resume VM` | vm0 |
        """
        from DtsVirtLibrary.vm.power import resume

        self._context.run(resume(self._context.machine(vm)))

    @keyword(name="Reset VM", tags=("VM",))
    def reset_vm(self, vm: str) -> None:
        """Presses the VM's reset button: the guest boots anew without shutting down.

        The SSH connection is closed, as it belonged to the boot that ended. Wait for the
        guest with `Wait Until Guest Is Ready`.

        | `Reset VM` | vm0 |
        | `Wait Until Guest Is Ready` | vm0 |
        """
        from DtsVirtLibrary.vm.power import reset

        context = self._context
        context.sessions.close(vm)
        context.run(reset(context.machine(vm)))

    @keyword(name="Reboot Guest", tags=("VM", "Guest"))
    def reboot_guest(self, vm: str, *, timeout: timedelta = timedelta(minutes=2)) -> None:
        """Reboots the guest by its agent and returns when it is ready again.

        Ready means what it meant at the start of the VM: if SSHLibrary was logged in, it
        is logged in again under the same alias.

        | `Reboot Guest` | vm0 |
        | Execute Command | uptime |
        """
        from DtsVirtLibrary.vm.power import reboot

        self._come_back(vm, lambda machine: reboot(machine, timeout.total_seconds()))

    @keyword(name="Wait Until Guest Is Ready", tags=("VM", "Guest", "Wait"))
    def wait_until_guest_is_ready(
        self, vm: str, *, timeout: timedelta = timedelta(minutes=2)
    ) -> None:
        """Waits, after a reset, until the guest is as ready as `Start VM` left it.

        If SSHLibrary was logged in, it is logged in again under the same alias.

        | `Reset VM` | vm0 |
        | `Wait Until Guest Is Ready` | vm0 |
        | Execute Command | uptime |
        """
        from DtsVirtLibrary.vm.power import wait_until_ready_again

        self._come_back(
            vm, lambda machine: wait_until_ready_again(machine, timeout.total_seconds())
        )

    def _come_back(self, vm: str, way: Callable[[Machine], Coroutine[Any, Any, None]]) -> None:
        """Bring the guest back, and SSHLibrary into it if it was logged in."""
        context = self._context
        machine = context.machine(vm)
        context.sessions.close(vm)
        context.tell_surprises(machine)
        context.run(way(machine))
        if machine.uses_ssh:
            context.log_in(machine)
