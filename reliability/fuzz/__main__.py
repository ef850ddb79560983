"""Run fuzz targets with atheris: ``python -m reliability.fuzz [TARGET...] --seconds N``."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from reliability.fuzz.engine import Campaign, run
from reliability.fuzz.targets import HERE, TARGETS

WORK = Path("results/fuzz")
FIGURES = HERE.parent / "results" / "fuzz.json"


def main() -> int:
    """Run the targets named on the command line; exit code 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m reliability.fuzz", description=__doc__)
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)} (default: all)"
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="CPU time each (default: 60)")
    parser.add_argument("--seed", type=int, default=1, help="of the mutations (default: 1)")
    parser.add_argument(
        "--work", type=Path, default=WORK, help=f"for what is found (default: {WORK})"
    )
    parser.add_argument(
        "--figures", type=Path, help="file for the figures (default where all run: the committed)"
    )
    given = parser.parse_args()
    if unknown := set(given.targets) - set(TARGETS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}. Known: {', '.join(TARGETS)}")
    if len(given.targets) == 1:
        (target,) = given.targets
        directory = given.work / target
        return run(Campaign(target, given.seconds, given.seed, directory, given.figures))
    if not given.targets:
        given.figures = given.figures or FIGURES
    return _side_by_side(given.targets or list(TARGETS), given)


def _side_by_side(targets: Sequence[str], given: argparse.Namespace) -> int:
    """Run each target in a process of its own, as many at once as there are processors."""
    options = [f"--seconds={given.seconds}", f"--seed={given.seed}", f"--work={given.work}"]
    options += [f"--figures={given.figures}"] if given.figures else []

    def run_one(target: str) -> int:
        argv = [sys.executable, "-m", "reliability.fuzz", target, *options]
        return subprocess.run(argv, check=False).returncode

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        codes = list(pool.map(run_one, targets))
    return max(map(abs, codes))


if __name__ == "__main__":
    sys.exit(main())
