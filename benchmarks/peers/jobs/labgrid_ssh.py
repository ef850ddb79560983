"""labgrid: QEMUDriver starts the VM, SSHDriver reaches it; both as shipped."""

from __future__ import annotations

import json
import tempfile
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


run(job)
