"""Measure, print a table, keep it in results/."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.imports import measure_imports
from benchmarks.summary import markdown, summarize, terminal

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"


def main() -> int:
    """Measure everything; the exit code is 1 if a goal of warm start was missed."""
    parser = argparse.ArgumentParser(prog="benchmarks/run.py", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured")
    parser.add_argument("--skip-warm", action="store_true", help="without warm start")
    arguments = parser.parse_args()
    rounds = arguments.rounds
    samples = {**_measure_vms(rounds), **measure_imports(rounds * 2)}
    rows = summarize(samples)
    print(f"\n{terminal(rows)}")
    RESULTS.mkdir(exist_ok=True)
    machine = f"{os.cpu_count()} CPUs, {platform.system()} {platform.release()}."
    content = {"machine": machine, "rounds": rounds, "samples": samples}
    (RESULTS / "latest.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    (RESULTS / "latest.md").write_text(markdown(rows, machine), encoding="utf-8")
    reached = True if arguments.skip_warm else _measure_warm_starts(rounds)
    print(f"\nKept in {RESULTS}.")
    return 0 if reached else 1


def _measure_warm_starts(rounds: int) -> bool:
    """Measure warm start on each QEMU there is; return whether its goals were reached."""
    reached = True
    for qemu in ("", _qemu_10()):
        if qemu is None:
            continue
        argv = [sys.executable, str(HERE / "warm.py"), "--rounds", str(rounds)]
        done = subprocess.run([*argv, *(["--qemu", qemu] if qemu else [])], check=False)
        reached = reached and done.returncode == 0
    return reached


def _qemu_10() -> str | None:
    """Return QEMU 10's launcher, None where it cannot be had."""
    print("fetching QEMU 10 where it is not there yet", flush=True)
    script = HERE.parent / "scripts/fetch-qemu-10"
    done = subprocess.run([str(script)], check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        print("QEMU 10 cannot be had, so warm start is not measured on it.")
        return None
    return done.stdout.splitlines()[-1]


def _measure_vms(rounds: int) -> dict[str, list[float]]:
    with tempfile.TemporaryDirectory() as output:
        argv = [sys.executable, "-m", "robot", "--outputdir", output, "--loglevel", "WARN"]
        argv += ["--variable", f"ROUNDS:{rounds}", "--pythonpath", str(HERE.parent)]
        done = subprocess.run([*argv, str(HERE / "measure.robot")], check=False)
        if done.returncode != 0:
            raise SystemExit("The VMs could not be measured; see above.")
        samples: dict[str, list[float]] = json.loads(Path(output, "samples.json").read_text())
        return samples


if __name__ == "__main__":
    sys.exit(main())
