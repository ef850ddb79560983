"""What importing the library adds to a run of Robot Framework."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

SUITE = "*** Settings ***\nLibrary    SSHLibrary\n{}*** Test Cases ***\nNothing\n    No Operation\n"


def measure_imports(rounds: int) -> dict[str, list[float]]:
    """Run two suites dry by turns, without and with the library; return seconds."""
    samples: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as directory:
        suites = {
            "robot with SSHLibrary": Path(directory, "without.robot"),
            "robot with SSHLibrary and DtsVirtLibrary": Path(directory, "with.robot"),
        }
        for suite, line in zip(suites.values(), ("", "Library    DtsVirtLibrary\n"), strict=True):
            suite.write_text(SUITE.format(line), encoding="utf-8")
            _run(suite)  # its byte code is compiled now
        for _ in range(rounds):
            for name, suite in suites.items():
                samples.setdefault(name, []).append(_run(suite))
    return samples


def _run(suite: Path) -> float:
    argv = [
        sys.executable,
        "-m",
        "robot",
        "--dryrun",
        "--output",
        "NONE",
        "--log",
        "NONE",
        "--report",
        "NONE",
        str(suite),
    ]
    start = time.monotonic()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start
