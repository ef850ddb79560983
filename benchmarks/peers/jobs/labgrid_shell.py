"""labgrid: QEMUDriver starts the VM, ShellDriver logs in on its console."""

from __future__ import annotations

import tempfile
from typing import Any

from job import COMMAND, Stopwatch, run
from labgrid_target import SHELL, make_target


def job(task: dict[str, Any]) -> Stopwatch:
    with tempfile.TemporaryDirectory() as directory:
        target = make_target(task, directory, {"ShellDriver": SHELL}, {})
        driver = target.get_driver("QEMUDriver")
        watch = Stopwatch()
        driver.on()
        try:
            console = target.get_driver("ShellDriver")
            watch.lap()
            console.run_check(COMMAND)
            watch.lap()
            target.deactivate(console)
        finally:
            driver.off()
        watch.lap()
    return watch


run(job)
