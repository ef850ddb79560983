"""Packets to bytes and back, with scapy; the bytes are judged by figures worked out by hand."""

from __future__ import annotations

import pytest

from DtsVirtLibrary.traffic.frames import build, dissect, to_bytes, to_text, with_token
from DtsVirtLibrary.traffic.packet import Packet, create, encapsulate

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

# A UDP packet of 10 bytes, 10.0.0.1:1000 to 10.0.0.2:2000, as tcpdump printed it.
KNOWN = bytes.fromhex(
    "000020000020000020000099080045000026000100004011"
    "66c40a0000010a00000203e807d00012e9ff7061796c6f61642d3130"
)


def known() -> Packet:
    return create(
        "udp",
        "payload-10",
        {
            "eth.src": "00:00:20:00:00:99",
            "eth.dst": "00:00:20:00:00:20",
            "ip.src": "10.0.0.1",
            "ip.dst": "10.0.0.2",
            "udp.srcport": "1000",
            "udp.dstport": "2000",
        },
    )


def ones_complement_sum(data: bytes) -> int:
    """Return the Internet checksum's sum of RFC 1071, 0xffff where the checksum is right."""
    total = sum(
        int.from_bytes(data[at : at + 2].ljust(2, b"\0"), "big") for at in range(0, len(data), 2)
    )
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def test_frame_is_right_to_the_byte_but_for_the_checksum_of_udp() -> None:
    frame = build(known())
    assert frame[:40] == KNOWN[:40]
    assert frame[42:] == KNOWN[42:]
    pseudo_header = frame[26:34] + bytes([0, 17]) + frame[38:40]
    assert ones_complement_sum(frame[14:34]) == 0xFFFF
    assert ones_complement_sum(pseudo_header + frame[34:]) == 0xFFFF


@pytest.mark.parametrize("protocol", ["udp", "tcp", "sctp"])
@pytest.mark.parametrize("payload", ["", "x", "hello world", "hex:00ff10", "y" * 1400])
def test_what_was_built_is_found_again(protocol: str, payload: str) -> None:
    packet = create(protocol, payload, {"ip.ttl": "7"})
    found = dissect(build(packet))
    told = {name: value for name, value in packet.items() if value != ""}
    assert {name: found[name] for name in told} == told
    assert found["ip.checksum.status"] == "Good"
    assert found[f"{protocol}.checksum.status"] == "Good"
    assert found["payload.len"] == len(to_bytes(payload))


@pytest.mark.parametrize("protocol", ["udp", "tcp", "sctp"])
def test_what_is_in_a_tunnel_is_found_again(protocol: str) -> None:
    packet = encapsulate(create(protocol, "hello", {}), 1000, {"ip.src": "192.0.2.9"})
    found = dissect(build(packet))
    assert {name: found[name] for name in packet} == dict(packet)
    assert found["udp.checksum.status"] == "Not present"
    assert found[f"inner.{protocol}.checksum.status"] == "Good"
    assert found["frame.len"] == found["ip.len"] + 14  # type: ignore[operator]


@pytest.mark.parametrize("protocol", ["udp", "tcp", "sctp"])
def test_wrong_checksums_are_sent_and_seen(protocol: str) -> None:
    wrong = {"ip.checksum": "0xbad", f"{protocol}.checksum": "0xbad"}
    found = dissect(build(create(protocol, "hello", wrong)))
    assert found["ip.checksum"] == 0xBAD
    assert found["ip.checksum.status"] == "Bad"
    assert found[f"{protocol}.checksum"] == 0xBAD
    assert found[f"{protocol}.checksum.status"] == "Bad"


def test_damage_on_the_way_is_seen() -> None:
    frame = bytearray(build(create("sctp", "hello", {})))
    frame[-5] ^= 1
    assert dissect(bytes(frame))["sctp.checksum.status"] == "Bad"


def test_what_fills_a_short_frame_up_is_not_payload() -> None:
    found = dissect(build(create("udp", "x", {})).ljust(60, b"\0"))
    assert found["payload"] == "x"
    assert found["frame.len"] == 60


def test_ports_that_scapy_knows_are_not_taken_for_other_protocols() -> None:
    found = dissect(build(create("tcp", "x" * 100, {"tcp.dstport": "2000"})))
    assert found["payload"] == "x" * 100


@pytest.mark.parametrize("cut", range(14, 60, 3))
def test_frames_that_are_cut_short_are_dissected_as_far_as_they_go(cut: int) -> None:
    frame = build(encapsulate(create("udp", "hello", {}), 5, {}))
    assert dissect(frame[:cut])["frame.len"] == cut


def test_foreign_frames_have_their_bytes_as_payload() -> None:
    found = dissect(bytes(12) + b"\x08\x06" + b"\x01\x02")
    assert found.layers == ("eth", "payload")
    assert found["payload"] == "hex:0102"


@pytest.mark.parametrize(
    ("data", "text"), [(b"plain", "plain"), (b"\x00\x01", "hex:0001"), (b"a\nb", "hex:610a62")]
)
def test_payload_is_text_where_it_can_be(data: bytes, text: str) -> None:
    assert to_text(data) == text
    assert to_bytes(text) == data


def test_token_is_at_the_start_of_the_payload_in_a_tunnel_too() -> None:
    packet = encapsulate(create("udp", "0123456789", {}), 5, {})
    found = dissect(with_token(packet, b"TOKENTOK"))
    assert found["inner.payload"] == "TOKENTOK89"
    assert found["inner.udp.checksum.status"] == "Good"
    with pytest.raises(ValueError, match="has 2 bytes, 8 are needed"):
        with_token(create("udp", "ab", {}), b"TOKENTOK")
