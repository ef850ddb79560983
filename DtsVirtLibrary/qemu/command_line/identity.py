"""Every device of a VM gets an id, and every network card a MAC, before anything is made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

from DtsVirtLibrary.mac import mac_of
from DtsVirtLibrary.qemu import names
from DtsVirtLibrary.spec import Device, Nic, OtherDevice, VmSpec


def identified(spec: VmSpec) -> VmSpec:
    """Return the specification with no id and no MAC left open.

    Ids that are missing become ``nic0``, ``disk0``, ``device0``, ... by order; MACs are
    derived from the VM's name and the card's id. A VM of a run has been given its own by
    then, which other runs do not have; these are for a command line that is only shown.
    Doing it twice changes nothing.
    """
    taken = {item.id for item in (*spec.disks, *spec.devices) if item.id is not None}
    nics, disks, others = (_free(kind, taken) for kind in ("nic", "disk", "device"))
    return replace(
        spec,
        disks=tuple(disk if disk.id else replace(disk, id=next(disks)) for disk in spec.disks),
        devices=tuple(_named(device, spec, nics, others) for device in spec.devices),
    )


def netdev_id(nic: Nic) -> str:
    """Return the id of the card's back end; the card must have its own id already."""
    if nic.netdev is not None:
        return nic.netdev
    return names.CONTROL_NETDEV if nic.control else f"{nic.id}-net"


def chardev_id(device: Any) -> str:
    """Return the id of the character device behind a vhost-user device."""
    return f"{device.id}-chardev"


def _named(device: Device, spec: VmSpec, nics: Iterator[str], others: Iterator[str]) -> Device:
    if isinstance(device, OtherDevice):
        return device if device.id else replace(device, id=next(others))
    if not isinstance(device, Nic):
        return device
    identifier = device.id or (names.CONTROL_NIC if device.control else next(nics))
    mac = device.mac or mac_of(f"{spec.name}/{identifier}")
    return replace(device, id=identifier, mac=mac.lower())


def _free(kind: str, taken: set[str]) -> Iterator[str]:
    return (name for name in (f"{kind}{number}" for number in count()) if name not in taken)
