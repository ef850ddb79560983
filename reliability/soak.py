"""A thousand starts and stops in one process, which must hold afterwards what it held before."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from reliability.images import make_boot_image, make_image
from reliability.processes import adopt_orphans
from reliability.runs import Run, robot

# Caches fill, lazy modules load and the allocator finds its size in the first cycles.
WARM_UP_SHARE = 0.1
# Of a thousand cycles' samples, so many are kept in the figures.
KEPT_SAMPLES = 50
FLAT = (
    "descriptors",
    "sockets",
    "threads",
    "processes",
    "files",
    "ports",
    "interfaces, namespaces, hugepages",
    "supervisor descriptors",
)
GROWING = ("memory", "supervisor memory")


def run_soak(cycles: int, seed: int) -> dict[str, Any]:
    """Run the cycles in one Robot Framework and return the figures."""
    adopt_orphans()
    with (
        tempfile.TemporaryDirectory(prefix="soak-") as work,
        tempfile.TemporaryDirectory(prefix="rt-", dir="/dev/shm") as templates,
    ):
        image, boot_image = make_image(Path(work)), make_boot_image(Path(work))
        output = Path(work, "run")
        output.mkdir()
        options = ["--loglevel", "WARN", "--log", "NONE", "--report", "NONE"]
        for name, value in (
            *(("CYCLES", cycles), ("SEED", seed)),
            *(("IMAGE", image), ("BOOT_IMAGE", boot_image)),
        ):
            options += ["--variable", f"{name}:{value}"]
        run = Run(robot("soak.robot", *options), output, Path(templates), console=sys.stdout)
        try:
            code = run.process.wait()
            left = [f"process {pid}" for pid in run.processes(())] + run.traces()
            content = json.loads((output / "samples.json").read_text(encoding="utf-8"))
        finally:
            run.close()
    return {**_figures(content), "cycles": cycles, "exit_code": code, "left_at_the_end": left}


def _figures(content: dict[str, Any]) -> dict[str, Any]:
    """Return what the page shows of the samples."""
    samples = content["samples"]
    steady = samples[int(len(samples) * WARM_UP_SHARE) :]
    step = max(1, len(samples) // KEPT_SAMPLES)
    return {
        "mix": {kind: len(seconds) for kind, seconds in content["seconds"].items()},
        "ends": content["ends"],
        "seconds": {kind: round(median(times), 3) for kind, times in content["seconds"].items()},
        "flat": {
            key: {
                "first": steady[0][key],
                "last": steady[-1][key],
                "least": min(sample[key] for sample in steady),
                "most": max(sample[key] for sample in steady),
            }
            for key in FLAT
        },
        "memory": {
            key: {
                "first": steady[0][key],
                "last": steady[-1][key],
                "per_cycle": round(slope([(s["cycle"], s[key]) for s in steady]), 3),
            }
            for key in GROWING
        },
        "samples": [[s["cycle"], s["descriptors"], s["memory"]] for s in samples[::step]],
    }


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the slope of the line through the points, by least squares."""
    if len(points) < 2:
        return 0.0
    middle_x = sum(x for x, _ in points) / len(points)
    middle_y = sum(y for _, y in points) / len(points)
    over = sum((x - middle_x) * (y - middle_y) for x, y in points)
    return over / sum((x - middle_x) ** 2 for x, _ in points)
