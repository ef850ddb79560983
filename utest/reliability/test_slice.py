"""A small slice of `make reliability`, so that it works when it is wanted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
POINTS = (
    "supervisor-told",
    "application",
    "second-ctrl-c",
    "sigterm",
    "pabot-timeout",
    "supervisor-too",
)
DEADLINE = 600.0

pytestmark = [
    pytest.mark.qemu,
    pytest.mark.skipif(os.geteuid() != 0, reason="taps, namespaces and hugepages need root"),
]


def measure(part: str, directory: Path, *options: str) -> tuple[Any, str]:
    """Run a part; return its figures, and what it printed."""
    argv = [sys.executable, "reliability/run.py", part, "--results", str(directory), *options]
    done = subprocess.run(
        argv,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=DEADLINE,
    )
    assert done.returncode == 0, done.stdout
    return json.loads((directory / f"{part}.json").read_text())["figures"], done.stdout


@pytest.mark.fault(69)
def test_killed_runs_leave_nothing(tmp_path: Path) -> None:
    options = ["--factor", "0.05", "--lanes", "1", "--points", *POINTS]
    figures, printed = measure("kill", tmp_path, *options)
    assert [row["name"] for row in figures["points"]] == list(POINTS)
    assert all(len(row["seconds"]) == 1 for row in figures["points"])
    assert "[6/6]" in printed


def test_starts_and_stops_leave_the_process_as_it_was(tmp_path: Path) -> None:
    figures, _ = measure("soak", tmp_path, "--factor", "0.02")
    assert sum(figures["mix"].values()) == 20
    assert set(figures["mix"]) == {"process", "clone", "cold"}
    assert figures["flat"]["processes"]["last"] == 1


@pytest.mark.fault(70)
def test_eight_workers_with_one_suite_do_not_collide(tmp_path: Path) -> None:
    figures, _ = measure("parallel", tmp_path, "--factor", "0.1")
    assert figures["pabot"]["vms"] == 16
    assert figures["runs"]["vms"] == 4
