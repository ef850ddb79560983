"""Making a guest let go of a device."""

from __future__ import annotations

from contextlib import suppress

from DtsVirtLibrary.errors import (
    ConfigError,
    Evidence,
    HostError,
    MonitorCommandError,
    MonitorError,
    VmStateError,
    WaitTimeout,
    nearest,
)
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.qemu import names
from DtsVirtLibrary.qemu.hotplug.facts import peripherals
from DtsVirtLibrary.qemu.running.qemu import RunningQemu

UNPLUG_EVENTS = ("DEVICE_DELETED", "DEVICE_UNPLUG_GUEST_ERROR")


async def require_ours(qemu: RunningQemu, device_id: str, *, known: bool) -> bool:
    """Return whether QEMU still has the device.

    It may be gone already, if the guest let go of it after an earlier try gave up.

    :param known: the specification has it.
    :raises ConfigError: neither has it, or it is one of the library's own.
    """
    there = await peripherals(qemu.monitor)
    own = names.RESERVED - {names.CONTROL_NIC}
    candidates = sorted(there - own)
    if device_id in own & there:
        raise ConfigError(
            f"VM '{qemu.spec.name}': '{device_id}' belongs to the library and stays. "
            f"Can be unplugged: {', '.join(candidates) or 'none'}."
        )
    if device_id not in there and not known:
        raise ConfigError(
            f"VM '{qemu.spec.name}' has no device '{device_id}'."
            f"{nearest(device_id, candidates)} "
            f"Can be unplugged: {', '.join(candidates) or 'none'}."
        )
    return device_id in there


async def delete_device(qemu: RunningQemu, device_id: str, deadline: Deadline) -> None:
    """Ask the guest to let go of a device, and wait until it has.

    :raises WaitTimeout: it did not in time.
    :raises VmStateError: it refused, or the device's place takes no unplugging.
    """
    vm, monitor = qemu.spec.name, qemu.monitor
    mark = monitor.mark()
    try:
        await monitor.execute("device_del", {"id": device_id})
    except MonitorCommandError as error:
        # An earlier try that the guest has not answered yet: go on waiting for it.
        if "already in the process of unplug" not in error.summary:
            raise VmStateError(
                f"VM '{vm}': '{device_id}' cannot be unplugged: {error.summary}"
            ) from error
    try:
        await _wait_deleted(qemu, device_id, mark, deadline)
    except WaitTimeout as error:
        raise await _not_let_go(qemu, device_id, deadline) from error


async def _wait_deleted(
    qemu: RunningQemu, device_id: str, start: float, deadline: Deadline
) -> None:
    """Return when the device is gone.

    A reset of the machine also takes away what was to be unplugged. QEMU then sends the
    device's event late, perhaps when another device has its id, so the event alone is no
    proof.
    """
    monitor, mark = qemu.monitor, start
    while True:
        event = await monitor.wait_for_event(
            (*UNPLUG_EVENTS, "RESET"),
            deadline=deadline,
            since=mark,
            match=lambda event: event.name == "RESET" or event.data.get("device") == device_id,
        )
        if event.name == "DEVICE_UNPLUG_GUEST_ERROR":
            vm = qemu.spec.name
            raise VmStateError(f"VM '{vm}': the guest refused to let go of '{device_id}'.")
        mark = monitor.mark()
        if device_id not in await peripherals(monitor):
            return


async def _not_let_go(qemu: RunningQemu, device_id: str, deadline: Deadline) -> WaitTimeout:
    state = "unknown"
    with suppress(MonitorError, HostError):
        state = await qemu.status()
    hint = (
        "Its kernel must have booted, with ACPI hot plug on pc (acpiphp) and PCIe hot plug on "
        "q35 (pciehp), and nothing in it may hold the device (a DPDK application, a mount)."
        if state == "running"
        else f"The VM is {state}; only a running guest can let go of a device."
    )
    return WaitTimeout(
        f"VM '{qemu.spec.name}': the guest did not let go of '{device_id}' within "
        f"{deadline.elapsed:.1f} s. {hint}",
        Evidence(vm=qemu.spec.name, action="Remove VM Device", waited=deadline.elapsed),
    )
