"""``-blockdev`` and the device of every disk, and the flash of the firmware."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from DtsVirtLibrary.qemu import names
from DtsVirtLibrary.qemu.command_line.options import Option, Values, pairs
from DtsVirtLibrary.qemu.command_line.plan import Plan
from DtsVirtLibrary.qemu.command_line.slots import Claim
from DtsVirtLibrary.spec import Disk, VmSpec

INTERFACES = ("virtio", "ide", "scsi", "none")
MEDIA = ("disk", "cdrom")
# QEMU's names of block nodes have at most 31 characters; ours end in "-file".
LONGEST_ID = 26


def boots_from_disk(spec: VmSpec) -> bool:
    """Tell whether the firmware looks for something to boot."""
    return spec.boot.guest is None and spec.boot.kernel is None


def overlay_command(program: str, disk: Disk, base: str, overlay: str) -> tuple[str, ...]:
    """Return the command that makes the throw-away overlay of a disk.

    :param program: the qemu-img to use.
    :param base: absolute path of the image; the overlay looks for it from its own directory.
    """
    return (
        *(program, "create", "-q", "-f", "qcow2", "-F", disk.format),
        *("-b", base, overlay),
    )


def flatten_commands(
    program: str, disk: Disk, base: str, overlay: str, target: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the commands that make one overlay of a chain of them.

    ``qemu-img convert -B`` would do it in one, but takes only the uppermost of the chain.

    :param base: absolute path of the image below them all.
    :param overlay: the uppermost one, which nobody writes to now.
    """
    return (
        overlay_command(program, replace(disk, format="qcow2"), overlay, target),
        (
            *(program, "rebase", "-q", "-f", "qcow2"),
            *("-b", base, "-F", disk.format, target),
        ),
    )


def disk_claims(spec: VmSpec) -> list[Claim]:
    """Return the PCI devices of the disks; IDE and SCSI ones sit behind a controller."""
    return [
        Claim(disk.id or "", "virtio-blk-pci", origin=disk.origin)
        for disk in spec.disks
        if disk.interface == "virtio"
    ]


def has_scsi(spec: VmSpec) -> bool:
    """Tell whether the VM needs a SCSI controller."""
    return any(disk.interface == "scsi" for disk in spec.disks)


def disk_options(plan: Plan) -> list[Option]:
    """Return the options of all disks.

    :raises ConfigError: a format, interface or medium is not known, or no connector is left.
    """
    boot_order = _boot_order(plan.spec) if boots_from_disk(plan.spec) else {}
    connectors = _ide_connectors(plan)
    options: list[Option] = []
    for disk in plan.spec.disks:
        _check(plan, disk)
        options += block_options(plan, disk)
        if disk.interface != "none":
            place = connectors.get(disk.id or "", {})
            options.append(disk_device(plan, disk, {**place, "bootindex": boot_order.get(disk.id)}))
    return options


def block_options(plan: Plan, disk: Disk) -> list[Option]:
    """Return the file and the format of a disk as two nodes, the upper one named as its id."""
    overlay, read_only = disk.overlay, disk.media == "cdrom" and not disk.overlay
    path = plan.placement.overlay(disk.id or "") if overlay else plan.path(disk.file)
    file: Values = {
        "node-name": f"{disk.id}-file",
        "filename": path,
        "read-only": True if read_only else None,
        # An overlay is thrown away, so nothing needs to reach the platters.
        "cache.no-flush": True if overlay else None,
    }
    upper: Values = {
        "node-name": disk.id,
        "file": f"{disk.id}-file",
        "read-only": True if read_only else None,
    }
    driver = "host_device" if is_block_device(path) else "file"
    return [
        pairs("-blockdev", None, {"driver": driver, **file}),
        pairs("-blockdev", None, {"driver": "qcow2" if overlay else disk.format, **upper}),
    ]


def is_block_device(path: str) -> bool:
    """Tell whether a path is one of a device of the host; /dev/shm holds plain files."""
    return path.startswith("/dev/") and not path.startswith("/dev/shm/")


def disk_device(plan: Plan, disk: Disk, place: Values) -> Option:
    """Return the device of a disk at a place: its bus, unit and boot order."""
    cdrom = disk.media == "cdrom"
    driver = {
        "virtio": "virtio-blk-pci",
        "ide": "ide-cd" if cdrom else "ide-hd",
        "scsi": "scsi-cd" if cdrom else "scsi-hd",
    }[disk.interface]
    if cdrom and disk.interface == "virtio":
        plan.note(f"disk '{disk.id}': a CD-ROM on virtio is a read-only disk")
    bus = f"{names.SCSI_CONTROLLER}.0" if disk.interface == "scsi" else None
    values = {
        "id": disk.id,
        "drive": disk.id,
        "bus": bus,
        "addr": plan.addresses.get(disk.id or ""),
    }
    return pairs("-device", driver, {**values, **place})


def flash_options(plan: Plan) -> Iterator[Option]:
    """Yield the firmware's flash files: code, which is not written to, then variables."""
    for number, path in enumerate(plan.spec.boot.pflash):
        node, read_only = f"pflash{number}", number == 0
        values: Values = {
            "driver": "file",
            "node-name": f"{node}-file",
            "filename": plan.path(path),
            "read-only": read_only,
        }
        yield pairs("-blockdev", None, values)
        upper = {"driver": "raw", "node-name": node, "file": f"{node}-file"}
        yield pairs("-blockdev", None, {**upper, "read-only": read_only})


def _check(plan: Plan, disk: Disk) -> None:
    for word, value, known in (
        ("interface", disk.interface, INTERFACES),
        ("medium", disk.media, MEDIA),
    ):
        if value not in known:
            raise plan.refusal(
                disk.origin,
                f"disk '{disk.id}' has {word} '{value}'. Allowed: {', '.join(known)}",
            )
    if len(disk.id or "") > LONGEST_ID:
        raise plan.refusal(
            disk.origin, f"the disk id '{disk.id}' has more than {LONGEST_ID} characters"
        )


def _boot_order(spec: VmSpec) -> dict[str | None, int]:
    """Order the disks by index, those without one by their position."""
    bootable = [disk for disk in spec.disks if disk.interface != "none"]
    ranks = [
        (disk.index if disk.index is not None else position, position, disk.id)
        for position, disk in enumerate(bootable)
    ]
    return {name: rank for rank, (_, _, name) in enumerate(sorted(ranks, key=lambda r: r[:2]))}


def _ide_connectors(plan: Plan) -> dict[str, dict[str, str | int]]:
    """Give every IDE disk the connector of its index, else the first free one."""
    units = plan.family.ide_units
    disks = [disk for disk in plan.spec.disks if disk.interface == "ide"]
    taken: dict[int, Disk] = {}
    for disk in [d for d in disks if d.index is not None] + [d for d in disks if d.index is None]:
        free = [number for number in range(len(units)) if number not in taken]
        wanted = disk.index if disk.index is not None else next(iter(free), len(units))
        if wanted not in free:
            held = f"; '{taken[wanted].id}' has it" if wanted in taken else ""
            raise plan.refusal(
                disk.origin,
                f"disk '{disk.id}' cannot have IDE connector {wanted}{held}. Machine "
                f"{plan.family.alias} has {len(units)}, numbered from 0; free: {free or 'none'}. "
                "Use another index or the interface virtio.",
            )
        taken[wanted] = disk
    return {
        disk.id or "": {"bus": units[number][0], "unit": units[number][1]}
        for number, disk in taken.items()
    }
