"""Plugging devices into a running QEMU, and unplugging them.

The options are those of the command line, so a device that is plugged in is the one that
the same words would have made at the start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from DtsVirtLibrary.errors import (
    BackendError,
    ConfigError,
    DtsVirtError,
    MonitorCommandError,
    MonitorError,
    MonitorTimeout,
    VmStateError,
)
from DtsVirtLibrary.host import pci
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.qemu.command_line.build import make_plan
from DtsVirtLibrary.qemu.command_line.devices import device_options
from DtsVirtLibrary.qemu.command_line.identity import identified
from DtsVirtLibrary.qemu.command_line.options import Option, pairs
from DtsVirtLibrary.qemu.command_line.plan import Plan
from DtsVirtLibrary.qemu.command_line.storage import block_options, disk_device, has_scsi
from DtsVirtLibrary.qemu.hotplug.facts import (
    free_port,
    free_slot,
    host_facts,
    peripherals,
    require_shared_memory,
    wait_connected,
)
from DtsVirtLibrary.qemu.hotplug.qmp_options import Command, add_command, remove_command
from DtsVirtLibrary.qemu.hotplug.unplugging import delete_device, require_ours
from DtsVirtLibrary.qemu.running.qemu import RunningQemu
from DtsVirtLibrary.qemu.start import preflight
from DtsVirtLibrary.qemu.start.images import ImageCheck
from DtsVirtLibrary.qemu.start.resources import StartResources, tap_names
from DtsVirtLibrary.spec import Device, Disk, HostPciDevice, Nic, VhostUserBackend, VmSpec

# A back end that is started in the same test is a matter of moments.
CONNECT_SECONDS = 30.0
PLUGGABLE_DISKS = ("virtio", "scsi")
# QEMU lets go of a back end a moment after its device is gone, and tells nobody.
BUSY_PAUSE = 0.02
BUSY_PATIENCE = 0.5


async def plug(qemu: RunningQemu, device: Device | Disk) -> str:
    """Plug a device with its back end into the running VM and return its id.

    Without an id it becomes ``plug0``, ``plug1``, ... If a step fails, what was added
    before is taken away.

    :raises ConfigError: the binary has no such device, or its id, MAC or place is taken.
    :raises BackendError: nobody serves a vhost-user back end.
    :raises HostError: the host lacks what the device needs.
    :raises VmStateError: the VM has no place for it, or no shared memory for vhost-user.
    :raises MonitorCommandError: QEMU refused it.
    """
    before = identified(qemu.spec)
    named = await _named(qemu, device)
    after = _with(before, named)
    await _check(qemu, named)
    plan = await _plan(qemu, after)
    # The plan has given a card its MAC.
    named = _find(plan.spec, named.id or "") or named
    options = await _options(qemu, plan, named)
    taken = StartResources(qemu.host, qemu.account)
    try:
        await taken.prepare(_only(plan.spec, named), plan.placement)
        await _add_all(qemu, plan, named, options)
    except BaseException:
        await asyncio.shield(taken.give_back())
        raise
    qemu.plugged[named.id or ""] = taken
    qemu.spec = plan.spec
    qemu.notes += [note for note in plan.notes if note not in qemu.notes]
    return named.id or ""


async def unplug(qemu: RunningQemu, device_id: str, deadline: Deadline) -> None:
    """Unplug a device by its id, wait until the guest has let it go, remove its back end.

    :raises ConfigError: there is no such device, or it is one of the library's own.
    :raises WaitTimeout: the guest did not let it go in time.
    :raises VmStateError: the guest refused, or its place takes no unplugging.
    """
    spec = identified(qemu.spec)
    device = _find(spec, device_id)
    there = await require_ours(qemu, device_id, known=device is not None)
    if there:
        await delete_device(qemu, device_id, deadline)
    if device is not None:
        plan = await _plan(qemu, spec)
        for option in reversed(_backends(plan, device)):
            await _remove_backend(qemu, option, deadline)
        qemu.spec = _without(spec, device_id)
    if taken := qemu.plugged.pop(device_id, None):
        await taken.give_back()


async def _named(qemu: RunningQemu, device: Device | Disk) -> Device | Disk:
    there = await peripherals(qemu.monitor)
    if device.id is None:
        number = 0
        while f"plug{number}" in there:
            number += 1
        return replace(device, id=f"plug{number}")
    if device.id in there:
        raise ConfigError(
            f"VM '{qemu.spec.name}' has a device '{device.id}' already; give another id."
        )
    return device


async def _check(qemu: RunningQemu, device: Device | Disk) -> None:
    """Refuse what the host does not have, before anything is made."""
    vm = qemu.spec.name
    if isinstance(device, Disk):
        if device.interface not in PLUGGABLE_DISKS:
            raise VmStateError(
                f"VM '{vm}': a disk with interface '{device.interface}' cannot be plugged into a "
                f"running VM. Allowed: {', '.join(PLUGGABLE_DISKS)}"
            )
        if device.interface == "scsi" and not has_scsi(qemu.spec):
            raise VmStateError(
                f"VM '{vm}' was started without a SCSI controller. Use interface virtio, or give "
                "the VM one SCSI disk before its start."
            )
        await preflight.check(qemu.host, VmSpec(vm, disks=(device,)), ImageCheck(qemu.host))
    elif isinstance(device, HostPciDevice):
        await pci.require_viable(qemu.host, device.host)
    elif isinstance(device, Nic) and isinstance(device.backend, VhostUserBackend):
        await require_shared_memory(qemu.monitor, vm)


async def _plan(qemu: RunningQemu, spec: VmSpec) -> Plan:
    binary, host = await host_facts(qemu)
    taps = {**tap_names(spec), **qemu.placement.taps}
    return make_plan(spec, binary, host, replace(qemu.placement, taps=taps))


async def _options(qemu: RunningQemu, plan: Plan, device: Device | Disk) -> list[Option]:
    """Return the options of the device, back ends first, the device itself last and placed."""
    *backends, last = _unplaced(plan, device)
    return [*backends, await _placed(qemu, plan, last, _wants_place(device))]


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


async def _placed(qemu: RunningQemu, plan: Plan, option: Option, wanted: bool) -> Option:
    """Put a PCI device behind a free root port, or into a free slot of the root bus.

    The plan's own choice of slot does not know what the tester has plugged by hand.
    """
    if wanted or option.first not in plan.binary.pci_devices:
        return option
    values = {name: value for name, value in option.pairs or () if name != "addr"}
    monitor, vm = qemu.monitor, qemu.spec.name
    if port := await free_port(monitor, vm):
        return pairs(option.name, option.first, {**values, "bus": port})
    place = {"bus": plan.family.root_bus, "addr": await free_slot(monitor, vm)}
    return pairs(option.name, option.first, {**values, **place})


async def _add_all(
    qemu: RunningQemu, plan: Plan, device: Device | Disk, options: Sequence[Option]
) -> None:
    added: list[Option] = []
    try:
        for option in options:
            try:
                await _run(qemu, add_command(option, plan.binary))
            except MonitorCommandError as error:
                if explained := _explained(qemu, device, option, error):
                    raise explained from error
                raise
            except BaseException as error:
                # It was sent and may yet be done.
                added.append(option)
                if isinstance(error, MonitorTimeout) and option.first == "vhost-user":
                    raise _silent(qemu, device) from error
                raise
            added.append(option)
            if option.name == "-chardev":
                await _wait_for_backend(qemu, option)
    except BaseException:
        await asyncio.shield(_take_away(qemu, added))
        raise


async def _wait_for_backend(qemu: RunningQemu, chardev: Option) -> None:
    name, path = chardev.get("id") or "", chardev.get("path") or ""
    deadline = Deadline(CONNECT_SECONDS)
    await wait_connected(qemu.monitor, qemu.spec.name, name, path, deadline)


def _explained(
    qemu: RunningQemu, device: Device | Disk, option: Option, error: MonitorCommandError
) -> DtsVirtError | None:
    """Return the error that says what to do about a refusal, where that is known."""
    vm = qemu.spec.name
    if option.name == "-chardev":
        return BackendError(
            f"VM '{vm}': QEMU cannot reach the vhost-user back end of '{device.id}' at "
            f"'{option.get('path')}': {error.summary}\nStart the back end (the switch) "
            "first, or let QEMU be the server (opt_server=yes)."
        )
    if "does not support hotplugging" in error.summary:
        return VmStateError(
            f"VM '{vm}': '{device.id}' cannot be plugged in where it was asked for: "
            f"{error.summary}\nLeave bus and address out to have a free place chosen."
        )
    return None


def _silent(qemu: RunningQemu, device: Device | Disk) -> BackendError:
    return BackendError(
        f"VM '{qemu.spec.name}': the vhost-user back end of '{device.id}' took the connection "
        f"but did not answer within {qemu.monitor.answer_seconds:.0f} s, and QEMU hangs until "
        "it does. "
        "End the back end, and Kill VM if QEMU does not come back."
    )


async def _take_away(qemu: RunningQemu, added: Sequence[Option]) -> None:
    for option in reversed(added):
        with suppress(MonitorError):
            await _run(qemu, remove_command(option))


async def _remove_backend(qemu: RunningQemu, option: Option, deadline: Deadline) -> None:
    patience, interrupted = Deadline(BUSY_PATIENCE), False
    while True:
        try:
            await _run(qemu, remove_command(option))
        except MonitorCommandError as error:
            # A vhost-user netdev takes its character device along.
            if "not found" in error.summary:
                break
            if "in use" not in error.summary or deadline.expired:
                raise
            if patience.expired and not interrupted:
                await _interrupt(qemu)
                interrupted = True
        else:
            break
        await asyncio.sleep(deadline.at_most(BUSY_PAUSE))


async def _interrupt(qemu: RunningQemu) -> None:
    """Let the virtual processors leave the guest's code for a moment.

    QEMU frees a deleted device when each of them has left it once (RCU). Under TCG one that
    spins with no interrupt coming, as in firmware that found nothing to boot, never does.
    """
    if await qemu.status() == "running":
        try:
            await qemu.pause()
        finally:
            await asyncio.shield(qemu.resume())


async def _run(qemu: RunningQemu, command: Command) -> None:
    await qemu.monitor.execute(command.name, command.arguments)


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
