"""The figures: what was measured, when, on what machine, as JSON in ``results/``."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from reliability.processes import read

RESULTS = Path(__file__).resolve().parent / "results"


def store(directory: Path, part: str, seed: int, seconds: float, figures: dict[str, Any]) -> None:
    """Write what a part measured."""
    directory.mkdir(parents=True, exist_ok=True)
    content = {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "machine": machine(),
        "seed": seed,
        "seconds": round(seconds),
        "figures": figures,
    }
    text = json.dumps(content, indent=1, allow_nan=False)
    (directory / f"{part}.json").write_text(f"{_compact(text)}\n", encoding="utf-8")


def load(directory: Path, part: str) -> Any:
    """Return what a part measured, None if it was never run."""
    path = directory / f"{part}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def machine() -> str:
    """Return the machine in one line."""
    memory = re.search(r"MemTotal:\s+(\d+)", read("/proc/meminfo"))
    model = re.search(r"model name\s*:\s*(.+)", read("/proc/cpuinfo"))
    system = re.search(r'PRETTY_NAME="(.+)"', read("/etc/os-release"))
    return ", ".join(
        [
            f"{os.cpu_count()} CPUs ({model[1] if model else platform.machine()})",
            f"{int(memory[1]) // 2**20 if memory else '?'} GiB",
            system[1] if system else platform.system(),
            f"Linux {platform.release()}",
            f"QEMU {_qemu_version()} with TCG",
            f"Python {platform.python_version()}",
        ]
    )


def _qemu_version() -> str:
    argv = ["qemu-system-x86_64", "--version"]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    found = re.search(r"version ([\d.]+)", said)
    return found[1] if found else "?"


def _compact(text: str) -> str:
    """Put lists of numbers on one line."""
    return re.sub(r"\[[^][{}\"]*\]", lambda match: " ".join(match[0].split()), text)
