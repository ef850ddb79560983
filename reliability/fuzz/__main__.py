"""Run one fuzz target with atheris: ``python -m reliability.fuzz TARGET --seconds N``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from reliability.fuzz.engine import Campaign, run
from reliability.fuzz.targets import TARGETS

WORK = Path("results/fuzz")


def main() -> int:
    """Run the target named on the command line; exit code 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m reliability.fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=float, default=60.0, help="CPU time (default: 60)")
    parser.add_argument("--seed", type=int, default=1, help="of the mutations (default: 1)")
    parser.add_argument(
        "--work", type=Path, default=WORK, help=f"for what is found (default: {WORK})"
    )
    parser.add_argument("--figures", type=Path, help="file that the figures are written into")
    given = parser.parse_args()
    directory = given.work / given.target
    return run(Campaign(given.target, given.seconds, given.seed, directory, given.figures))


if __name__ == "__main__":
    sys.exit(main())
