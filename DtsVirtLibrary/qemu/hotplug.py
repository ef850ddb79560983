"""Plugging devices into a running QEMU, and unplugging them.

The options are those of the command line, so a device that is plugged in is the one that
the same words would have made at the start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from DtsVirtLibrary.errors import (
    BackendError,
    ConfigError,
    Evidence,
    HostError,
    MonitorCommandError,
    MonitorError,
    VmStateError,
    WaitTimeout,
    nearest,
)
from DtsVirtLibrary.host import pci
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.qemu import names, preflight
from DtsVirtLibrary.qemu.cmdline import make_plan
from DtsVirtLibrary.qemu.devices import device_options
from DtsVirtLibrary.qemu.hotplug_facts import (
    free_port,
    host_facts,
    peripherals,
    require_shared_memory,
    wait_connected,
)
from DtsVirtLibrary.qemu.identity import identified
from DtsVirtLibrary.qemu.options import Option, pairs
from DtsVirtLibrary.qemu.plan import Plan
from DtsVirtLibrary.qemu.qmp_options import Command, add_command, remove_command
from DtsVirtLibrary.qemu.resources import StartResources, tap_names
from DtsVirtLibrary.qemu.storage import block_options, disk_device, has_scsi
from DtsVirtLibrary.spec import Device, Disk, HostPciDevice, Nic, VhostUserBackend, VmSpec

if TYPE_CHECKING:
    from DtsVirtLibrary.qemu.instance import QemuInstance

MONITOR_TIMEOUT = 10.0
# A back end that is started in the same test is a matter of moments.
CONNECT_SECONDS = 30.0
PLUGGABLE_DISKS = ("virtio", "scsi")
# QEMU lets go of a back end a moment after its device is gone, and tells nobody.
BUSY_PAUSE = 0.02
UNPLUG_EVENTS = ("DEVICE_DELETED", "DEVICE_UNPLUG_GUEST_ERROR")


async def plug(instance: QemuInstance, device: Device | Disk) -> str:
    """Plug a device with its back end into the running VM and return its id.

    Without an id it becomes ``plug0``, ``plug1``, ... If a step fails, what was added
    before is taken away.

    :raises ConfigError: the binary has no such device, or its id, MAC or place is taken.
    :raises BackendError: nobody serves a vhost-user back end.
    :raises HostError: the host lacks what the device needs.
    :raises VmStateError: the VM has no place for it, or no shared memory for vhost-user.
    :raises MonitorCommandError: QEMU refused it.
    """
    before = identified(instance.spec)
    named = await _named(instance, device)
    after = _with(before, named)
    await _check(instance, named)
    plan = await _plan(instance, after)
    # The plan has given a card its MAC.
    named = _find(plan.spec, named.id or "") or named
    options = await _options(instance, plan, named)
    taken = StartResources(instance.host)
    try:
        await taken.prepare(_only(plan.spec, named), plan.placement)
        await _add_all(instance, plan, named, options)
    except BaseException:
        await asyncio.shield(taken.give_back())
        raise
    instance.plugged[named.id or ""] = taken
    instance.spec = plan.spec
    instance.notes += [note for note in plan.notes if note not in instance.notes]
    return named.id or ""


async def unplug(instance: QemuInstance, device_id: str, deadline: Deadline) -> None:
    """Unplug a device by its id, wait until the guest has let it go, remove its back end.

    :raises ConfigError: there is no such device, or it is one of the library's own.
    :raises WaitTimeout: the guest did not let it go in time.
    :raises VmStateError: the guest refused, or its place takes no unplugging.
    """
    spec = identified(instance.spec)
    device = _find(spec, device_id)
    there = await _require_ours(instance, device_id, known=device is not None)
    if there:
        await _delete_device(instance, device_id, deadline)
    if device is not None:
        plan = await _plan(instance, spec)
        for option in reversed(_backends(plan, device)):
            await _remove_backend(instance, option, deadline)
        instance.spec = _without(spec, device_id)
    if taken := instance.plugged.pop(device_id, None):
        await taken.give_back()


async def _named(instance: QemuInstance, device: Device | Disk) -> Device | Disk:
    there = await peripherals(instance.monitor)
    if device.id is None:
        number = 0
        while f"plug{number}" in there:
            number += 1
        return replace(device, id=f"plug{number}")
    if device.id in there:
        raise ConfigError(
            f"VM '{instance.spec.name}' has a device '{device.id}' already; give another id."
        )
    return device


async def _check(instance: QemuInstance, device: Device | Disk) -> None:
    """Refuse what the host does not have, before anything is made."""
    vm = instance.spec.name
    if isinstance(device, Disk):
        if device.interface not in PLUGGABLE_DISKS:
            raise VmStateError(
                f"VM '{vm}': a disk with interface '{device.interface}' cannot be plugged into a "
                f"running VM. Allowed: {', '.join(PLUGGABLE_DISKS)}"
            )
        if device.interface == "scsi" and not has_scsi(instance.spec):
            raise VmStateError(
                f"VM '{vm}' was started without a SCSI controller. Use interface virtio, or give "
                "the VM one SCSI disk before its start."
            )
        await preflight.check(instance.host, VmSpec(vm, disks=(device,)))
    elif isinstance(device, HostPciDevice):
        await pci.require_viable(instance.host, device.host)
    elif isinstance(device, Nic) and isinstance(device.backend, VhostUserBackend):
        await require_shared_memory(instance.monitor, vm)


async def _plan(instance: QemuInstance, spec: VmSpec) -> Plan:
    binary, host = await host_facts(instance)
    taps = {**tap_names(spec), **instance.placement.taps}
    return make_plan(spec, binary, host, replace(instance.placement, taps=taps))


async def _options(instance: QemuInstance, plan: Plan, device: Device | Disk) -> list[Option]:
    """Return the options of the device, back ends first, the device itself last and placed."""
    *backends, last = _unplaced(plan, device)
    return [*backends, await _placed(instance, plan, last, _wants_place(device))]


def _unplaced(plan: Plan, device: Device | Disk) -> list[Option]:
    if isinstance(device, Disk):
        return [*block_options(plan, device), disk_device(plan, device, {})]
    return device_options(plan, device)


def _backends(plan: Plan, device: Device | Disk) -> list[Option]:
    return _unplaced(plan, device)[:-1]


def _wants_place(device: Device | Disk) -> bool:
    """Whether the tester said where the device is to be."""
    if isinstance(device, (Nic, HostPciDevice)):
        return bool(device.bus or device.address)
    properties = getattr(device, "properties", {})
    return bool({"bus", "addr"} & set(properties))


async def _placed(instance: QemuInstance, plan: Plan, option: Option, wanted: bool) -> Option:
    """Put a PCI device behind a free root port, or where QEMU finds room on the root bus.

    The plan's own choice of slot does not know what the tester has plugged by hand.
    """
    if wanted or option.first not in plan.binary.pci_devices:
        return option
    values = {name: value for name, value in option.pairs or () if name != "addr"}
    port = await free_port(instance.monitor, instance.spec.name)
    return pairs(option.name, option.first, {**values, "bus": port or plan.family.root_bus})


async def _add_all(
    instance: QemuInstance, plan: Plan, device: Device | Disk, options: Sequence[Option]
) -> None:
    added: list[Option] = []
    try:
        for option in options:
            await _add(instance, plan, device, option)
            added.append(option)
            if option.name == "-chardev":
                deadline = Deadline(CONNECT_SECONDS)
                name, path = option.get("id") or "", option.get("path") or ""
                await wait_connected(instance.monitor, instance.spec.name, name, path, deadline)
    except BaseException:
        await asyncio.shield(_take_away(instance, added))
        raise


async def _add(instance: QemuInstance, plan: Plan, device: Device | Disk, option: Option) -> None:
    vm = instance.spec.name
    try:
        await _run(instance, add_command(option, plan.binary))
    except MonitorCommandError as error:
        if option.name == "-chardev":
            raise BackendError(
                f"VM '{vm}': QEMU cannot reach the vhost-user back end of '{device.id}' at "
                f"'{option.get('path')}': {error.summary}\nStart the back end (the switch) "
                "first, or let QEMU be the server (opt_server=server)."
            ) from error
        if "does not support hotplugging" in error.summary:
            raise VmStateError(
                f"VM '{vm}': '{device.id}' cannot be plugged in where it was asked for: "
                f"{error.summary}\nLeave bus and address out to have a free place chosen."
            ) from error
        raise


async def _take_away(instance: QemuInstance, added: Sequence[Option]) -> None:
    for option in reversed(added):
        with suppress(MonitorError):
            await _run(instance, remove_command(option))


async def _remove_backend(instance: QemuInstance, option: Option, deadline: Deadline) -> None:
    while True:
        try:
            await _run(instance, remove_command(option))
        except MonitorCommandError as error:
            # A vhost-user netdev takes its character device along.
            if "not found" in error.summary:
                break
            if "in use" not in error.summary or deadline.expired:
                raise
        else:
            break
        await asyncio.sleep(deadline.at_most(BUSY_PAUSE))


async def _run(instance: QemuInstance, command: Command) -> None:
    await instance.monitor.execute(command.name, command.arguments, timeout=MONITOR_TIMEOUT)


async def _require_ours(instance: QemuInstance, device_id: str, *, known: bool) -> bool:
    """Return whether QEMU still has the device.

    It may be gone already, if the guest let go of it after an earlier try gave up.
    """
    there = await peripherals(instance.monitor)
    own = names.RESERVED - {names.CONTROL_NIC}
    candidates = sorted(there - own)
    if device_id in own & there:
        raise ConfigError(
            f"VM '{instance.spec.name}': '{device_id}' belongs to the library and stays. "
            f"Can be unplugged: {', '.join(candidates) or 'none'}."
        )
    if device_id not in there and not known:
        raise ConfigError(
            f"VM '{instance.spec.name}' has no device '{device_id}'."
            f"{nearest(device_id, candidates)} "
            f"Can be unplugged: {', '.join(candidates) or 'none'}."
        )
    return device_id in there


async def _delete_device(instance: QemuInstance, device_id: str, deadline: Deadline) -> None:
    vm, monitor = instance.spec.name, instance.monitor
    mark = monitor.mark()
    try:
        await _run(instance, Command("device_del", {"id": device_id}))
    except MonitorCommandError as error:
        # An earlier try that the guest has not answered yet: go on waiting for it.
        if "already in the process of unplug" not in error.summary:
            raise VmStateError(
                f"VM '{vm}': '{device_id}' cannot be unplugged: {error.summary}"
            ) from error
    try:
        await _wait_deleted(instance, device_id, mark, deadline)
    except WaitTimeout as error:
        raise await _not_let_go(instance, device_id, deadline) from error


async def _wait_deleted(
    instance: QemuInstance, device_id: str, start: float, deadline: Deadline
) -> None:
    """Return when the device is gone.

    A reset of the machine also takes away what was to be unplugged. QEMU then sends the
    device's event late, perhaps when another device has its id, so the event alone is no
    proof.
    """
    monitor, mark = instance.monitor, start
    while True:
        event = await monitor.wait_for_event(
            (*UNPLUG_EVENTS, "RESET"),
            deadline=deadline,
            since=mark,
            match=lambda event: event.name == "RESET" or event.data.get("device") == device_id,
        )
        if event.name == "DEVICE_UNPLUG_GUEST_ERROR":
            vm = instance.spec.name
            raise VmStateError(f"VM '{vm}': the guest refused to let go of '{device_id}'.")
        mark = monitor.mark()
        if device_id not in await peripherals(monitor):
            return


async def _not_let_go(instance: QemuInstance, device_id: str, deadline: Deadline) -> WaitTimeout:
    state = "unknown"
    with suppress(MonitorError, HostError):
        state = await instance.status()
    hint = (
        "Its kernel must have booted, with ACPI hot plug on pc (acpiphp) and PCIe hot plug on "
        "q35 (pciehp), and nothing in it may hold the device (a DPDK application, a mount)."
        if state == "running"
        else f"The VM is {state}; only a running guest can let go of a device."
    )
    return WaitTimeout(
        f"VM '{instance.spec.name}': the guest did not let go of '{device_id}' within "
        f"{deadline.elapsed:.1f} s. {hint}",
        Evidence(vm=instance.spec.name, action="Remove VM Device", waited=deadline.elapsed),
    )


def _with(spec: VmSpec, device: Device | Disk) -> VmSpec:
    if isinstance(device, Disk):
        return replace(spec, disks=(*spec.disks, device))
    return replace(spec, devices=(*spec.devices, device))


def _without(spec: VmSpec, device_id: str) -> VmSpec:
    return replace(
        spec,
        disks=tuple(item for item in spec.disks if item.id != device_id),
        devices=tuple(item for item in spec.devices if item.id != device_id),
    )


def _only(spec: VmSpec, device: Device | Disk) -> VmSpec:
    return _with(replace(spec, disks=(), devices=()), device)


def _find(spec: VmSpec, device_id: str) -> Device | Disk | None:
    return next((item for item in (*spec.disks, *spec.devices) if item.id == device_id), None)
