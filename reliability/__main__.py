"""Run the parts, store their figures, write the page; the exit code says whether all is well."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from reliability.figures import RESULTS, load, store
from reliability.kill_matrix import joined, run_matrix
from reliability.page import PAGE, verdicts, write

ROOT = Path(__file__).resolve().parent.parent
CYCLES, ROUNDS, PAIRS, FUZZ_SECONDS = 1000, 20, 6, 3600


def main(arguments: Sequence[str]) -> int:
    """Run what the command line asks for."""
    options = _parser().parse_args(arguments)
    if options.page:
        write(PAGE, RESULTS)
        return 0
    parts = options.parts or list(PARTS)
    if unknown := set(parts) - set(PARTS):
        print(f"unknown part {unknown.pop()!r}; known: {', '.join(PARTS)}", file=sys.stderr)
        return 2
    for part in parts:
        print(f"\n== {part}", flush=True)
        began = time.monotonic()
        figures = PARTS[part](options)
        seconds = time.monotonic() - began
        old = load(options.results, part) if part == "kill" and options.points else None
        if old is not None and figures is not None:
            figures, seconds = joined(old["figures"], figures), seconds + old["seconds"]
        if figures is not None:
            store(options.results, part, options.seed, seconds, figures)
    if options.results == RESULTS:
        write(PAGE, RESULTS)
        print(f"\n{PAGE.relative_to(ROOT)} is written.")
    missed = [line for part in parts for line in verdicts(part, load(options.results, part))]
    for line in missed:
        print(f"NOT REACHED: {line}")
    print(f"figures in {options.results}")
    return 1 if missed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="reliability/run.py",
        description="Measure what stays behind: soak, killed runs, parallel runs, fuzzing.",
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument(
        "--factor", type=float, default=1.0, help="size; at 1 fuzzing takes an hour a target"
    )
    parser.add_argument("--seed", type=int, default=1, help="order of cycles and rounds")
    parser.add_argument(
        "--points", nargs="*", default=[], help="points of the kill matrix, whose rows are renewed"
    )
    parser.add_argument("--lanes", type=int, default=2, help="kill matrices side by side, 1 to 4")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the figures go")
    parser.add_argument("--page", action="store_true", help="only write docs/reliability.md")
    return parser


def _soak(options: argparse.Namespace) -> dict[str, Any]:
    from reliability.soak import run_soak

    return run_soak(_scaled(CYCLES, options), options.seed)


def _kill(options: argparse.Namespace) -> dict[str, Any]:
    rounds = _scaled(ROUNDS, options)
    return run_matrix(options.points, rounds, options.seed, options.lanes)


def _parallel(options: argparse.Namespace) -> dict[str, Any]:
    from reliability.parallel import run_parallel

    return run_parallel(_scaled(PAIRS, options))


def _fuzz(options: argparse.Namespace) -> None:
    """Run the fuzz targets one after the other; they put their figures into one file."""
    from reliability.fuzz.figures import forget
    from reliability.fuzz.targets import TARGETS

    figures = options.results / "fuzz.json"
    size = ["--seconds", str(_scaled(FUZZ_SECONDS, options)), "--seed", str(options.seed)]
    for target in TARGETS:
        argv = [sys.executable, "-m", "reliability.fuzz", target, *size, "--figures", str(figures)]
        # What it finds is in the figures; a run that came to nothing has none.
        forget(figures, target)
        subprocess.run(argv, cwd=ROOT, check=False)


def _scaled(size: int, options: argparse.Namespace) -> int:
    factor: float = options.factor
    return max(1, round(size * factor))


PARTS: dict[str, Callable[[argparse.Namespace], dict[str, Any] | None]] = {
    "soak": _soak,
    "kill": _kill,
    "parallel": _parallel,
    "fuzz": _fuzz,
}

if __name__ == "__main__":
    # A shell that starts a job in the background makes it ignore these; the runs get them sent.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main(sys.argv[1:]))
