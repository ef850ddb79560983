"""Eight workers of pabot and two runs, each with the same suite at the same time."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from robot.api import ExecutionResult

from reliability.images import make_image
from reliability.processes import adopt_orphans
from reliability.runs import ROOT, SUITES, Run, robot

WORKERS = 8
RUNS = 2
LIMIT = 2.0
VMS_OF_A_PAIR = 2
POLL_SECONDS = 0.2


def run_parallel(pairs: int) -> dict[str, Any]:
    """Run both and return the figures.

    :param pairs: how many pairs of VMs each worker and each run starts, one after the other.
    """
    adopt_orphans()
    with (
        tempfile.TemporaryDirectory(prefix="parallel-") as work,
        tempfile.TemporaryDirectory(prefix="rt-", dir="/dev/shm") as templates,
    ):
        image = make_image(Path(work))
        variables = ["--variable", f"IMAGE:{image}", "--variable", f"PAIRS:{pairs}"]
        listener = ["--listener", "reliability.killer.Killer:none"]
        side = _Side(Path(work), Path(templates), pairs)
        return {
            "pabot": side.watch([_pabot(Path(work), [*listener, *variables])], WORKERS),
            "runs": side.watch([robot("parallel.robot", *listener, *variables)] * RUNS, RUNS),
        }


class _Side:
    """Watches runs that are side by side."""

    def __init__(self, work: Path, templates: Path, pairs: int) -> None:
        self._work = work
        self._templates = templates
        self._pairs = pairs

    def watch(self, commands: Sequence[Sequence[str]], workers: int) -> dict[str, Any]:
        """Run the commands at the same time and return what came of them."""
        began = time.monotonic()
        runs = [self._start(argv) for argv in commands]
        try:
            self._follow(runs)
            failures = [text for run in runs for text in _failures(run)]
            took = time.monotonic() - began
            ended = time.monotonic()
            late = [left for run in runs for left in run.watch_end(ended, LIMIT, ()).late]
        finally:
            for run in runs:
                run.close()
        return {
            "workers": workers,
            "vms": workers * self._pairs * VMS_OF_A_PAIR,
            "seconds": round(took, 1),
            "failures": failures,
            "left": late,
        }

    def _start(self, argv: Sequence[str]) -> Run:
        directory = Path(tempfile.mkdtemp(dir=self._work))
        return Run(argv, directory, self._templates)

    @staticmethod
    def _follow(runs: Sequence[Run]) -> None:
        """Read what the runs report until all have ended."""
        pairs = 0
        while any(run.process.poll() is None for run in runs):
            time.sleep(POLL_SECONDS)
            for run in runs:
                for message in run.reports():
                    pairs += "pair" in message
                    if "pair" in message and pairs % WORKERS == 0:
                        print(f"{pairs * VMS_OF_A_PAIR} VMs came and went", flush=True)


def _failures(run: Run) -> list[str]:
    """Wait for a run's end and return the messages of the tests that failed."""
    code = run.process.wait()
    report = run.directory / "output.xml"
    if not report.exists():
        return [f"exit code {code} without a report: {run.console()}"]
    tests = list(ExecutionResult(str(report)).suite.all_tests)
    found = [f"{test.name}: {test.message}" for test in tests if not test.passed]
    return found or ([] if code == 0 and tests else [f"exit code {code}"])


def _pabot(work: Path, options: Sequence[str]) -> list[str]:
    """Return the command line that runs the suite once for each worker, all at a time."""
    argv = [sys.executable, "-m", "pabot.pabot", "--no-pabotlib", "--processes", str(WORKERS)]
    for number in range(1, WORKERS + 1):
        file = work / f"worker-{number}.txt"
        file.write_text(f"--variable WORKER:{number}\n", encoding="utf-8")
        argv += [f"--argumentfile{number}", str(file)]
    argv += ["--pythonpath", str(ROOT), "--outputdir", "."]
    return [*argv, *options, str(SUITES / "parallel.robot")]
