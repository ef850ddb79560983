"""Raw arguments of the tester, parted into options and these into keys and values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_MADE = ("device", "netdev", "object", "chardev", "blockdev", "drive")
# Stands for a doubled comma while a value is parted; no argument can hold it.
_COMMA = "\0"


@dataclass(frozen=True)
class RawOption:
    """An option as the tester wrote it: its name without dashes, and its values."""

    name: str
    values: tuple[str, ...] = ()

    def get(self, key: str) -> str | None:
        """Return the value of a key."""
        for value in self.values:
            for word in split_keys(value):
                name, equals, text = word.partition("=")
                if equals and name == key:
                    return text.replace(",,", ",")
        return None

    @property
    def first(self) -> str:
        """The first word of the first value: a driver, a type."""
        return split_keys(self.values[0])[0] if self.values else ""


def raw_options(words: Sequence[str]) -> list[RawOption]:
    """Part the words into options; a word with a dash in front begins one."""
    options: list[RawOption] = []
    for word in words:
        if len(word) > 1 and word.startswith("-"):
            options.append(RawOption(word.removeprefix("-").removeprefix("-")))
        elif options:
            options[-1] = RawOption(options[-1].name, (*options[-1].values, word))
        else:
            options.append(RawOption("", (word,)))
    return options


def split_keys(value: str) -> list[str]:
    """Return the ``key=value`` words of an option's value, doubled commas left as they are."""
    words = value.replace(",,", _COMMA).split(",")
    return [word.replace(_COMMA, ",,") for word in words]


def made_ids(words: Sequence[str], *kinds: str) -> list[str]:
    """Return the ids that the words give to devices, back ends and the like."""
    ids = [
        option.get(key)
        for option in raw_options(words)
        if option.name in (kinds or _MADE)
        for key in ("id", "node-name")
    ]
    return [name for name in ids if name is not None]


def has_raw_option(words: Sequence[str], name: str) -> bool:
    """Tell whether the words hold an option of this name."""
    return any(option.name == name for option in raw_options(words))
