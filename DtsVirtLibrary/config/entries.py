"""Parameters as they were written: ordered, untyped, each entry with its origin."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol, runtime_checkable

from DtsVirtLibrary.spec import Origin


@runtime_checkable
class SecretText(Protocol):
    """Text that must not be shown, such as Robot Framework's Secret."""

    @property
    def value(self) -> str:
        """The text itself."""


OptionText = str | SecretText


def plain_text(text: OptionText) -> str:
    """Return the text itself, which for a secret happens only where it is needed."""
    return text if isinstance(text, str) else text.value


@dataclass(frozen=True)
class Entry:
    """One entry of a parameter: option -> text, in the order written.

    A value may be a password, so none is part of the representation.

    :ivar origins: where options stand that are not in the entry's own line.
    :ivar in_grammar: it was written as one text, where a comma may have been meant otherwise.
    """

    options: Mapping[str, OptionText] = field(repr=False)
    origin: Origin
    origins: Mapping[str, Origin] = field(
        default_factory=lambda: MappingProxyType({}), repr=False, compare=False
    )
    in_grammar: bool = field(default=False, repr=False, compare=False)

    def origin_of(self, option: str) -> Origin:
        """Return where the option was written."""
        return self.origins.get(option, self.origin)


class Parameters:
    """The parameters of one VM: name -> entries, in the order written.

    Entries that were added one by one are kept apart from those that were set, so that
    a configuration loaded later does not wipe them.
    """

    def __init__(self, given: Mapping[str, Iterable[Entry]] = MappingProxyType({})) -> None:
        self._given: dict[str, tuple[Entry, ...]] = {}
        self._added: dict[str, tuple[Entry, ...]] = {}
        for name, entries in given.items():
            self.set(name, entries)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self._given, *self._added)))

    def __contains__(self, name: object) -> bool:
        return name in self._given or name in self._added

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Parameters):
            return NotImplemented
        return (self._given, self._added) == (other._given, other._added)

    def __repr__(self) -> str:
        counts = ", ".join(f"{name}: {len(self.entries(name))}" for name in self)
        return f"Parameters({counts})"

    def entries(self, name: str) -> tuple[Entry, ...]:
        """Return the entries of a parameter, those that were added last; empty if unknown."""
        return self.given(name) + self.added(name)

    def given(self, name: str) -> tuple[Entry, ...]:
        """Return the entries that a file or :meth:`set` gave."""
        return self._given.get(name, ())

    def added(self, name: str) -> tuple[Entry, ...]:
        """Return the entries that :meth:`add` added."""
        return self._added.get(name, ())

    def set(self, name: str, entries: Iterable[Entry]) -> None:
        """Replace all entries of a parameter; none at all takes the parameter away."""
        self.remove(name)
        if new := tuple(entries):
            self._given[name] = new

    def add(self, name: str, entry: Entry) -> None:
        """Append an entry to a parameter."""
        self._added[name] = (*self.added(name), entry)

    def remove(self, name: str) -> None:
        """Take a parameter away; quiet if it is not there."""
        self._given.pop(name, None)
        self._added.pop(name, None)

    def copy(self) -> Parameters:
        """Return a copy that can be changed by itself."""
        copied = Parameters(self._given)
        copied._added = dict(self._added)
        return copied

    def load(self, other: Parameters) -> None:
        """Take over a configuration: its lists replace those given here, not those added."""
        for name in other:
            self._given[name] = other.entries(name)

    def merge_defaults(self, other: Parameters) -> None:
        """Take from `other` each parameter, whole, of which there is none here."""
        for name in other:
            if name not in self:
                self._given[name] = other.entries(name)
