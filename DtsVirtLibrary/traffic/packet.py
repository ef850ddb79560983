"""A packet as data: which layers it has, and the value of each field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from DtsVirtLibrary.errors import ConfigError
from DtsVirtLibrary.traffic.fields import (
    INNER,
    PAYLOAD,
    FieldValue,
    field_of,
    settable_fields,
)

VXLAN_PORT = 4789
VXLAN_LAYERS = ("eth", "ip", "udp", "vxlan")
# MAC addresses of local administration, addresses and ports that RFC 2544 and IANA leave to
# tests and private use.
DEFAULTS: Mapping[str, FieldValue] = {
    "eth.src": "02:00:00:00:00:01",
    "eth.dst": "02:00:00:00:00:02",
    "ip.src": "198.18.0.1",
    "ip.dst": "198.18.0.2",
    "ip.ttl": 64,
    "ip.id": 1,
}
PORTS: Mapping[str, FieldValue] = {"srcport": 49152, "dstport": 49153}
MORE_DEFAULTS: Mapping[str, Mapping[str, FieldValue]] = {
    "udp": {},
    "tcp": {"tcp.seq": 1, "tcp.ack": 0, "tcp.flags": 0x10},
    "sctp": {"sctp.verification_tag": 1},
}


@dataclass(frozen=True, eq=False)
class Packet(Mapping[str, FieldValue]):
    """A packet to be sent, or one that was captured; its fields are read as ``${packet}[ip.src]``.

    :ivar layers: ``eth``, ``ip``, ``udp``, ``tcp``, ``sctp``, ``vxlan``, those inside a tunnel
        with ``inner.`` before them, and ``payload``.
    :ivar fields: value by the field's name, as in Wireshark's filters.
    :ivar time: when it was captured, in seconds since the capture began; None if it was not.
    """

    layers: tuple[str, ...]
    fields: Mapping[str, FieldValue]
    time: float | None = None

    def __getitem__(self, name: str) -> FieldValue:
        if name not in self.fields:
            field_of(name)
            raise KeyError(f"This packet has no field '{name}': {self}")
        return self.fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)

    def __str__(self) -> str:
        return " / ".join(self._describe(layer) for layer in self.layers)

    def to_json(self) -> dict[str, Any]:
        """Return it for the way to another process."""
        return {"layers": list(self.layers), "fields": dict(self.fields), "time": self.time}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Packet:
        """Return what :meth:`to_json` wrote."""
        return cls(tuple(values["layers"]), dict(values["fields"]), values["time"])

    def _describe(self, layer: str) -> str:
        found = self.fields
        name = layer.removeprefix(INNER)
        if name == "vxlan":
            return f"VXLAN {found[f'{layer}.vni']}"
        if name == PAYLOAD:
            return f"{found.get(f'{layer}.len', len(str(found[layer])))} bytes"
        source, target = ("srcport", "dstport") if f"{layer}.srcport" in found else ("src", "dst")
        if f"{layer}.{source}" not in found:
            return name
        return f"{name} {found[f'{layer}.{source}']} > {found[f'{layer}.{target}']}"


def create(protocol: str, payload: str, given: Mapping[str, object]) -> Packet:
    """Return a packet of `protocol` (``udp``, ``tcp``, ``sctp``) over IPv4 to be sent.

    :raises ConfigError: a field is not one of it, or its value is none.
    """
    layers = ("eth", "ip", protocol, PAYLOAD)
    ports = {f"{protocol}.{name}": value for name, value in PORTS.items()}
    fields = {**DEFAULTS, **ports, **MORE_DEFAULTS[protocol]}
    fields |= settable_fields(given, layers[:-1])
    return Packet(layers, {**fields, PAYLOAD: payload})


def encapsulate(packet: Packet, vni: int, given: Mapping[str, object]) -> Packet:
    """Return `packet` inside a VXLAN tunnel's.

    :raises ConfigError: it is inside one already, or a field is not one of the outer layers.
    """
    fields = {**DEFAULTS, "udp.srcport": PORTS["srcport"], "udp.dstport": VXLAN_PORT}
    return _in_tunnel(packet, {**fields, **_outer_fields(vni, given)})


def expect_encapsulated(packet: Packet, vni: int, given: Mapping[str, object]) -> Packet:
    """Return what is known of `packet` inside a VXLAN tunnel that somebody else puts it in.

    Of the outer layers it tells no more than the port, `vni` and the fields that are given.

    :raises ConfigError: it is inside one already, or a field is not one of the outer layers.
    """
    return _in_tunnel(packet, {"udp.dstport": VXLAN_PORT, **_outer_fields(vni, given)})


def _outer_fields(vni: int, given: Mapping[str, object]) -> dict[str, FieldValue]:
    return settable_fields({**given, "vxlan.vni": vni}, VXLAN_LAYERS)


def _in_tunnel(packet: Packet, outer: Mapping[str, FieldValue]) -> Packet:
    if any(layer.startswith(INNER) for layer in packet.layers):
        raise ConfigError(f"The packet is inside a tunnel already: {packet}")
    inner = {f"{INNER}{name}": value for name, value in packet.fields.items()}
    layers = (*VXLAN_LAYERS, *(f"{INNER}{layer}" for layer in packet.layers))
    return Packet(layers, {**outer, **inner})


def inner_packet(packet: Packet) -> Packet:
    """Return what is inside a tunnel's packet.

    :raises ConfigError: it is no tunnel's.
    """
    layers = tuple(item.removeprefix(INNER) for item in packet.layers if item.startswith(INNER))
    if not layers:
        raise ConfigError(f"The packet is in no tunnel: {packet}")
    fields = {
        name.removeprefix(INNER): value
        for name, value in packet.fields.items()
        if name.startswith(INNER)
    }
    return Packet(layers, fields, packet.time)
