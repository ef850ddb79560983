"""From samples to what is to be known: medians, spreads, goals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Row:
    """A line of the table: what, its median and spread in milliseconds, and the goal."""

    name: str
    value: str
    spread: str = ""
    goal: str = ""
    reached: bool | None = None

    @property
    def verdict(self) -> str:
        """``yes``, ``NO``, or nothing where there is no goal."""
        return {None: "", True: "yes", False: "NO"}[self.reached]


def summarize(samples: Mapping[str, Sequence[float]]) -> list[Row]:
    """Return the measured medians, then what the goals speak of."""
    middle = {name: median(values) for name, values in samples.items()}
    rows = [
        Row(name, _ms(middle[name]), f"{_ms(min(values))} to {_ms(max(values))}")
        for name, values in samples.items()
    ]
    agent, floor = middle["Start VM, to the agent"], middle["floor, to the agent"]
    login, banner = middle["Start VM, to the SSH login"], middle["floor, to the SSH banner"]
    stop, trip = middle["Stop VM, after the end of the process"], middle["round trip to the agent"]
    added = middle["robot with SSHLibrary and DtsVirtLibrary"] - middle["robot with SSHLibrary"]
    return [
        *rows,
        Row(
            "Start VM to the agent, against the floor",
            f"{agent / floor:.3f} x",
            "",
            "<= 1.05 x",
            agent <= 1.05 * floor,
        ),
        Row(
            "SSH login beyond the floor's banner",
            _ms(login - banner),
            "",
            "<= 300 ms",
            login - banner <= 0.3,
        ),
        Row("embedded guest, to the agent", _ms(agent), "", "<= 3500 ms", agent <= 3.5),
        Row("Stop VM after the process's end", _ms(stop), "", "<= 50 ms", stop <= 0.05),
        Row("round trip to the agent", _ms(trip), "", "<= 10 ms", trip <= 0.01),
        Row("import, added to robot with SSHLibrary", _ms(added), "", "<= 60 ms", added <= 0.06),
    ]


def markdown(rows: Sequence[Row], machine: str) -> str:
    """Return the table as Markdown."""
    lines = [
        "# Measurements",
        "",
        f"{machine} Written by `make bench`; medians, with the smallest and largest sample.",
        "",
        "| what | median | spread | goal | reached |",
        "|---|---|---|---|---|",
        *(f"| {r.name} | {r.value} | {r.spread} | {r.goal} | {r.verdict} |" for r in rows),
    ]
    return "\n".join(lines) + "\n"


def terminal(rows: Sequence[Row]) -> str:
    """Return the table for a terminal."""
    width = max(len(row.name) for row in rows)
    return "\n".join(
        f"{r.name:<{width}}  {r.value:>12}  {r.spread:<24}  {r.goal:<11} {r.verdict}".rstrip()
        for r in rows
    )


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
