"""What every job is told and what it tells; needs nothing but Python itself.

A job is a script that reads one JSON object from its first argument and prints one:
seconds from the start of the VM until the guest answered, for one command, and for the stop.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

COMMAND = "uname -r"


class Stopwatch:
    """Takes the time of the three parts of a job."""

    def __init__(self) -> None:
        self._times = [time.monotonic()]

    def lap(self) -> None:
        """A part has ended."""
        self._times.append(time.monotonic())

    def result(self) -> dict[str, float]:
        """Return the seconds of each part."""
        names = ("ready", "command", "stop")
        parts = zip(names, self._times, self._times[1:], strict=False)
        return {name: end - start for name, start, end in parts}


def run(job: Callable[[dict[str, Any]], Stopwatch]) -> None:
    """Do a job with what the first argument says, and print what it took."""
    print(json.dumps(job(json.loads(sys.argv[1])).result()))


def random_numbers() -> list[str]:
    """Return the options of a source of random numbers, which the guest's SSH server needs."""
    return ["-object", "rng-builtin,id=rng0", "-device", "virtio-rng-pci,rng=rng0"]
