"""No value can become an option: what is written is read back by QEMU's own grammar."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from DtsVirtLibrary.errors import ConfigError
from DtsVirtLibrary.qemu.command_line.options import flag, is_id, pairs, text
from DtsVirtLibrary.qemu.command_line.raw_options import RawOption, made_ids, raw_options
from DtsVirtLibrary.qemu.command_line.slots import parse_address

VALUES = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)))
KEYS = st.from_regex(r"[A-Za-z0-9_.-]+", fullmatch=True)


def parsed(words: str) -> list[str]:
    """Part an option at its commas as QEMU does: two of them stand for one."""
    parts, current, at = [], "", 0
    while at < len(words):
        if words.startswith(",,", at):
            current, at = f"{current},", at + 2
        elif words[at] == ",":
            parts.append(current)
            current, at = "", at + 1
        else:
            current, at = current + words[at], at + 1
    return [*parts, current]


@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=4))
def test_what_is_written_is_read_back(values: dict[str, str]) -> None:
    name, words = pairs("-device", "e1000", values).words
    assert name == "-device"
    assert parsed(words) == ["e1000", *(f"{key}={value}" for key, value in values.items())]


@given(VALUES, VALUES)
def test_raw_options_are_read_the_same_way(path: str, name: str) -> None:
    _, words = pairs("-chardev", "socket", {"path": path, "id": name}).words
    option = RawOption("chardev", (words,))
    assert (option.get("path"), option.get("id")) == (path, name)


@pytest.mark.parametrize("key", ["", "a b", "a=b", "a,b", "a\nb", "ä"])
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match="is not the name of a QEMU property"):
        pairs("-device", "e1000", {key: "x"})


@pytest.mark.parametrize(
    "make",
    [
        lambda v: pairs("-a", None, {"b": v}),
        lambda v: text("-a", v),
        lambda v: text(v, "a"),
        flag,
    ],
)
def test_nul_is_refused(make: object) -> None:
    with pytest.raises(ConfigError, match="NUL"):
        make("a\0b")  # type: ignore[operator]


def test_values_of_other_types() -> None:
    option = pairs("-netdev", None, {"a": True, "b": False, "c": 3, "d": None})
    assert option.words == ("-netdev", "a=on,b=off,c=3")
    assert (option.get("c"), option.get("d")) == ("3", None)
    assert flag("-S").words == ("-S",)
    assert text("-append", "a,b=c").words == ("-append", "a,b=c")


@pytest.mark.parametrize(("name", "valid"), [("a", True), ("a-b.c_9", True), ("", False)])
@pytest.mark.parametrize("suffix", ["", "\n"])
def test_ids(name: str, valid: bool, suffix: str) -> None:
    assert is_id(name + suffix) == (valid and not suffix)


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("1f", (0x1F, 0)),
        ("0x1F.7", (0x1F, 7)),
        ("05", (5, 0)),
        ("20", None),
        ("1.8", None),
        ("5.", None),
        ("", None),
        ("-1", None),
        ("00:05.0", None),
        ("5\n", None),
    ],
)
def test_addresses(written: str, place: tuple[int, int] | None) -> None:
    assert parse_address(written) == place


def test_words_are_parted_into_options() -> None:
    words = ["stray", "-S", "--device", "e1000,id=a,,b", "-", "-netdev", "user,id=n,hostfwd=,,id=x"]
    assert raw_options(words) == [
        RawOption("", ("stray",)),
        RawOption("S"),
        RawOption("device", ("e1000,id=a,,b", "-")),
        RawOption("netdev", ("user,id=n,hostfwd=,,id=x",)),
    ]
    assert made_ids(words) == ["a,b", "n"]
    assert made_ids(words, "netdev") == ["n"]
