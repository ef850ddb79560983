"""Packets as data: what can be given, what is refused, how they are compared."""

from __future__ import annotations

import pytest

from DtsVirtLibrary.errors import ConfigError
from DtsVirtLibrary.traffic import compare
from DtsVirtLibrary.traffic.fields import FIELDS, field_of, read_fields
from DtsVirtLibrary.traffic.packet import (
    Packet,
    create,
    encapsulate,
    expect_encapsulated,
    inner_packet,
)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("eth.src", "02-00-00-00-00-AB", "02:00:00:00:00:ab"),
        ("ip.dst", "10.0.0.2", "10.0.0.2"),
        ("udp.dstport", "4789", 4789),
        ("ip.checksum", "0xbad", 0xBAD),
        ("inner.ip.ttl", " 63 ", 63),
        ("vxlan.vni", "16777215", 16777215),
        ("ip.checksum.status", "good", "Good"),
        ("udp.checksum.status", "not present", "Not present"),
        ("payload", " kept as it is ", " kept as it is "),
    ],
)
def test_values_are_read(name: str, text: str, value: object) -> None:
    assert read_fields({name: text}) == {name: value}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("eth.src", "02:00:00:00:00"),
        ("ip.src", "300.0.0.1"),
        ("udp.srcport", "65536"),
        ("udp.srcport", "-1"),
        ("ip.ttl", "many"),
        ("vxlan.vni", "0x1000000"),
        ("ip.checksum.status", "fine"),
    ],
)
def test_wrong_values_are_refused_with_what_is_allowed(name: str, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_fields({name: text})
    assert f"'{text}' is not a value for field '{name}'" in str(caught.value)
    assert FIELDS[name].values in str(caught.value)


def test_unknown_field_offers_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no field 'inner\.ip\.sorce'.*Did you mean 'ip\.src'"):
        field_of("inner.ip.sorce")


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ("ip.len", "follows from the rest"),
        ("tcp.seq", "is not one of this packet"),
        ("vxlan.vni", "is not one of this packet"),
        ("inner.ip.src", "is not one of this packet"),
    ],
)
def test_fields_that_a_packet_cannot_be_given(field: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        create("udp", "", {field: "1"})


def test_packet_in_a_tunnel_and_out_again() -> None:
    plain = create("udp", "hello", {"ip.src": "10.0.0.1"})
    tunnelled = encapsulate(plain, 1000, {"ip.dst": "192.0.2.1"})
    assert tunnelled["vxlan.vni"] == 1000
    assert tunnelled["ip.dst"] == "192.0.2.1"
    assert tunnelled["inner.ip.src"] == "10.0.0.1"
    assert inner_packet(tunnelled).fields == plain.fields
    assert inner_packet(tunnelled).layers == plain.layers


def test_tunnel_in_a_tunnel_is_refused() -> None:
    tunnelled = encapsulate(create("udp", "", {}), 1, {})
    with pytest.raises(ConfigError, match="inside a tunnel already"):
        encapsulate(tunnelled, 2, {})


def test_plain_packet_has_nothing_inside() -> None:
    with pytest.raises(ConfigError, match="is in no tunnel"):
        inner_packet(create("tcp", "", {}))


def test_expectation_tells_no_more_of_the_tunnel_than_was_given() -> None:
    expected = expect_encapsulated(create("udp", "x", {}), 1000, {"ip.src": "192.0.2.1"})
    outer = {name for name in expected if not name.startswith("inner.")}
    assert outer == {"ip.src", "udp.dstport", "vxlan.vni"}


def test_packet_says_what_it_is() -> None:
    packet = encapsulate(create("udp", "hello", {}), 7, {})
    assert str(packet) == (
        "eth 02:00:00:00:00:01 > 02:00:00:00:00:02 / ip 198.18.0.1 > 198.18.0.2 / "
        "udp 49152 > 4789 / VXLAN 7 / eth 02:00:00:00:00:01 > 02:00:00:00:00:02 / "
        "ip 198.18.0.1 > 198.18.0.2 / udp 49152 > 49153 / 5 bytes"
    )


def test_expectation_can_be_shown_too() -> None:
    assert str(expect_encapsulated(create("udp", "x", {}), 7, {})).startswith("eth / ip / udp")


def test_missing_field_names_the_packet() -> None:
    packet = create("udp", "", {})
    with pytest.raises(KeyError, match=r"no field 'tcp\.seq'"):
        packet["tcp.seq"]
    with pytest.raises(ConfigError, match=r"Packets have no field 'tcp\.sek'"):
        packet["tcp.sek"]


def test_json_and_back() -> None:
    packet = Packet(("eth",), {"eth.src": "02:00:00:00:00:01"}, 1.5)
    again = Packet.from_json(packet.to_json())
    assert (again.layers, again.fields, again.time) == (packet.layers, packet.fields, 1.5)


def test_checksums_and_lengths_are_not_expected_of_others() -> None:
    sent = create("udp", "x", {"ip.checksum": "0xbad", "udp.checksum": "1"})
    expected = compare.expectations(sent, {})
    assert "ip.checksum" not in expected
    assert "udp.checksum" not in expected
    assert expected["payload"] == "x"


def test_given_fields_have_the_last_word() -> None:
    sent = create("udp", "x", {})
    assert compare.expectations(sent, {"ip.ttl": 63})["ip.ttl"] == 63


def test_differences_are_a_table() -> None:
    packet = create("udp", "x" * 100, {"ip.ttl": "63"})
    found = compare.differences(packet, {"ip.ttl": 64, "tcp.seq": 5, "payload": "y"})
    assert compare.table(found) == [
        "field    expected   found",
        "ip.ttl   64 (0x40)  63 (0x3f)",
        "tcp.seq  5          (not there)",
        f"payload  y          {'x' * 57}... (100 characters)",
    ]


def test_equal_packets_have_none() -> None:
    packet = create("sctp", "x", {})
    assert compare.matches(packet, compare.expectations(packet, {}))
