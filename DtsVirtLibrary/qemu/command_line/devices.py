"""The devices of a VM besides its disks, and the places they take on the PCI buses."""

from __future__ import annotations

import re
from collections.abc import Mapping

from DtsVirtLibrary.qemu import names
from DtsVirtLibrary.qemu.command_line.identity import chardev_id
from DtsVirtLibrary.qemu.command_line.networks import chardev_socket, nic_options
from DtsVirtLibrary.qemu.command_line.options import Option, pairs
from DtsVirtLibrary.qemu.command_line.plan import Plan
from DtsVirtLibrary.qemu.command_line.properties import (
    check_driver,
    check_properties,
    convert,
    is_pci,
)
from DtsVirtLibrary.qemu.command_line.slots import Claim
from DtsVirtLibrary.spec import CryptoDevice, Device, HostPciDevice, Nic, OtherDevice

_HOST_ADDRESS = re.compile(r"([0-9a-f]{4,}:)?[0-9a-f]{2}:[01][0-9a-f]\.[0-7]\Z", re.IGNORECASE)


def device_options(plan: Plan, device: Device) -> list[Option]:
    """Return the options of one device, back ends first.

    :raises ConfigError: the binary has no such device or property.
    """
    if isinstance(device, Nic):
        return nic_options(plan, device)
    if isinstance(device, HostPciDevice):
        return [_host_pci(plan, device)]
    if isinstance(device, CryptoDevice):
        return _crypto(plan, device)
    return [_other(plan, device)]


def device_claims(plan: Plan) -> list[Claim]:
    """Return the devices that want a place on a PCI bus."""
    claims = (_claim(plan, device) for device in plan.spec.devices)
    return [claim for claim in claims if is_pci(plan, claim.driver)]


def bus_names(plan: Plan) -> set[str]:
    """Return the ids of the devices that a further PCI bus may be behind."""
    return {device.id or "" for device in plan.spec.devices if isinstance(device, OtherDevice)}


def _claim(plan: Plan, device: Device) -> Claim:
    origin = device.origin
    if isinstance(device, Nic):
        driver = check_driver(plan, device.driver, origin)
        address = device.address
        if address is None and device.bus is None and device.control:
            address = f"{plan.family.places[names.CONTROL_NIC]:02x}"
        many = _is_multifunction(device.settings)
        return Claim(device.id or "", driver, address, device.bus, origin, many)
    if isinstance(device, HostPciDevice):
        many = _is_multifunction(device.settings)
        return Claim(device.id, "vfio-pci", device.address, device.bus, origin, many)
    if isinstance(device, CryptoDevice):
        return Claim(device.id, "virtio-crypto-pci", origin=origin)
    driver, given = check_driver(plan, device.driver, origin), device.properties
    many = _is_multifunction(given)
    return Claim(device.id or "", driver, given.get("addr"), given.get("bus"), origin, many)


def _is_multifunction(properties: Mapping[str, str]) -> bool:
    return convert("bool", properties.get("multifunction", "off")) == "on"


def _host_pci(plan: Plan, device: HostPciDevice) -> Option:
    driver = check_driver(plan, "vfio-pci", device.origin)
    if not _HOST_ADDRESS.match(device.host):
        raise plan.refusal(
            device.origin,
            f"device '{device.id}' has the host address '{device.host}', which is none. "
            "Allowed: domain:bus:slot.function in hexadecimal, such as 0000:07:10.0",
        )
    address = _address(plan, device.id)
    bus = {} if device.bus is None else {"bus": device.bus}
    values = {"host": device.host, **bus, **address, **device.settings}
    checked = check_properties(plan, driver, values, device.origin)
    return pairs("-device", driver, {"id": device.id, **checked})


def _crypto(plan: Plan, device: CryptoDevice) -> list[Option]:
    driver = check_driver(plan, "virtio-crypto-pci", device.origin)
    backend, chardev = f"{device.id}-backend", chardev_id(device)
    if device.path is None:
        options = [pairs("-object", "cryptodev-backend-builtin", {"id": backend})]
    else:
        values = {"id": backend, "chardev": chardev}
        options = [
            chardev_socket(plan, chardev, device.path, device.origin, {}),
            pairs("-object", "cryptodev-vhost-user", values),
        ]
    place = {"cryptodev": backend, **_address(plan, device.id)}
    return [*options, pairs("-device", driver, {"id": device.id, **place})]


def _other(plan: Plan, device: OtherDevice) -> Option:
    driver = check_driver(plan, device.driver, device.origin)
    given = device.properties
    for name in ("id", "driver"):
        if name in given:
            raise plan.refusal(
                device.origin, f"device '{device.id}' has '{name}' among its properties"
            )
    values = {**given, **_address(plan, device.id or "")}
    checked = check_properties(plan, driver, values, device.origin)
    return pairs("-device", driver, {"id": device.id, **checked})


def _address(plan: Plan, identifier: str) -> dict[str, str]:
    address = plan.addresses.get(identifier)
    return {} if address is None else {"addr": address}
