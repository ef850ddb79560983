"""Packets to bytes and back, with scapy. Only the agent imports this."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scapy.config import conf
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.layers.sctp import SCTP, SCTPChunkData
from scapy.layers.sctp import crc32c as untyped_crc32c
from scapy.layers.vxlan import VXLAN
from scapy.utils import checksum

from DtsVirtLibrary.traffic.fields import INNER, PAYLOAD, FieldValue
from DtsVirtLibrary.traffic.packet import VXLAN_PORT, Packet

conf.verb = 0

# The name of each field that can be given, as scapy calls it.
NAMES: dict[str, tuple[Any, dict[str, str]]] = {
    "eth": (Ether, {"src": "src", "dst": "dst"}),
    "ip": (IP, {"src": "src", "dst": "dst", "ttl": "ttl", "id": "id", "checksum": "chksum"}),
    "udp": (UDP, {"srcport": "sport", "dstport": "dport", "checksum": "chksum"}),
    "tcp": (
        TCP,
        {
            "srcport": "sport",
            "dstport": "dport",
            "seq": "seq",
            "ack": "ack",
            "flags": "flags",
            "checksum": "chksum",
        },
    ),
    "sctp": (
        SCTP,
        {
            "srcport": "sport",
            "dstport": "dport",
            "verification_tag": "tag",
            "checksum": "chksum",
        },
    ),
    "vxlan": (VXLAN, {"vni": "vni"}),
}
crc32c: Any = untyped_crc32c
TRANSPORTS = {17: "udp", 6: "tcp", 132: "sctp"}
IPV4_TYPE = 0x0800
# SCTP's chunk header and the rest of the header of a DATA chunk.
DATA_CHUNK, DATA_HEADER = 0, 16


def build(packet: Packet) -> bytes:
    """Return the frame; checksums and lengths that it does not tell are the right ones."""
    frame: Any = None
    for layer in packet.layers:
        piece = _layer(packet, layer)
        frame = piece if frame is None else frame / piece
    return bytes(frame)


def dissect(frame: bytes, time: float | None = None) -> Packet:
    """Return the packet in a frame, as deep as its layers are known."""
    layers, fields = _dissect(frame)
    return Packet(tuple(layers), {"frame.len": len(frame), **fields}, time)


def to_bytes(payload: str) -> bytes:
    """Return the bytes of a payload: ``hex:00ff`` or text."""
    if payload.startswith("hex:"):
        return bytes.fromhex(payload.removeprefix("hex:"))
    return payload.encode()


def to_text(payload: bytes) -> str:
    """Return a payload as text where it is printable ASCII, else ``hex:00ff``."""
    text = payload.decode("ascii", "replace")
    return text if text.isascii() and text.isprintable() else f"hex:{payload.hex()}"


def _layer(packet: Packet, layer: str) -> Any:
    name = layer.removeprefix(INNER)
    if name == PAYLOAD:
        data = to_bytes(str(packet.fields[layer]))
        is_sctp = any(other.endswith("sctp") for other in packet.layers)
        return SCTPChunkData(data=data, beginning=1, ending=1) if is_sctp else data
    scapy_class, names = NAMES[name]
    given: dict[str, Any] = {
        names[field]: packet.fields[f"{layer}.{field}"]
        for field in names
        if f"{layer}.{field}" in packet.fields
    }
    # A sender of VXLAN over IPv4 leaves the outer UDP checksum out (RFC 7348).
    if layer == "udp" and "vxlan" in packet.layers:
        given.setdefault("chksum", 0)
    return scapy_class(**given)


def _dissect(frame: bytes) -> tuple[list[str], dict[str, FieldValue]]:
    ether = Ether(frame[:14])
    layers = ["eth"]
    fields: dict[str, FieldValue] = {
        "eth.src": ether.src,
        "eth.dst": ether.dst,
        "eth.type": ether.type,
    }
    if ether.type != IPV4_TYPE or len(frame) < 34:
        return _with_payload(layers, fields, frame[14:])
    return _dissect_ip(frame[14:], layers, fields)


def _dissect_ip(
    data: bytes, layers: list[str], fields: dict[str, FieldValue]
) -> tuple[list[str], dict[str, FieldValue]]:
    ip = IP(data)
    size = ip.ihl * 4
    data = data[: ip.len]  # the rest fills a short frame up
    body = data[size:]
    layers.append("ip")
    fields |= {
        "ip.src": ip.src,
        "ip.dst": ip.dst,
        "ip.ttl": ip.ttl,
        "ip.id": ip.id,
        "ip.proto": ip.proto,
        "ip.len": ip.len,
        "ip.checksum": ip.chksum,
        "ip.checksum.status": _status(checksum(data[:size]) == 0),
    }
    transport = TRANSPORTS.get(ip.proto)
    if transport is None or ip.frag or len(body) < 8:
        return _with_payload(layers, fields, body)
    layers.append(transport)
    found, rest = DISSECTORS[transport](ip, body)
    fields |= {f"{transport}.{name}": value for name, value in found.items()}
    if transport == "udp" and found["dstport"] == VXLAN_PORT and len(rest) >= 8 + 14:
        return _dissect_vxlan(rest, layers, fields)
    return _with_payload(layers, fields, rest)


def _dissect_vxlan(
    data: bytes, layers: list[str], fields: dict[str, FieldValue]
) -> tuple[list[str], dict[str, FieldValue]]:
    inner_layers, inner = _dissect(data[8:])
    layers += ["vxlan", *(f"{INNER}{layer}" for layer in inner_layers)]
    fields["vxlan.vni"] = VXLAN(data[:8]).vni
    fields |= {f"{INNER}{name}": value for name, value in inner.items()}
    return layers, fields


def _udp(ip: Any, body: bytes) -> tuple[dict[str, FieldValue], bytes]:
    udp = UDP(body[:8])
    present = udp.chksum != 0
    good = not present or _transport_checksum(ip, body[: udp.len]) == 0
    return {
        "srcport": udp.sport,
        "dstport": udp.dport,
        "length": udp.len,
        "checksum": udp.chksum,
        "checksum.status": _status(good) if present else "Not present",
    }, body[8 : udp.len]


def _tcp(ip: Any, body: bytes) -> tuple[dict[str, FieldValue], bytes]:
    tcp = TCP(body[:20])
    return {
        "srcport": tcp.sport,
        "dstport": tcp.dport,
        "seq": tcp.seq,
        "ack": tcp.ack,
        "flags": int(tcp.flags),
        "checksum": tcp.chksum,
        "checksum.status": _status(_transport_checksum(ip, body) == 0),
    }, body[tcp.dataofs * 4 :]


def _sctp(ip: Any, body: bytes) -> tuple[dict[str, FieldValue], bytes]:
    sctp = SCTP(body[:12])
    right = crc32c(body[:8] + bytes(4) + body[12:])
    chunk = body[12:]
    if len(chunk) >= DATA_HEADER and chunk[0] == DATA_CHUNK:
        chunk = chunk[DATA_HEADER : int.from_bytes(chunk[2:4], "big")]
    return {
        "srcport": sctp.sport,
        "dstport": sctp.dport,
        "verification_tag": sctp.tag,
        "checksum": sctp.chksum,
        "checksum.status": _status(right == sctp.chksum),
    }, chunk


DISSECTORS = {"udp": _udp, "tcp": _tcp, "sctp": _sctp}


def _transport_checksum(ip: Any, body: bytes) -> int:
    """Return 0 where the checksum of TCP or UDP in `body` is right."""
    from scapy.layers.inet import in4_chksum

    return int(in4_chksum(ip.proto, ip, body))


def _status(good: bool) -> str:
    return "Good" if good else "Bad"


def _with_payload(
    layers: list[str], fields: dict[str, FieldValue], payload: bytes
) -> tuple[list[str], dict[str, FieldValue]]:
    fields["payload.len"] = len(payload)
    if payload:
        layers.append(PAYLOAD)
        fields[PAYLOAD] = to_text(payload)
    return layers, fields


def with_token(packet: Packet, token: bytes) -> bytes:
    """Return the frame with its payload beginning with `token`.

    :raises ValueError: the payload is shorter.
    """
    name = next(layer for layer in packet.layers if layer.endswith(PAYLOAD))
    payload = to_bytes(str(packet.fields[name]))
    if len(payload) < len(token):
        raise ValueError(f"the payload has {len(payload)} bytes, {len(token)} are needed")
    fields: Mapping[str, FieldValue] = {
        **packet.fields,
        name: f"hex:{(token + payload[len(token) :]).hex()}",
    }
    return build(Packet(packet.layers, fields))
