"""What was measured of the library and its peers: a table, the samples and a chart of them."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

RESULTS = Path(__file__).resolve().parent.parent / "results"
PARTS = ("ready", "command", "stop")
COLORS = {"ready": "#5a8fc7", "command": "#e0a458", "stop": "#9aa5b1"}


@dataclass
class Row:
    """One who does the job.

    :ivar answers_by: what the guest answers with when it is ready.
    :ivar problem: why there are no samples, or no more of them.
    """

    name: str
    answers_by: str
    remark: str = ""
    problem: str = ""
    samples: list[dict[str, float]] = field(default_factory=list)

    def values(self, part: str) -> list[float]:
        """Return the samples of a part."""
        return [sample[part] for sample in self.samples if part in sample]

    @property
    def whole(self) -> list[float]:
        """The samples of the whole job."""
        return [sum(sample.values()) for sample in self.samples if len(sample) == len(PARTS)]


def write_report(rows: Iterable[Row], qemu: str) -> None:
    """Print the table; write table, samples and chart.

    :param qemu: version of the binary that all of them ran.
    """
    rows = list(rows)
    facts = {"date": time.strftime("%Y-%m-%d"), "machine": machine(), "qemu": qemu}
    text = table(rows, facts)
    print(f"\n{text}")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "peers.md").write_text(text)
    content = {**facts, "rows": [vars(row) for row in rows]}
    (RESULTS / "peers.json").write_text(json.dumps(content, indent=1) + "\n")
    draw([row for row in rows if row.samples], qemu)


def machine() -> str:
    """Return what the figures were measured on."""
    load = os.getloadavg()[0]
    python = f"Python {platform.python_version()}"
    system = f"{platform.system()} {platform.release()}"
    return f"{os.cpu_count()} CPUs, load {load:.1f}, {system}, {python}"


def table(rows: Iterable[Row], facts: Mapping[str, str]) -> str:
    """Return the results as Markdown."""
    lines = [
        "# The same job by this library and its peers",
        "",
        f"{facts['date']}, {facts['machine']}, QEMU {facts['qemu']} with emulation (TCG). Written "
        "by `make bench-peers`: start the VM, wait until the guest answers, run `uname -r`, stop; "
        "the same QEMU, kernel, initramfs, memory and network card for all, by turns. Median "
        "seconds, with the smallest and largest sample. Who waits for SSH waits for more of the "
        "guest than who waits for its agent or its console: compare those that wait for the same. "
        "The floor is a bare script that spawns QEMU and waits for the answer, and does no more.",
        "",
        "| who | guest answers by | ready | command | stop | in all | runs | remark |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [_cell(row.values(part)) for part in PARTS]
        remark = "; ".join(words for words in (row.problem, row.remark) if words)
        lines.append(
            f"| {row.name} | {row.answers_by} | {' | '.join(cells)} | {_cell(row.whole)} | "
            f"{len(row.samples)} | {remark} |"
        )
    return "\n".join(lines) + "\n"


def _cell(values: list[float]) -> str:
    if not values:
        return "-"
    return f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def draw(rows: list[Row], qemu: str) -> None:
    """Draw the chart as SVG and PNG."""
    import matplotlib

    matplotlib.use("Agg")
    # So that the same figures make the same file.
    matplotlib.rcParams["svg.hashsalt"] = "dtsvirt"
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(10, 0.45 * len(rows) + 1.2))
    starts = [0.0] * len(rows)
    for part in PARTS:
        middles = [median(row.values(part) or [0.0]) for row in rows]
        axis.barh(range(len(rows)), middles, 0.6, left=starts, color=COLORS[part], label=part)
        starts = [start + middle for start, middle in zip(starts, middles, strict=True)]
    for place, (row, end) in enumerate(zip(rows, starts, strict=True)):
        spread = row.whole or row.values("ready")
        words = f"{median(spread):.2f} s ({min(spread):.2f} to {max(spread):.2f})"
        axis.text(end, place, f" {words}", va="center", fontsize=8)
    names = [f"{row.name} ({row.answers_by})" for row in rows]
    axis.set_yticks(range(len(rows)), names, fontsize=8)
    axis.invert_yaxis()
    # Room for the words at the end of the longest bar.
    axis.set_xlim(0, 1.45 * max(starts))
    axis.set_xlabel("seconds")
    figure.suptitle(f"Start, wait for the guest, run a command, stop: QEMU {qemu}, medians")
    axis.legend(loc="upper right")
    figure.tight_layout()
    for kind, metadata in (("svg", {"Date": None}), ("png", {"Software": None})):
        figure.savefig(RESULTS / f"peers.{kind}", dpi=120, metadata=metadata)
    pyplot.close(figure)
