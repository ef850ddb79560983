"""Parameters: order, what replaces what, what is merged; values from Python."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from DtsVirtLibrary.config import Entry, Parameters, entries_from_value
from DtsVirtLibrary.errors import ConfigError
from DtsVirtLibrary.spec import Origin
from utest.config.making import HERE, parameters


def options(parameter: str, value: object) -> list[dict[str, Any]]:
    """Return the options of the entries made from a value."""
    return [dict(entry.options) for entry in entries_from_value(parameter, value, HERE)]


@pytest.mark.parametrize(
    ("parameter", "value", "expected"),
    [
        ("mem", "size=1024,hugepage=yes", [{"size": "1024", "hugepage": "yes"}]),
        ("mem", {"size": 1024, "hugepage": True}, [{"size": "1024", "hugepage": "on"}]),
        ("mem", {"size": "1024", "hugepage": None}, [{"size": "1024"}]),
        ("mem", 1024, [{"size": "1024"}]),
        ("mem", 1024.0, [{"size": "1024"}]),
        ("mem", "1.5G", [{"size": "1.5G"}]),
        ("MEM", 1024, [{"size": "1024"}]),
        ("start", 0.5, [{"wait_seconds": "0.5"}]),
        ("enable_kvm", False, [{"enable": "off"}]),
        ("cpu", {"cpupin": [24, 25]}, [{"cpupin": "24 25"}]),
        ("cpu", None, []),
        ("disk", Path("/a.img"), [{"file": "/a.img"}]),
        ("disk", {"file": Path("/a.img")}, [{"file": "/a.img"}]),
        ("disk", ["/a.img", {"file": "/b.img"}], [{"file": "/a.img"}, {"file": "/b.img"}]),
        ("disk", ("/a.img;/b.img", "/c.img"), [{"file": f"/{x}.img"} for x in "abc"]),
        ("disk", "disk,file=x", None),
        ("login", {"password": "a,b;c"}, [{"password": "a,b;c"}]),
        ("usercmd", {"cmd": ["-append", "a b"]}, [{"cmd": "-append 'a b'"}]),
        ("vnc", "disable", [{"disable": ""}]),
        ("device", [], None),
        ("device", {}, [{}]),
    ],
)
def test_values(parameter: str, value: object, expected: list[dict[str, str]] | None) -> None:
    if expected is None:
        with pytest.raises(ConfigError):
            print(options(parameter, value))
    else:
        assert options(parameter, value) == expected


@pytest.mark.parametrize(
    ("parameter", "value", "message"),
    [
        ("cup", "number=2", "test: unknown parameter 'cup'. Did you mean 'cpu'? Known: name, "),
        ("os", "loader=x", "test: os: belongs to DTS's LIBVIRT class"),
        ("cpu", b"number=2", "test: cpu: a value of type bytes, expected text"),
        ("cpu", object(), "test: cpu: a value of type object, expected text"),
        ("cpu", {"number": object()}, "test: cpu: number: a value of type object"),
        ("cpu", {1: 2}, "test: cpu: option 1 is not a text"),
        ("cpu", 10**18, "test: cpu: a number of 1000000000000000000 or more"),
        ("cpu", [], "test: cpu: no value"),
        ("cpu", "", "test: cpu: no value"),
        ("login", "root", "test: login: a text without a name. Known: user, password"),
    ],
)
def test_values_that_are_refused(parameter: str, value: object, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        entries_from_value(parameter, value, HERE)
    assert str(caught.value).startswith(message)


def test_a_number_that_python_refuses_to_print() -> None:
    with pytest.raises(ConfigError, match=r"cpu: number: a number of 10+ or more"):
        entries_from_value("cpu", {"number": 10**5000}, HERE)


def values(of: Parameters) -> Mapping[str, list[str]]:
    """Return the only option of each entry, by parameter."""
    return {name: ["".join(map(str, e.options.values())) for e in of.entries(name)] for name in of}


def entry(text: str) -> Entry:
    """Return a device entry."""
    return Entry({"driver": text}, HERE)


def test_order_is_kept() -> None:
    assert list(parameters(vnc=1, cpu=2, mem=512)) == ["vnc", "cpu", "mem"]
    assert len(parameters(vnc=1, cpu=2)) == 2


def test_set_replaces_and_none_takes_away() -> None:
    given = parameters(cpu=2)
    given.set("cpu", entries_from_value("cpu", 3, HERE))
    assert values(given) == {"cpu": ["3"]}
    given.set("cpu", entries_from_value("cpu", None, HERE))
    assert "cpu" not in given


def test_a_parameter_without_entries_is_not_there() -> None:
    assert "cpu" not in Parameters({"cpu": ()})
    assert len(Parameters({"cpu": ()})) == 0


def test_set_replaces_what_was_added_too() -> None:
    given = Parameters()
    given.add("device", entry("a"))
    given.set("device", [entry("b")])
    assert values(given) == {"device": ["b"]}


def test_added_entries_stay_behind_those_of_a_file_loaded_later() -> None:
    given = Parameters({"device": [entry("old")]})
    given.add("device", entry("added"))
    given.load(Parameters({"device": [entry("file")]}))
    assert values(given) == {"device": ["file", "added"]}


def test_defaults_are_used_only_where_there_is_nothing() -> None:
    given = parameters(cpu=2)
    given.add("device", entry("added"))
    given.merge_defaults(parameters(cpu=4, mem=1024, device="driver=global"))
    assert values(given) == {"cpu": ["2"], "device": ["added"], "mem": ["1024"]}


def test_a_copy_is_independent() -> None:
    given = parameters(cpu=2)
    given.add("device", entry("a"))
    copied = given.copy()
    assert copied == given
    copied.add("device", entry("b"))
    copied.remove("cpu")
    assert values(given) == {"cpu": ["2"], "device": ["a"]}
    assert copied != given


def test_an_entry_knows_the_lines_of_its_options() -> None:
    line = Origin("a.cfg", 3)
    made = Entry({"a": "1", "b": "2"}, HERE, {"b": line})
    assert (made.origin_of("a"), made.origin_of("b")) == (HERE, line)
