"""What a run has taken from the host, and whether it is still there."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from reliability.processes import read

HUGEPAGES = Path("/sys/kernel/mm/hugepages")


class Taken:
    """Interfaces, namespaces and hugepages, known by the commands that take them back."""

    def __init__(self) -> None:
        self._undo: list[list[str]] = []
        self._pages_before = hugepages()

    def note(self, undo: list[str]) -> None:
        """Note that something is taken now, which this command takes back."""
        self._undo.append(undo)

    def there(self) -> list[str]:
        """Return what is there of it."""
        return [trace for undo in self._undo if (trace := trace_of(undo))] + self._pages()

    def take_back(self) -> None:
        """Take back what is there of it, the last first."""
        pages = bool(self._pages())
        for undo in reversed(self._undo):
            if trace_of(undo) or (pages and undo[0] == "flock"):
                subprocess.run(undo, check=False)

    def _pages(self) -> list[str]:
        """Return the hugepages that are there; other runs may take and give back some too."""
        reserved = [int(undo[-1]) for undo in self._undo if undo[0] == "flock"]
        more = hugepages() - self._pages_before
        return [f"{more} hugepages"] if more and -more in reserved else []


def trace_of(undo: Sequence[str]) -> str | None:
    """Return what the command would take back, None if it is gone already."""
    words = list(undo)
    if "netns" in words and "delete" in words:
        kind, path = "network namespace", Path("/run/netns", words[-1])
    elif words[0] == "rm":
        kind, path = "directory", Path(words[-1])
    elif "link" in words:
        kind, path = "interface", Path("/sys/class/net", words[-1])
    elif words[0] == "sh":  # a link that was moved into a namespace, or a bridge
        kind, path = "interface", Path("/sys/class/net", words[5 if '"$3"' in words[2] else 4])
    else:
        return None
    return f"{kind} {words[-1]}" if path.exists() else None


def hugepages() -> int:
    """Return how many hugepages of all sizes there are."""
    return sum(int(read(str(pool / "nr_hugepages")) or 0) for pool in HUGEPAGES.glob("*"))
