"""labgrid: QEMUDriver starts the VM, SSHDriver reaches it.

The driver holds the guest's console open and leaves reading it to others; unread, it stops the
guest after some hundred bytes. So a thread of this job reads it.
"""

from __future__ import annotations

import json
import tempfile
import threading
from pathlib import Path
from typing import Any

from job import COMMAND, Stopwatch, free_port, random_numbers, run
from labgrid import Environment


def job(task: dict[str, Any]) -> Stopwatch:
    port = free_port()
    extra = ["-accel", "tcg", "-smp", "1", "-initrd", task["initrd"], *random_numbers()]
    network = {"address": "127.0.0.1", "port": port, "username": "root"}
    machine = {
        "qemu_bin": "qemu",
        "machine": "pc",
        "cpu": "max",
        "memory": "512M",
        "kernel": "kernel",
        "boot_args": task["append"],
        "extra_args": " ".join(extra),
        "nic": f"user,model=virtio-net-pci,mac={task['mac']},hostfwd=tcp:127.0.0.1:{port}-:22",
    }
    drivers = {"QEMUDriver": machine, "SSHDriver": {"keyfile": task["key"]}}
    content = {
        "targets": {"main": {"resources": {"NetworkService": network}, "drivers": drivers}},
        "tools": {"qemu": task["qemu"]},
        "images": {"kernel": task["kernel"]},
    }
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "environment.yaml")
        file.write_text(json.dumps(content))
        target = Environment(str(file)).get_target("main")
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
