"""What was measured of warm start: a table, the samples and a chart of them."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path
from statistics import median

RESULTS = Path(__file__).resolve().parent / "results"
LIBRARY, FLOOR = "#5a8fc7", "#d5dde6"


class Name(str, Enum):
    """What is measured; seconds unless said."""

    COLD = "cold: agent answers"
    AGENT = "warm: agent answers"
    STARTED = "warm: Start VM is over, name and time given"
    PROCESSOR = "warm: processor time of QEMU until then"
    LOGIN = "warm: SSHLibrary logged in"
    SAVE = "snapshot saved"
    RESTORE = "snapshot restored"
    AT_ONCE = "8 warm VMs started at once"
    MEMORY = "memory of its own of each of them (PSS), MB"


@dataclass
class Samples:
    """Samples of one thing, of the library and of a script that does only that."""

    library: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)

    @property
    def middle(self) -> float:
        """The library's median."""
        return median(self.library)

    @property
    def ratio(self) -> float | None:
        """The library's median against the floor's."""
        return self.middle / median(self.floor) if self.floor else None


@dataclass(frozen=True)
class Goal:
    """A goal: what was found must be at most so much."""

    name: str
    found: float
    limit: float
    unit: str

    @property
    def reached(self) -> bool:
        """Whether it was."""
        return self.found <= self.limit


def goals(samples: Mapping[Name, Samples]) -> list[Goal]:
    """Return what the figures must be."""
    cold, agent, started = (samples[name] for name in (Name.COLD, Name.AGENT, Name.STARTED))
    return [
        Goal("warm to the agent, against the floor", agent.ratio or 0, 1.3, "x"),
        Goal("warm start, share of cold", started.middle / cold.middle, 0.05, "x"),
        Goal(Name.LOGIN.value, samples[Name.LOGIN].middle, 0.6, "s"),
        Goal(Name.RESTORE.value, samples[Name.RESTORE].middle, 0.5, "s"),
        Goal(Name.AT_ONCE.value, samples[Name.AT_ONCE].middle, 3.0, "s"),
        Goal("memory of each (PSS)", samples[Name.MEMORY].middle, 60.0, "MB"),
    ]


def write_report(samples: Mapping[Name, Samples], facts: Mapping[str, str], version: str) -> int:
    """Print the table, write table, samples and chart; return 1 if a goal was missed."""
    reached = goals(samples)
    text = table(samples, reached, facts, version)
    print(f"\n{text}")
    RESULTS.mkdir(exist_ok=True)
    stem = RESULTS / f"warm-qemu-{version.rpartition('.')[0]}"
    stem.with_name(f"{stem.name}.md").write_text(text)
    content = {
        "qemu": version,
        "machine": machine(),
        "samples": {name.value: asdict(both) for name, both in samples.items()},
        "facts": dict(facts),
    }
    stem.with_name(f"{stem.name}.json").write_text(json.dumps(content, indent=1) + "\n")
    draw(samples, version, stem)
    return 0 if all(goal.reached for goal in reached) else 1


def machine() -> str:
    """Return what the figures were measured on."""
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} CPUs, load {load:.1f}, {platform.system()} {platform.release()}"


def table(
    samples: Mapping[Name, Samples],
    reached: list[Goal],
    facts: Mapping[str, str],
    version: str,
) -> str:
    """Return the results as Markdown."""
    lines = [
        f"# Warm start, QEMU {version}",
        "",
        f"{time.strftime('%Y-%m-%d')}, {machine()}, emulation (TCG), embedded guest with 512 MiB. "
        "Written by `make bench`; medians in seconds unless said, with the smallest and the "
        "largest sample. The floor is a bare script that does only that, by turns with the "
        "library; it gives its clone neither name nor time.",
        "",
        "| what | library | from | to | floor | from | to | library / floor |",
        "|---|---|---|---|---|---|---|---|",
        *(row(name.value, samples[name]) for name in Name),
        "",
        "| goal | found | at most | reached |",
        "|---|---|---|---|",
    ]
    for goal in reached:
        verdict = "yes" if goal.reached else "NO"
        limit = f"{goal.limit:g} {goal.unit}"
        lines.append(f"| {goal.name} | {goal.found:.3f} {goal.unit} | {limit} | {verdict} |")
    lines += ["", *(f"- {name}: {value}" for name, value in facts.items())]
    return "\n".join(lines) + "\n"


def row(name: str, both: Samples) -> str:
    """Return a row of the table."""
    ratio = "" if both.ratio is None else f"{both.ratio:.2f}"
    return f"| {name} | {cells(both.library)} | {cells(both.floor)} | {ratio} |"


def cells(values: list[float]) -> str:
    """Return median, smallest and largest value as cells."""
    if not values:
        return " | | "
    return f"{median(values):.3f} | {min(values):.3f} | {max(values):.3f}"


def draw(samples: Mapping[Name, Samples], version: str, stem: Path) -> None:
    """Draw the chart as SVG and PNG."""
    import matplotlib

    matplotlib.use("Agg")
    # So that the same figures make the same file.
    matplotlib.rcParams["svg.hashsalt"] = "dtsvirt"
    from matplotlib import pyplot

    groups = (
        (Name.COLD, Name.STARTED),
        (Name.AGENT, Name.STARTED, Name.LOGIN, Name.RESTORE),
        (Name.AT_ONCE,),
    )
    figure, axes = pyplot.subplots(
        len(groups), height_ratios=[len(group) for group in groups], figsize=(9, 6)
    )
    for axis, group in zip(axes, groups, strict=True):
        _bars(axis, {name: samples[name] for name in group})
    figure.suptitle(f"Warm start, QEMU {version}: medians, smallest and largest sample")
    axes[0].legend(loc="lower right")
    axes[-1].set_xlabel("seconds")
    figure.tight_layout()
    for kind, metadata in (("svg", {"Date": None}), ("png", {"Software": None})):
        figure.savefig(stem.with_name(f"{stem.name}.{kind}"), dpi=120, metadata=metadata)
    pyplot.close(figure)


def _bars(axis: object, samples: Mapping[Name, Samples]) -> None:
    for shift, color, label, values in (
        (-0.2, LIBRARY, "library", [both.library for both in samples.values()]),
        (0.2, FLOOR, "floor", [both.floor for both in samples.values()]),
    ):
        middles = [median(one) for one in values]
        spread = [
            [middle - min(one) for middle, one in zip(middles, values, strict=True)],
            [max(one) - middle for middle, one in zip(middles, values, strict=True)],
        ]
        places = [index + shift for index in range(len(values))]
        bars = axis.barh(  # type: ignore[attr-defined]
            places, middles, 0.36, color=color, label=label, xerr=spread, ecolor="#777"
        )
        axis.bar_label(bars, fmt="%.2f s", padding=4)  # type: ignore[attr-defined]
    axis.set_yticks(range(len(samples)), [name.value for name in samples])  # type: ignore[attr-defined]
    axis.invert_yaxis()  # type: ignore[attr-defined]
    axis.margins(x=0.15)  # type: ignore[attr-defined]
