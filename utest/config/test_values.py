"""Single values: what is read and what is refused."""

from __future__ import annotations

import pytest

from DtsVirtLibrary.config import parse_bdf, parse_mac, parse_size, validate_name
from DtsVirtLibrary.config.addresses import parse_forwards, parse_port, parse_slot
from DtsVirtLibrary.config.values import (
    parse_choice,
    parse_flag,
    parse_identifier,
    parse_number,
    parse_pins,
    parse_seconds,
    parse_settings,
    parse_text,
    parse_words,
)
from DtsVirtLibrary.errors import ConfigError
from DtsVirtLibrary.spec import HostForward


@pytest.mark.parametrize(
    ("text", "mebibytes"),
    [
        ("2048", 2048),
        ("512M", 512),
        ("512MB", 512),
        ("1G", 1024),
        ("1g", 1024),
        ("2GiB", 2048),
        ("1.5G", 1536),
        ("1 G", 1024),
        ("16384K", 16),
        ("1T", 1048576),
        ("16", 16),
        ("16T", 16777216),
    ],
)
def test_sizes(text: str, mebibytes: int) -> None:
    assert parse_size(text) == mebibytes


@pytest.mark.parametrize(
    "text",
    ["", "4GM", "-1", "1.0001G", "15", "17T", "1e3", "0x400", "1000k", "size", "1G2", "9" * 40],
)
def test_sizes_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError, match=r"expected (a size such as|whole MiB)"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("07:10.0", "0000:07:10.0"),
        ("0000:07:10.0", "0000:07:10.0"),
        ("0001:AF:1f.7", "0001:af:1f.7"),
        ("10000:00:02.0", "10000:00:02.0"),
    ],
)
def test_host_pci_addresses_get_their_domain(text: str, address: str) -> None:
    assert parse_bdf(text) == address


@pytest.mark.parametrize("text", ["", "07:10", "7:10.0", "07:20.0", "07:10.8", "0000:07:10.0,x=y"])
def test_host_pci_addresses_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError, match=r"expected a PCI address such as 0000:07:10.0"):
        parse_bdf(text)


@pytest.mark.parametrize(
    ("text", "slot"),
    [
        ("1f", "1f"),
        ("1F", "1f"),
        ("0x1f", "1f"),
        ("5", "5"),
        ("05", "5"),
        ("05.1", "5.1"),
        ("1f.0", "1f.0"),
        ("00:1f.0", "1f.0"),
        ("0000:00:0a.0", "a.0"),
        ("0", "0"),
    ],
)
def test_slots(text: str, slot: str) -> None:
    assert parse_slot(text) == slot


@pytest.mark.parametrize("text", ["", "20", "30.0", "1f.8", "g", "01:00.0", "0001:00:02.0"])
def test_slots_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError, match="expected a slot from 0 to 1f"):
        parse_slot(text)


@pytest.mark.parametrize(
    ("text", "mac"),
    [
        ("52:54:00:12:34:56", "52:54:00:12:34:56"),
        ("00:00:20:00:00:20", "00:00:20:00:00:20"),
        ("52-54-00-AB-CD-EF", "52:54:00:ab:cd:ef"),
    ],
)
def test_mac_addresses(text: str, mac: str) -> None:
    assert parse_mac(text) == mac


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("52:54:00:12:34", "expected a MAC address such as"),
        ("52:54:00:12:34:5g", "expected a MAC address such as"),
        ("525400123456", "expected a MAC address such as"),
        ("41135085296", "expected a MAC address such as"),
        ("01:00:5e:00:00:01", "this is multicast"),
        ("ff:ff:ff:ff:ff:ff", "this is multicast"),
        ("00:00:00:00:00:00", "not all zeros"),
    ],
)
def test_mac_addresses_that_are_none(text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        parse_mac(text)


@pytest.mark.parametrize(
    ("text", "pins"),
    [
        ("24 25", (24, 25)),
        ("24  25", (24, 25)),
        (" 5 6 ", (5, 6)),
        ("1,2,3", (1, 2, 3)),
        ("1-4", (1, 2, 3, 4)),
        ("0 4-5", (0, 4, 5)),
        ("7", (7,)),
    ],
)
def test_pins(text: str, pins: tuple[int, ...]) -> None:
    assert parse_pins(text) == pins


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "expected host CPUs"),
        ("a", "expected host CPUs"),
        ("4-1", "from low to high"),
        ("9999", "from 0 to 8191"),
        ("5 5", "5 stands there again"),
        ("1-3 2", "2 stands there again"),
        ("0-8191", "at most 1024"),
        ("1 -2", "expected host CPUs"),
    ],
)
def test_pins_that_are_none(text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        parse_pins(text)


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("csum=off,gso=off", {"csum": "off", "gso": "off"}),
        ("mrg_rxbuf=on", {"mrg_rxbuf": "on"}),
        (" csum = off , gso=on ", {"csum": "off", "gso": "on"}),
        ("disable-modern", {"disable-modern": "on"}),
        ("csum=off,,", {"csum": "off,"}),
        ("path=/a,,b,x=1", {"path": "/a,b", "x": "1"}),
        ("mq=on,vectors=6,", {"mq": "on", "vectors": "6"}),
        ("a=b=c", {"a": "b=c"}),
        ("", {}),
    ],
)
def test_settings(text: str, settings: dict[str, str]) -> None:
    assert dict(parse_settings(text)) == settings


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("csum=off,csum=on", "'csum' stands there twice"),
        ("=off", "expected properties such as"),
        ("a b=off", "expected properties such as"),
        ("csum=off;gso=off,-x", "expected properties such as"),
    ],
)
def test_settings_that_are_none(text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        parse_settings(text)


@pytest.mark.parametrize(
    ("text", "forward"),
    [
        ("tcp:127.0.0.1:6057-:22", HostForward("tcp", "127.0.0.1", 6057, "", 22)),
        ("tcp::2222-:22", HostForward("tcp", "127.0.0.1", 2222, "", 22)),
        (":2222-:22", HostForward("tcp", "127.0.0.1", 2222, "", 22)),
        ("::2222-:22", HostForward("tcp", "127.0.0.1", 2222, "", 22)),
        ("2222-:22", HostForward("tcp", "127.0.0.1", 2222, "", 22)),
        ("tcp::-:", HostForward("tcp", "127.0.0.1", 0, "", 22)),
        ("tcp::-:80", HostForward("tcp", "127.0.0.1", 0, "", 80)),
        ("tcp", HostForward("tcp", "127.0.0.1", 0, "", 22)),
        ("-", HostForward("tcp", "127.0.0.1", 0, "", 22)),
        ("udp:10.1.2.3:53-10.0.2.15:5353", HostForward("udp", "10.1.2.3", 53, "10.0.2.15", 5353)),
        ("tcp:localhost:2222-:22", HostForward("tcp", "127.0.0.1", 2222, "", 22)),
        ("10.1.2.3:2222-:22", HostForward("tcp", "10.1.2.3", 2222, "", 22)),
        ("tcp:0.0.0.0:2222-", HostForward("tcp", "0.0.0.0", 2222, "", 22)),
        ("tcp::2222-10.0.2.15", HostForward("tcp", "127.0.0.1", 2222, "10.0.2.15", 22)),
        ("tcp::2222-8080", HostForward("tcp", "127.0.0.1", 2222, "", 8080)),
    ],
)
def test_forwards_get_their_missing_parts(text: str, forward: HostForward) -> None:
    assert parse_forwards(text) == (forward,)


def test_several_forwards_are_separated_by_blanks() -> None:
    assert [item.host_port for item in parse_forwards("tcp::1-:22  udp::2-:53")] == [1, 2]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("tcp:dut1:2222-:22", "QEMU takes no host names"),
        ("tcp::65536-:22", "from 0 to 65535"),
        ("tcp::2222-:0", "from 1 to 65535"),
        ("sctp::2222-:22", "expected tcp or udp"),
        ("tcp:::1:2222-:22", "expected tcp or udp"),
        ("tcp::22a-:22", "from 0 to 65535"),
        ("tcp:127.1:22-:22", "expected an IPv4 address"),
        ("tcp::2222-guest:22", "expected an IPv4 address"),
        (" ", "tcp::2222-:22"),
    ],
)
def test_forwards_that_are_none(text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        parse_forwards(text)


@pytest.mark.parametrize("text", ["yes", "YES", "on", "True", "1"])
def test_yes(text: str) -> None:
    assert parse_flag(text) is True


@pytest.mark.parametrize("text", ["no", "off", "FALSE", "0"])
def test_no(text: str) -> None:
    assert parse_flag(text) is False


@pytest.mark.parametrize("text", ["", "y", "yess", "2", "none", "enable"])
def test_neither_yes_nor_no(text: str) -> None:
    with pytest.raises(ConfigError, match="expected yes or no"):
        parse_flag(text)


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.0", "0x1", "1_0", "\u0661", "257", "9" * 5000])
def test_numbers_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError, match="expected a whole number from 0 to 256") as caught:
        parse_number(text, 0, 256)
    assert len(str(caught.value)) < 200


def test_numbers_at_the_limits() -> None:
    assert [parse_number(text, 0, 256) for text in ("0", "256", "007")] == [0, 256, 7]
    assert [parse_port(text) for text in ("0", "65535")] == [0, 65535]


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "1e3", "86401", "2 min"])
def test_seconds_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError, match="a number of seconds above 0"):
        parse_seconds(text)


def test_seconds() -> None:
    assert [parse_seconds(text) for text in ("0.5", "200", "86400")] == [0.5, 200.0, 86400.0]


def test_choices_offer_the_nearest() -> None:
    assert parse_choice("TELNET", ("qga", "telnet")) == "telnet"
    with pytest.raises(ConfigError, match=r"unknown value 'telnett'. Did you mean 'telnet'"):
        parse_choice("telnett", ("qga", "telnet"))


def test_words_are_read_as_a_shell_does() -> None:
    assert parse_words("-device 'a b,c=1' -S") == ("-device", "a b,c=1", "-S")
    assert parse_words("-x $HOME *") == ("-x", "$HOME", "*")
    with pytest.raises(ConfigError, match="No closing quotation"):
        parse_words("-x 'a")
    with pytest.raises(ConfigError, match="at least one argument"):
        parse_words(" ")


@pytest.mark.parametrize("text", ["", "1a", "a b", "a,b", "-a", "a" * 64])
def test_ids_that_qemu_refuses(text: str) -> None:
    with pytest.raises(ConfigError, match="a letter, then at most 62"):
        parse_identifier(text)


@pytest.mark.parametrize("name", ["vm0", "VM-1.a_b", "0", "a" * 63])
def test_vm_names(name: str) -> None:
    assert validate_name(name) == name


@pytest.mark.fault(12)
@pytest.mark.parametrize(
    "name",
    ["", "../x", "a/b", "a\n", "\n", ".", "-a", "a b", "a" * 64, "a" * 200, "\u00e9", "$(id)"],
)
def test_vm_names_that_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"VM name .* is not allowed: a letter or digit"):
        validate_name(name)


def test_what_none_becomes_is_no_name() -> None:
    with pytest.raises(ConfigError, match=r"VM name 'None' is not allowed: .* \$\{NONE\} becomes"):
        validate_name("None")


def test_nul_is_refused_everywhere() -> None:
    with pytest.raises(ConfigError, match="NUL"):
        parse_text("a\0b")
