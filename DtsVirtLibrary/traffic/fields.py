"""The fields that packets have: their names, as in Wireshark's filters, and their values."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from DtsVirtLibrary.errors import ConfigError, nearest

FieldValue = str | int

# What is before the name of a field of the packet inside a tunnel.
INNER = "inner."
PAYLOAD = "payload"
STATUSES = ("Good", "Bad", "Not present")

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}\Z")


@dataclass(frozen=True)
class Field:
    """A field: what its values may be, for messages, and how to read one.

    :ivar settable: whether a packet to be sent can be given it.
    :ivar own: whether it follows from the rest of the packet (a length, a checksum), so that
        an expected packet does not tell it.
    """

    values: str
    read: Callable[[str], FieldValue]
    settable: bool = True
    own: bool = False


def _mac(text: str) -> str:
    text = text.lower().replace("-", ":")
    if not _MAC.match(text):
        raise ValueError
    return text


def _ipv4(text: str) -> str:
    return str(ipaddress.IPv4Address(text))


def _status(text: str) -> str:
    return next(status for status in STATUSES if status.lower() == text.lower())


def _number(bits: int, *, settable: bool = True, own: bool = False) -> Field:
    def read(text: str) -> int:
        number = int(text, 0)
        if not 0 <= number < 1 << bits:
            raise ValueError
        return number

    return Field(f"a number from 0 to {(1 << bits) - 1}, also as 0x...", read, settable, own)


MAC = Field("a MAC address such as 02:00:00:00:00:01", _mac)
IPV4 = Field("an IPv4 address such as 198.18.0.1", _ipv4)
TEXT = Field("text, or hex:0011... for bytes", str, own=False)
STATUS = Field(", ".join(STATUSES), _status, settable=False, own=True)
LENGTH = _number(16, settable=False, own=True)

FIELDS: Mapping[str, Field] = MappingProxyType(
    {
        "eth.src": MAC,
        "eth.dst": MAC,
        "eth.type": _number(16, settable=False),
        "ip.src": IPV4,
        "ip.dst": IPV4,
        "ip.ttl": _number(8),
        "ip.id": _number(16),
        "ip.proto": _number(8, settable=False),
        "ip.len": LENGTH,
        "ip.checksum": _number(16, own=True),
        "ip.checksum.status": STATUS,
        "udp.srcport": _number(16),
        "udp.dstport": _number(16),
        "udp.length": LENGTH,
        "udp.checksum": _number(16, own=True),
        "udp.checksum.status": STATUS,
        "tcp.srcport": _number(16),
        "tcp.dstport": _number(16),
        "tcp.seq": _number(32),
        "tcp.ack": _number(32),
        "tcp.flags": _number(9),
        "tcp.checksum": _number(16, own=True),
        "tcp.checksum.status": STATUS,
        "sctp.srcport": _number(16),
        "sctp.dstport": _number(16),
        "sctp.verification_tag": _number(32),
        "sctp.checksum": _number(32, own=True),
        "sctp.checksum.status": STATUS,
        "vxlan.vni": _number(24),
        PAYLOAD: TEXT,
        "payload.len": LENGTH,
        "frame.len": _number(32, settable=False, own=True),
    }
)


def field_of(name: str) -> Field:
    """Return a field by its name, with or without ``inner.``.

    :raises ConfigError: there is none of that name.
    """
    field = FIELDS.get(name.removeprefix(INNER))
    if field is None:
        raise ConfigError(
            f"Packets have no field '{name}'.{nearest(name.removeprefix(INNER), FIELDS)} "
            f"Known, also with '{INNER}' before them: {', '.join(FIELDS)}."
        )
    return field


def read_fields(given: Mapping[str, object]) -> dict[str, FieldValue]:
    """Return the values of fields as the tester wrote them.

    :raises ConfigError: a field is not known, or its value is none.
    """
    return {name: _read(name, value) for name, value in given.items()}


def settable_fields(given: Mapping[str, object], layers: Iterable[str]) -> dict[str, FieldValue]:
    """Return the values of fields for a packet of `layers` that is to be sent.

    :raises ConfigError: the packet has no such field, it cannot be given, or its value is none.
    """
    known = set(layers)
    for name in given:
        if not field_of(name).settable:
            raise ConfigError(f"Field '{name}' follows from the rest of the packet; leave it out.")
        if layer_of(name) not in known:
            raise ConfigError(
                f"Field '{name}' is not one of this packet; its layers: {', '.join(known)}."
            )
    return read_fields(given)


def layer_of(name: str) -> str:
    """Return the layer that a field belongs to: ``inner.ip`` for ``inner.ip.src``."""
    inner = INNER if name.startswith(INNER) else ""
    return inner + name.removeprefix(INNER).split(".")[0]


def _read(name: str, value: object) -> FieldValue:
    field = field_of(name)
    try:
        return field.read(str(value).strip() if field is not TEXT else str(value))
    except (ValueError, StopIteration):
        raise ConfigError(
            f"'{value}' is not a value for field '{name}': it takes {field.values}."
        ) from None
