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
    """Measure everything; the exit code is 1 if something could not be measured."""
    parser = argparse.ArgumentParser(prog="benchmarks/run.py", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured")
    rounds = parser.parse_args().rounds
    samples = {**_measure_vms(rounds), **measure_imports(rounds * 2)}
    rows = summarize(samples)
    print(f"\n{terminal(rows)}")
    RESULTS.mkdir(exist_ok=True)
    machine = f"{os.cpu_count()} CPUs, {platform.system()} {platform.release()}."
    content = {"machine": machine, "rounds": rounds, "samples": samples}
    (RESULTS / "latest.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    (RESULTS / "latest.md").write_text(markdown(rows, machine), encoding="utf-8")
    print(f"\nKept in {RESULTS}.")
    return 0


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
