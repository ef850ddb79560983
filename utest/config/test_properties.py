"""Properties that hold for whatever is written."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from DtsVirtLibrary.config import (
    PARAMETERS,
    Parameters,
    build_spec,
    entries_from_value,
    load_file,
    parse_bdf,
    parse_mac,
    parse_size,
)
from DtsVirtLibrary.config.addresses import parse_forwards, parse_port, parse_slot
from DtsVirtLibrary.config.grammar import quote
from DtsVirtLibrary.config.values import parse_pins, parse_settings, parse_words
from DtsVirtLibrary.errors import ConfigError
from DtsVirtLibrary.spec import HostForward
from utest.config.making import HERE, cfg

# Ten seconds for one input are far above what any takes, so that no slow machine fails.
PATIENT = settings(deadline=10_000, derandomize=True, suppress_health_check=[HealthCheck.too_slow])

ONE_LINE = st.text(st.characters(exclude_characters="\n\r\0", exclude_categories=("Cs",)))
NAMES = st.sampled_from(
    [
        spelling
        for p in PARAMETERS
        for s in p.option_sets
        for o in s.options
        for spelling in o.spellings
    ]
)
MARKS = ["\n", "\n    ", " ", "\t", "=", ",", ";", ":", "#", "%", '"', "'", "\\", "\ufeff"]
WORDS = [
    *("[", "]", "[vm0]", "{", "}", "- ", "&a ", "*a", "|", "!!int ", "%(a)s", "0", "1f", "4096"),
    *("07:10.0", "52:54:00:00:00:01", "yes", "off", "tcp::2222-:22", "nic", "user", "tap"),
    *("bridge", "none", "vhost-user", "pci-assign", "virtio-net-pci", "igb", "/a.iso"),
]
FRAGMENTS = st.sampled_from(MARKS + WORDS)
SNIPPETS = st.one_of(
    FRAGMENTS, NAMES, st.sampled_from([p.name for p in PARAMETERS]), st.text(max_size=3)
)
TEXTS = st.lists(SNIPPETS, max_size=40).map("".join)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS, st.binary(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=8,
)


@PATIENT
@given(ONE_LINE)
def test_quoting_round_trip(text: str) -> None:
    written = f"user={quote(text)},password={quote(text)};"
    (entry,) = entries_from_value("login", written, HERE)
    assert dict(entry.options) == {"user": text, "password": text}


@PATIENT
@given(ONE_LINE)
def test_a_quoted_password_arrives_in_the_specification(text: str) -> None:
    assert cfg(f"login = user=root,password={quote(text)}").login.password == text


@PATIENT
@given(
    st.dictionaries(st.from_regex(r"[a-z_][a-z0-9_-]{0,8}", fullmatch=True), ONE_LINE, max_size=4)
)
def test_settings_round_trip(values: dict[str, str]) -> None:
    device = {"driver": "vhost-user", "opt_path": "s", "opt_settings": values}
    (entry,) = entries_from_value("device", device, HERE)
    text = entry.options["opt_settings"]
    assert isinstance(text, str)
    stripped = {name: value.strip() for name, value in values.items()}
    assert dict(parse_settings(text)) == stripped


@PATIENT
@given(TEXTS)
def test_no_cfg_section_ends_in_anything_but_an_answer_or_a_refusal(text: str) -> None:
    with contextlib.suppress(ConfigError):
        file = load_file("a.cfg", f"[vm0]\n{text}")
        for name in file.names:
            build_spec("vm0", file.section(name))


@PATIENT
@given(TEXTS)
def test_no_cfg_file_does(text: str) -> None:
    with contextlib.suppress(ConfigError):
        for parameters in load_file("a.cfg", text).sections.values():
            build_spec("vm0", parameters)


@PATIENT
@given(TEXTS)
def test_no_yaml_document_does(text: str) -> None:
    with contextlib.suppress(ConfigError):
        file = load_file("a.yaml", text)
        build_spec("vm0", file.section("vm0"))


@PATIENT
@given(st.binary(max_size=60), st.sampled_from(["a.cfg", "a.yaml"]))
def test_no_file_of_bytes_does(data: bytes, path: str) -> None:
    with contextlib.suppress(ConfigError):
        load_file(path, data).section("vm0")


@PATIENT
@given(TEXTS, TEXTS, TEXTS)
def test_no_message_shows_a_password(before: str, inside: str, after: str) -> None:
    text = f"login = {before}password={inside}geheim{after}".replace("\n", " ")
    message = ""
    try:
        cfg(text)
    except ConfigError as error:
        message = str(error)
    assert "geheim" not in message


@PATIENT
@given(st.sampled_from([p.name for p in PARAMETERS]), VALUES)
def test_no_value_does(name: str, value: Any) -> None:
    with contextlib.suppress(ConfigError):
        build_spec("vm0", Parameters({name: entries_from_value(name, value, HERE)}))


@PATIENT
@given(TEXTS)
def test_no_single_value_does(text: str) -> None:
    for parse in (parse_bdf, parse_mac, parse_size, parse_slot, parse_forwards, parse_pins):
        with contextlib.suppress(ConfigError):
            parse(text)


PORTS = st.integers(1, 65535)
ADDRESSES = st.ip_addresses(v=4).map(str)


@PATIENT
@given(st.sampled_from(["tcp", "udp"]), ADDRESSES, PORTS, st.one_of(st.just(""), ADDRESSES), PORTS)
def test_forwards_round_trip(protocol: str, host: str, port: int, guest: str, to: int) -> None:
    text = f"{protocol}:{host}:{port}-{guest}:{to}"
    forward = HostForward(protocol, host, port, guest, to)
    assert parse_forwards(text) == (forward,)
    assert parse_forwards(f" {text}  {text}") == (forward, forward)


@PATIENT
@given(st.integers(0, 0xFFFF), st.integers(0, 255), st.integers(0, 31), st.integers(0, 7))
def test_host_addresses_round_trip(domain: int, bus: int, slot: int, function: int) -> None:
    address = f"{domain:04x}:{bus:02x}:{slot:02x}.{function}"
    assert parse_bdf(address) == parse_bdf(address.upper()) == address
    assert parse_slot(f"{slot:02x}.{function}") == f"{slot:x}.{function}"


@PATIENT
@given(st.integers(16, 16 * 1024 * 1024))
def test_sizes_round_trip(mebibytes: int) -> None:
    written = [str(mebibytes), f"{mebibytes}M", f"{mebibytes} MiB", f"{mebibytes}mb"]
    if mebibytes * 1024 < 10**12:
        written.append(f"{mebibytes * 1024}K")
    if mebibytes % 1024 == 0:
        written.append(f"{mebibytes // 1024}G")
    assert {parse_size(text) for text in written} == {mebibytes}


@PATIENT
@given(st.integers(-(10**20), 10**20), st.sampled_from(["", "K", "M", "G", "T"]))
def test_sizes_beyond_the_limits_are_refused(number: int, unit: str) -> None:
    kibibytes = number * {"": 1024, "K": 1, "M": 1024, "G": 1024**2, "T": 1024**3}[unit]
    fits = kibibytes % 1024 == 0 and 16 <= kibibytes // 1024 <= 16 * 1024 * 1024
    with contextlib.nullcontext() if fits else pytest.raises(ConfigError):
        assert parse_size(f"{number}{unit}") == kibibytes // 1024


@PATIENT
@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 5)), min_size=1, max_size=8))
def test_cpu_lists_round_trip(ranges: list[tuple[int, int]]) -> None:
    cpus = [cpu for first, more in ranges for cpu in range(first, first + more + 1)]
    written = " ".join(f"{first}-{first + more}" if more else str(first) for first, more in ranges)
    if len(set(cpus)) < len(cpus):
        with pytest.raises(ConfigError):
            parse_pins(written)
    else:
        singly = ",".join(map(str, cpus))
        assert parse_pins(written) == parse_pins(singly) == tuple(cpus)


@PATIENT
@given(st.lists(ONE_LINE, min_size=1, max_size=5))
def test_words_round_trip(words: list[str]) -> None:
    (entry,) = entries_from_value("usercmd", {"cmd": words}, HERE)
    text = entry.options["cmd"]
    assert isinstance(text, str)
    assert parse_words(text) == tuple(words)


@PATIENT
@given(st.integers(-(10**20), 10**20))
def test_ports_and_numbers_are_refused_outside_of_their_limits(number: int) -> None:
    with contextlib.nullcontext() if 0 <= number <= 65535 else pytest.raises(ConfigError):
        assert parse_port(str(number)) == number


@PATIENT
@given(st.binary(min_size=6, max_size=6))
def test_mac_addresses_round_trip(data: bytes) -> None:
    mac = data.hex(":")
    if data[0] & 1 or not any(data):
        with pytest.raises(ConfigError):
            parse_mac(mac)
    else:
        assert parse_mac(mac) == parse_mac(mac.upper()) == mac
