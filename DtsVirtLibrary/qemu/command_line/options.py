"""The one way in which QEMU's options are written: no value can become an option.

``-device``, ``-netdev``, ``-object``, ``-blockdev``, ``-chardev`` and ``-machine`` take
``key=value`` pairs parted by commas, in which a comma of a value is doubled. All of them
take this form in every supported version, unlike JSON.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from DtsVirtLibrary.errors import ConfigError

_KEY = re.compile(r"[A-Za-z0-9_.-]+\Z")
_ID = re.compile(r"[A-Za-z][A-Za-z0-9._-]*\Z")

Pairs = tuple[tuple[str, str], ...]
Values = Mapping[str, str | int | bool | None]


@dataclass(frozen=True)
class Option:
    """One option of the command line.

    :ivar name: ``-device``.
    :ivar first: value of its first, unnamed key (``e1000``), or its whole text.
    :ivar pairs: its keys and values in order; None where `first` is a text taken as it is.
    """

    name: str
    first: str | None = None
    pairs: Pairs | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """The option as arguments: one word, or two."""
        if self.pairs is None:
            return (self.name,) if self.first is None else (self.name, self.first)
        return self.name, _key_values(self.first, self.pairs)

    def get(self, key: str) -> str | None:
        """Return the value of a key."""
        return dict(self.pairs or ()).get(key)


def flag(name: str) -> Option:
    """Return an option without a value.

    :raises ConfigError: its name holds a NUL character.
    """
    return Option(_checked(name))


def text(name: str, value: str) -> Option:
    """Return an option whose value has no keys, so that a comma in it means nothing.

    :raises ConfigError: the value holds a NUL character.
    """
    return Option(_checked(name), _checked(value))


def pairs(name: str, first: str | None, values: Values | Pairs) -> Option:
    """Return an option of keys and values, leaving out keys whose value is None.

    :raises ConfigError: a key is not one, or a value holds a NUL character.
    """
    items = values.items() if isinstance(values, Mapping) else values
    kept = tuple((_key(key), _checked(_text(value))) for key, value in items if value is not None)
    return Option(name, first, kept)


def is_id(value: str) -> bool:
    """Tell whether QEMU takes the text as an id: a letter, then letters, digits, ``-._``."""
    return _ID.match(value) is not None


def _key_values(first: str | None, items: Pairs) -> str:
    words = [] if first is None else [_escaped(first)]
    words += [f"{key}={_escaped(value)}" for key, value in items]
    return ",".join(words)


def _escaped(value: str) -> str:
    return value.replace(",", ",,")


def _text(value: str | int | bool) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)


def _key(key: str) -> str:
    if not _KEY.match(key):
        raise ConfigError(f"'{key}' is not the name of a QEMU property")
    return key


def _checked(value: str) -> str:
    if "\0" in value:
        raise ConfigError(f"{value!r} holds a NUL character, which no argument can carry")
    return value
