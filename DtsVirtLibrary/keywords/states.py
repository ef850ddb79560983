"""Keywords on what befalls a running VM: events, crashes, lost back ends."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from robot.api import logger
from robot.api.deco import keyword

from DtsVirtLibrary.errors import ConfigError
from DtsVirtLibrary.results import MonitorEvent

if TYPE_CHECKING:
    from DtsVirtLibrary.keywords.context import LibraryContext

WAIT = timedelta(minutes=1)


class StateKeywords:
    """What befalls a VM."""

    def __init__(self, context: LibraryContext) -> None:
        self._context = context

    @keyword(name="Wait Until VM Event", tags=("VM", "Wait"))
    def wait_until_vm_event(
        self,
        vm: str,
        *events: str,
        after: MonitorEvent | None = None,
        timeout: timedelta = WAIT,
    ) -> MonitorEvent:
        """Waits for an event of QEMU and returns it: its ``name``, its ``data``, its time ``at``.

        ``events`` are QMP's names, of which one is enough: ``SHUTDOWN``, ``RESET``,
        ``GUEST_PANICKED``, ``BLOCK_IO_ERROR``, ``STOP``, ``DEVICE_DELETED`` and others. One
        that has come since the start counts too, so that none is missed; ``after`` is an
        event that this keyword returned, and only those after it count then. ``at`` is in
        seconds since the launch.

        | Write | echo c > /proc/sysrq-trigger |
        | ${event} = | `Wait Until VM Event` | vm0 | GUEST_PANICKED | RESET | timeout=30 s |
        | Log | ${event.data} |
        """
        from DtsVirtLibrary.vm.states import wait_for_event

        if not events:
            raise ConfigError("Give the name of an event to wait for, such as RESET.")
        context = self._context
        machine = context.machine(vm)
        event = context.run(wait_for_event(machine, events, after, timeout.total_seconds()))
        logger.info(f"VM '{vm}': {event.name} came {event.at:.1f} s after the launch.")
        return event

    @keyword(name="VM Should Not Have Crashed", tags=("VM", "Assertion"))
    def vm_should_not_have_crashed(self, vm: str) -> None:
        """Fails if a VM has crashed since its last start; the failure says how.

        A crash is the end of its process by a fault or by somebody else, a kernel panic, a
        disk that the host could not write so that QEMU stopped the guest, or a reset that no
        keyword asked for. A guest that shut itself down has not crashed, and neither has a
        VM that was stopped or never started.

        | [Teardown] | `VM Should Not Have Crashed` | vm0 |
        """
        from DtsVirtLibrary.vm.states import require_no_crash

        context = self._context
        context.run(require_no_crash(context.machine(vm)))

    @keyword(name="VM NIC Should Be Connected", tags=("VM", "Assertion", "Network"))
    def vm_nic_should_be_connected(self, vm: str, nic: str) -> None:
        """Fails unless the vhost-user back end of a network card is connected.

        ``nic`` is the card's id. A back end that is gone leaves a card that moves no
        packet; the next keyword that uses the VM warns of it, too.

        | `Add VM Device` | vm0 | driver=vhost-user | opt_path=./vhost0 | opt_id=nic0 |
        | `Start VM` | vm0 |
        | `VM NIC Should Be Connected` | vm0 | nic0 |
        """
        from DtsVirtLibrary.vm.states import require_connected

        context = self._context
        context.run(require_connected(context.machine(vm), nic))

    @keyword(name="Wait Until VM NIC Is Connected", tags=("VM", "Wait", "Network"))
    def wait_until_vm_nic_is_connected(
        self, vm: str, nic: str, *, timeout: timedelta = WAIT
    ) -> None:
        """Waits until the vhost-user back end of a network card is (again) connected.

        It comes back where QEMU is the server (``opt_server=yes``), or reconnects by itself
        (``opt_reconnect=1``, in seconds).

        | `Wait Until VM NIC Is Connected` | vm0 | nic0 | timeout=10 s |
        """
        self._wait_for_backend(vm, nic, connected=True, timeout=timeout)

    @keyword(name="Wait Until VM NIC Is Disconnected", tags=("VM", "Wait", "Network"))
    def wait_until_vm_nic_is_disconnected(
        self, vm: str, nic: str, *, timeout: timedelta = WAIT
    ) -> None:
        """Waits until the vhost-user back end of a network card is gone.

        | `Wait Until VM NIC Is Disconnected` | vm0 | nic0 | timeout=10 s |
        """
        self._wait_for_backend(vm, nic, connected=False, timeout=timeout)

    def _wait_for_backend(self, vm: str, nic: str, *, connected: bool, timeout: timedelta) -> None:
        from DtsVirtLibrary.vm.states import wait_for_backend

        context = self._context
        machine = context.machine(vm)
        seconds = timeout.total_seconds()
        context.run(wait_for_backend(machine, nic, connected=connected, seconds=seconds))
