"""labgrid: QEMUDriver starts the VM, SSHDriver reaches it.

The driver holds the guest's console open and leaves reading it to others; unread, it stops the
guest after some hundred bytes. So a thread of this job reads it.
"""

from __future__ import annotations

import tempfile
import threading
from typing import Any

from job import COMMAND, Stopwatch, free_port, run
from labgrid_target import make_target


def job(task: dict[str, Any]) -> Stopwatch:
    port = free_port()
    network = {"address": "127.0.0.1", "port": port, "username": "root"}
    with tempfile.TemporaryDirectory() as directory:
        target = make_target(
            task,
            directory,
            {"SSHDriver": {"keyfile": task["key"]}},
            {"NetworkService": network},
            f",hostfwd=tcp:127.0.0.1:{port}-:22",
        )
        driver = target.get_driver("QEMUDriver")
        watch = Stopwatch()
        driver.on()
        threading.Thread(target=drain, args=(driver,), daemon=True).start()
        try:
            shell = target.get_driver("SSHDriver")
            watch.lap()
            shell.run_check(COMMAND)
            watch.lap()
            target.deactivate(shell)
        finally:
            driver.off()
        watch.lap()
    return watch


def drain(driver: Any) -> None:
    """Read the guest's console until it ends."""
    console = driver._clientsocket.dup()
    console.setblocking(True)
    with console:
        while console.recv(4096):
            pass


run(job)
