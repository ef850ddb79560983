"""Which PCI address a device of QEMU has in the guest.

``query-pci`` reports what is in the devices' registers. The number of the bus behind a
bridge is written there by the firmware (SeaBIOS does it within 50 ms of the CPUs' start,
under ``-kernel`` too) or by the guest when a bridge is plugged in later. Until then it is
0, and QEMU leaves out whatever is behind the bridge: :func:`unnumbered_bridges` tells
which bridges those are, so that nobody takes "not yet" for "not there".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from DtsVirtLibrary.errors import ConfigError, VmStateError, nearest
from DtsVirtLibrary.results import PciFunction

NOTHING: Mapping[str, str] = {}


def pci_functions(
    query_pci_result: Sequence[Mapping[str, Any]],
    *,
    host_addresses: Mapping[str, str] = NOTHING,
) -> tuple[PciFunction, ...]:
    """Return every PCI function that QEMU reports, those behind bridges too, by address.

    :param query_pci_result: what QMP's ``query-pci`` returned.
    :param host_addresses: for passed-through devices, the host's address by QEMU's id.
    """
    functions = (_function(device, host_addresses) for device in _devices(query_pci_result))
    return tuple(sorted(functions, key=lambda function: function.address))


def unnumbered_bridges(query_pci_result: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the bridges whose bus has no number yet, by id, or by address without one."""
    return tuple(
        device["qdev_id"] or _address(device)
        for device in _devices(query_pci_result)
        if "pci_bridge" in device and device["pci_bridge"]["bus"]["secondary"] == 0
    )


def guest_address(
    functions: Iterable[PciFunction], name: str, *, unnumbered: Sequence[str] = ()
) -> str:
    """Return the guest's address of a device, ``0000:00:1f.0``.

    :param name: QEMU's id of the device, or its address on the host with or without domain.
    :param unnumbered: the bridges of :func:`unnumbered_bridges`.
    :raises ConfigError: there is no such device; the text lists the known ones.
    :raises VmStateError: the same, but it may be behind an unnumbered bridge.
    """
    functions = tuple(functions)
    hosts = {item.host: item.address for item in functions if item.host is not None}
    known = hosts | {item.id: item.address for item in functions if item.id}
    for key in (name, with_domain(name)):
        if key in known:
            return known[key]
    kind = VmStateError if unnumbered else ConfigError
    raise kind(_unknown(name, known, unnumbered))


def with_domain(address: str) -> str:
    """Return a PCI address in small letters and with its domain, ``0000:`` if it has none."""
    return (address if address.count(":") == 2 else f"0000:{address}").lower()


def _unknown(name: str, known: Mapping[str, str], unnumbered: Sequence[str]) -> str:
    lines = [f"no PCI device of the guest has the id or host address '{name}'."]
    if hint := nearest(name, known):
        lines[0] += hint
    if unnumbered:
        lines.append(
            f"The buses behind {', '.join(unnumbered)} have no number yet, and what is there has "
            "no address: the firmware has not run, or the guest has not seen a new bridge. "
            "Ask again when the guest is up."
        )
    listed = ", ".join(f"{key} ({address})" for key, address in known.items())
    lines.append(f"Known are: {listed or 'none; give the device an id'}.")
    return "\n".join(lines)


def _devices(buses: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for bus in buses:
        for device in bus.get("devices", ()):
            yield device
            if "pci_bridge" in device:
                yield from _devices([device["pci_bridge"]])


def _function(device: Mapping[str, Any], host_addresses: Mapping[str, str]) -> PciFunction:
    identity, class_info = device["id"], device["class_info"]
    host = host_addresses.get(device["qdev_id"])
    return PciFunction(
        address=_address(device),
        id=device["qdev_id"],
        vendor_device=f"{identity['vendor']:04x}:{identity['device']:04x}",
        # QEMU has no words for some classes, such as virtio's own.
        class_name=class_info.get("desc", f"Class {class_info['class']:04x}"),
        host=None if host is None else with_domain(host),
    )


def _address(device: Mapping[str, Any]) -> str:
    # QEMU's PCI machines have one domain.
    return f"0000:{device['bus']:02x}:{device['slot']:02x}.{device['function']:x}"
