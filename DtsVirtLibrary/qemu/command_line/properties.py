"""Drivers and their properties, checked against what the binary said of itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

from DtsVirtLibrary.errors import nearest
from DtsVirtLibrary.qemu.command_line.plan import Plan
from DtsVirtLibrary.spec import Origin

# Devices that QEMU no longer has, and what took their place.
_SUCCESSORS = {
    "pci-assign": "vfio-pci (with the host's function bound to the driver vfio-pci)",
    "kvm-pci-assign": "vfio-pci (with the host's function bound to the driver vfio-pci)",
    "ivshmem": "ivshmem-plain or ivshmem-doorbell",
    "ide-drive": "ide-hd or ide-cd",
    "scsi-disk": "scsi-hd or scsi-cd",
    "virtio": "virtio-net-pci",
}
# Every -device takes these, though they are no properties of the driver.
_OF_EVERY_DEVICE = frozenset({"id", "bus", "driver"})
_BOOLEANS = {"on": "on", "yes": "on", "true": "on", "y": "on", "1": "on"} | {
    "off": "off", "no": "off", "false": "off", "n": "off", "0": "off"
}  # fmt: skip
_INTEGER = re.compile(r"(u?)int(\d*)(?:_t)?\Z")
# More digits than these are in no number of 64 bits, and Python reads them slowly or not at all.
_HEXADECIMAL, _DECIMAL = r"0[xX][0-9a-fA-F]{1,16}", r"[0-9]{1,20}"
_NUMBER = re.compile(rf"[+-]?(?:{_HEXADECIMAL}|{_DECIMAL})\Z")
# As QEMU reads sizes: a unit after a decimal number only, a fraction only with a larger unit.
_SIZE = re.compile(
    rf"(?P<hexadecimal>{_HEXADECIMAL})\Z|(?P<bytes>{_DECIMAL})[bB]?\Z"
    rf"|(?P<many>{_DECIMAL}(?:\.{_DECIMAL})?)(?P<unit>[kKmMgGtTpPeE])\Z"
)
_UNITS = "KMGTPE"
LARGEST_SIZE = 2**64 - 1


def check_driver(plan: Plan, driver: str, origin: Origin | None) -> str:
    """Return the driver's full name: ``virtio-net`` is short for ``virtio-net-pci``.

    :raises ConfigError: the binary has no such device.
    """
    devices = plan.binary.devices
    if driver in devices:
        return driver
    if f"{driver}-pci" in devices:
        plan.note(f"device '{driver}' is written {driver}-pci")
        return f"{driver}-pci"
    successor = _SUCCESSORS.get(driver)
    hint = f" Use {successor}." if successor else nearest(driver, devices)
    raise plan.refusal(
        origin,
        f"QEMU {plan.binary.version_text} has no device '{driver}'.{hint} "
        f"All of them: {plan.binary.path} -device help",
    )


def check_properties(
    plan: Plan, driver: str, properties: Mapping[str, str], origin: Origin | None
) -> dict[str, str]:
    """Return the properties with truth values as on and off, each one checked.

    A driver whose properties the binary does not tell is taken as it is.

    :raises ConfigError: the driver has no such property, or it does not take the value.
    """
    known = plan.binary.devices[driver]
    if known is None:
        return dict(properties)
    checked = {}
    for name, value in properties.items():
        kind = "str" if name in _OF_EVERY_DEVICE else known.get(name)
        if kind is None:
            raise plan.refusal(
                origin,
                f"device '{driver}' of QEMU {plan.binary.version_text} has no property '{name}'."
                f"{nearest(name, known)} All of them: {plan.binary.path} -device {driver},help",
            )
        # PCI addresses are typed as numbers but written as slot.function.
        taken = value if name == "addr" else convert(kind, value)
        if taken is None:
            raise plan.refusal(
                origin,
                f"property '{name}' of device '{driver}' does not take '{value}'. "
                f"Allowed: {allowed(kind)}",
            )
        checked[name] = taken
    return checked


def convert(kind: str, value: str) -> str | None:
    """Return a value as QEMU's type takes it, None if the type does not."""
    if kind == "bool":
        return _BOOLEANS.get(value.lower())
    if kind == "OnOffAuto":
        return "auto" if value.lower() == "auto" else _BOOLEANS.get(value.lower())
    if kind == "size":
        return value if size_in_bytes(value) is not None else None
    if bounds := integer_bounds(kind):
        number = _integer(value)
        return value if number is not None and bounds[0] <= number <= bounds[1] else None
    return value


def size_in_bytes(value: str) -> int | None:
    """Return the bytes of a size such as ``4096``, ``0x1000`` or ``1.5G``, None if it is none."""
    match = _SIZE.match(value)
    if match is None:
        return None
    if match["many"]:
        power = 1 + _UNITS.index(match["unit"].upper())
        size = int(Fraction(match["many"]) * 1024**power)
    elif match["bytes"]:
        size = int(match["bytes"])
    else:
        size = int(match["hexadecimal"], 16)
    return size if size <= LARGEST_SIZE else None


def _integer(value: str) -> int | None:
    if not _NUMBER.match(value):
        return None
    return int(value, 16 if "x" in value.lower() else 10)


def allowed(kind: str) -> str:
    """Say which values a type takes."""
    if kind in ("bool", "OnOffAuto"):
        return "on, off" + (", auto" if kind == "OnOffAuto" else "")
    if kind == "size":
        return "a number of bytes, or one with K, M, G or T behind it"
    if bounds := integer_bounds(kind):
        return f"a whole number from {bounds[0]} to {bounds[1]}"
    return kind


def integer_bounds(kind: str) -> tuple[int, int] | None:
    """Return the least and the greatest value of an integer type, None for other types."""
    match = _INTEGER.match(kind)
    if match is None:
        return None
    unsigned, bits = match[1] == "u", int(match[2] or 64)
    return (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def is_pci(plan: Plan, driver: str) -> bool:
    """Tell whether a driver is a device on a PCI bus."""
    return driver in plan.binary.pci_devices
