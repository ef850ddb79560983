"""Parsers of addresses: PCI, MAC, ports and forwards of ports."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address

from DtsVirtLibrary.config.problems import refusal
from DtsVirtLibrary.config.values import parse_number
from DtsVirtLibrary.errors import ConfigError
from DtsVirtLibrary.spec import HostForward

HOST_PCI = re.compile(r"(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}):([01][0-9a-f])\.([0-7])", re.IGNORECASE)
GUEST_SLOT = re.compile(
    r"(?:(?:0000:)?00:)?(?:0x)?([01]?[0-9a-f])(?:\.([0-7]))?", re.IGNORECASE | re.ASCII
)
MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
FORWARD = "[tcp|udp]:[host address]:[host port]-[guest address]:[guest port], as tcp::2222-:22"
PROTOCOLS = ("tcp", "udp", "")
LOOPBACK = "127.0.0.1"
SSH_PORT = 22
LARGEST_PORT = 65535


def parse_bdf(text: str) -> str:
    """Return a PCI address of the host in full: ``07:10.0`` gives ``0000:07:10.0``."""
    match = HOST_PCI.fullmatch(text.strip())
    if match is None:
        raise refusal(text, "a PCI address such as 0000:07:10.0 or 07:10.0 (hexadecimal)")
    domain, bus, slot, function = match.groups()
    return f"{domain or '0000'}:{bus}:{slot}.{function}".lower()


def parse_slot(text: str) -> str:
    """Return a slot of the guest's PCI bus, ``1f`` or ``1f.0``, from 0 to 1f in hexadecimal."""
    match = GUEST_SLOT.fullmatch(text.strip())
    if match is None:
        raise refusal(
            text,
            "a slot from 0 to 1f (hexadecimal) and perhaps a function from 0 to 7: 1f or 05.1;"
            " another bus is chosen by opt_bus",
        )
    slot = f"{int(match[1], 16):x}"
    return slot if match[2] is None else f"{slot}.{match[2]}"


def parse_mac(text: str) -> str:
    """Return a MAC address in lower case; multicast and all zeros belong to no card."""
    mac = text.strip().lower().replace("-", ":")
    if not MAC.fullmatch(mac):
        raise refusal(text, "a MAC address such as 52:54:00:12:34:56")
    if int(mac[:2], 16) & 1:
        raise refusal(text, "a unicast MAC address (the first byte is even); this is multicast")
    if mac == "00:00:00:00:00:00":
        raise refusal(text, "a MAC address that is not all zeros")
    return mac


def parse_port(text: str) -> int:
    """Return a TCP or UDP port; 0 means that a free one is picked."""
    return parse_number(text, 0, LARGEST_PORT)


def parse_address(text: str) -> str:
    """Return an IPv4 address; of names only ``localhost`` has a fixed one."""
    if text == "localhost":
        return LOOPBACK
    try:
        return str(IPv4Address(text))
    except AddressValueError as error:
        raise refusal(
            text, "an IPv4 address (QEMU takes no host names here), as 127.0.0.1"
        ) from error


def parse_forwards(text: str) -> tuple[HostForward, ...]:
    """Return forwards of ports, separated by blanks, with the missing parts filled in."""
    forwards = tuple(_parse_forward(item) for item in text.split())
    if not forwards:
        raise refusal(text, FORWARD)
    return forwards


def _parse_forward(text: str) -> HostForward:
    host, _, guest = text.partition("-")
    try:
        protocol, address, port = _host_side(host)
        guest_address, guest_port = _guest_side(guest)
        return HostForward(
            protocol=protocol or "tcp",
            host_address=parse_address(address) if address else LOOPBACK,
            host_port=parse_port(port) if port else 0,
            guest_address=parse_address(guest_address) if guest_address else "",
            guest_port=parse_number(guest_port, 1, LARGEST_PORT) if guest_port else SSH_PORT,
        )
    except ConfigError as error:
        raise ConfigError(f"{error.summary}; a forward is {FORWARD}") from error


def _host_side(text: str) -> tuple[str, str, str]:
    """Return protocol, address and port; what is missing is empty."""
    fields = text.split(":")
    port = "" if fields[-1] in PROTOCOLS[:2] else fields.pop()
    protocol = fields.pop(0) if fields and fields[0] in PROTOCOLS else ""
    if len(fields) > 1:
        raise refusal(text, "tcp or udp, an address and a port")
    return protocol, fields[0] if fields else "", port


def _guest_side(text: str) -> tuple[str, str]:
    address, colon, port = text.rpartition(":")
    if not colon and "." in text:
        return text, ""
    return address, port
