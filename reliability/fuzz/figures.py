"""What a run of a fuzz target came to, kept as data for the table in docs/reliability.md."""

from __future__ import annotations

import fcntl
import json
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One run.

    :ivar seconds: CPU time.
    :ivar crashes: findings of different causes.
    """

    target: str
    seconds: float
    executions: int
    crashes: int
    seed: int
    date: str

    def __str__(self) -> str:
        return (
            f"{self.target}: {self.executions} executions in {self.seconds:.0f} s of CPU time, "
            f"{self.crashes} findings (seed {self.seed})"
        )


def today() -> str:
    """Return the date, in UTC."""
    return datetime.now(timezone.utc).date().isoformat()


def write(path: Path, figure: Figure) -> None:
    """Put a figure into a file of figures, in the place of the target's last one."""
    _replace(path, figure.target, [asdict(figure)])


def forget(path: Path, target: str) -> None:
    """Take a target's figure out of a file, so that none is taken for that of a run that failed."""
    _replace(path, target, [])


def _replace(path: Path, target: str, items: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Targets run side by side and end at the same time.
    with path.open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        kept = [item for item in json.loads(file.read() or "[]") if item["target"] != target]
        kept = sorted([*kept, *items], key=lambda item: str(item["target"]))
        file.seek(0)
        file.truncate()
        file.write(json.dumps(kept, indent=2) + "\n")
