"""What was taken from a host and is still to be given back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from DtsVirtLibrary.errors import CleanupError, DtsVirtError, HostError, nearest


@dataclass(frozen=True)
class Entry:
    """Something taken: its kind and name for messages, and how to give it back."""

    kind: str
    name: str
    give_back: Callable[[], Awaitable[object]]


class Taken:
    """Keeps what was taken, in order, and gives it back, the last first."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], Entry] = {}

    def names(self, kind: str) -> list[str]:
        """Return the names of what is held of a kind."""
        return [entry.name for entry in self._entries.values() if entry.kind == kind]

    def hold(self, kind: str, name: str, give_back: Callable[[], Awaitable[object]]) -> None:
        """Note that something was taken."""
        self._entries[kind, name] = Entry(kind, name, give_back)

    async def give_back(self, kind: str, name: str) -> None:
        """Give one thing back.

        :raises HostError: nothing of that kind and name is held, or the host refused.
        """
        entry = self._entries.get((kind, name))
        if entry is None:
            held = self.names(kind)
            raise HostError(
                f"No {kind} '{name}' is held by this run.{nearest(name, held)} "
                f"Held: {', '.join(held) or 'none'}."
            )
        await entry.give_back()
        del self._entries[kind, name]

    async def give_back_all(self) -> None:
        """Give everything back, the last first; quiet when nothing is held.

        :raises CleanupError: some of it could not be given back; the rest was.
        """
        failures = []
        for key, entry in reversed(list(self._entries.items())):
            try:
                await entry.give_back()
            except DtsVirtError as error:
                failures.append(f"{entry.kind} '{entry.name}': {error}")
            self._entries.pop(key, None)
        if failures:
            raise CleanupError(
                f"{len(failures)} of what was taken from the host could not be given back:\n"
                + "\n".join(failures)
            )
