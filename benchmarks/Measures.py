"""Keywords that measure the library in the Robot Framework run that they are called in."""

from __future__ import annotations

import json
import os
import select
import shlex
import threading
import time
from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from robot.api import logger
from robot.api.deco import keyword, library
from robot.libraries.BuiltIn import BuiltIn

from benchmarks.floor import measure_floor
from DtsVirtLibrary.results import Readiness

VM = "bench"
PINGS = 50


@library(scope="GLOBAL", auto_keywords=False)
class Measures:
    """Collects samples in seconds, by what was measured."""

    def __init__(self) -> None:
        self._samples: defaultdict[str, list[float]] = defaultdict(list)

    @keyword
    def measure_rounds(self, rounds: int) -> None:
        """Measures once for nothing, then so many rounds, library and floor by turns.

        The first start of a run probes the binary and starts the supervisor, so it is
        noted apart.
        """
        self._call("Create VM", VM)
        self._samples["first start, to the agent"].append(self._start(Readiness.AGENT))
        argv = self._command_line()
        self._stop()
        for number in range(int(rounds)):
            logger.console(f"round {number + 1} of {rounds}")
            floor = measure_floor(argv)
            self._samples["floor, to the agent"].append(floor.agent)
            self._samples["floor, to the SSH banner"].append(floor.banner)
            self._samples["Start VM, to the agent"].append(self._start(Readiness.AGENT))
            self._ping()
            self._samples["Stop VM, after the end of the process"].append(self._stop())
            self._samples["Start VM, to the SSH login"].append(self._start(Readiness.SSH))
            self._stop()

    @keyword
    def write_samples(self, path: str) -> None:
        """Writes what was measured as JSON."""
        Path(path).write_text(json.dumps(self._samples), encoding="utf-8")

    def _call(self, name: str, *arguments: Any, **named: Any) -> Any:
        instance = BuiltIn().get_library_instance("DtsVirtLibrary")
        return instance.run_keyword(name, arguments, named)  # type: ignore[attr-defined]

    def _start(self, readiness: Readiness) -> float:
        start = time.monotonic()
        self._call("Start VM", VM, wait_for=readiness)
        return time.monotonic() - start

    def _stop(self) -> float:
        """Stop the VM and return how long after the end of its process that returned."""
        ended: list[float] = []
        pidfd = os.pidfd_open(self._call("Get VM", VM).pid)

        def watch() -> None:
            select.select([pidfd], [], [])
            ended.append(time.monotonic())

        watcher = threading.Thread(target=watch)
        watcher.start()
        self._call("Stop VM", VM)
        returned = time.monotonic()
        watcher.join()
        os.close(pidfd)
        return returned - ended[0]

    def _ping(self) -> None:
        for _ in range(PINGS):
            took: timedelta = self._call("Ping Guest Agent", VM)
            self._samples["round trip to the agent"].append(took.total_seconds())

    def _command_line(self) -> list[str]:
        artifacts = self._call("Get VM", VM).artifacts
        return shlex.split(Path(artifacts, "command-line.txt").read_text(encoding="utf-8"))
