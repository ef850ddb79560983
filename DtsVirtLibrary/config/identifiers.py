"""The ids of a VM's devices: those that the tester chose and those that are counted."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count

from DtsVirtLibrary.config.check import Checked
from DtsVirtLibrary.config.problems import problem
from DtsVirtLibrary.spec import Origin


class Identifiers:
    """Gives every device an id of its own.

    :param entries: all entries that may hold an explicit id; two with the same one
        are a ConfigError that names both places.
    """

    def __init__(self, entries: Iterable[Checked]) -> None:
        self._taken: dict[str, Origin] = {}
        self._counts: dict[str, count[int]] = {}
        for entry in entries:
            if name := explicit_id(entry):
                self._take(name, entry.origin)

    def choose(self, entry: Checked, prefix: str) -> str:
        """Return the explicit id of an entry, else the next free one: nic0, nic1, ..."""
        return explicit_id(entry) or self.next(prefix)

    def next(self, prefix: str) -> str:
        """Return the next free id with this prefix."""
        numbers = self._counts.setdefault(prefix, count())
        return next(name for name in (f"{prefix}{n}" for n in numbers) if name not in self._taken)

    def _take(self, name: str, origin: Origin) -> None:
        if name in self._taken:
            facts = [f"The first: {self._taken[name]}", f"The second: {origin}"]
            raise problem(origin, None, f"id '{name}' is used twice", facts)
        self._taken[name] = origin


def explicit_id(entry: Checked) -> str | None:
    """Return the id that the tester chose for an entry, None if none."""
    name: str | None = entry["opt_id"] or entry["opt_name"]
    return name
