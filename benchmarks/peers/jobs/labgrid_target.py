"""What labgrid's environment file says of the VM, whatever reaches the guest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from job import random_numbers
from labgrid import Environment

SHELL = {"prompt": r"root@\S+:\S+# ", "login_prompt": " login: ", "username": "root"}


def make_target(
    task: dict[str, Any],
    directory: str,
    drivers: dict[str, Any],
    resources: dict[str, Any],
) -> Any:
    """Return a target with a QEMUDriver and other drivers."""
    extra = ["-accel", "tcg", "-smp", "1", "-initrd", task["initrd"], *random_numbers()]
    machine = {
        "qemu_bin": "qemu",
        "machine": "pc",
        "cpu": "max",
        "memory": "512M",
        "kernel": "kernel",
        "boot_args": task["append"],
        "extra_args": " ".join(extra),
        "nic": f"user,model=virtio-net-pci,mac={task['mac']}",
    }
    target = {"resources": resources, "drivers": {"QEMUDriver": machine, **drivers}}
    content = {
        "targets": {"main": target},
        "tools": {"qemu": task["qemu"]},
        "images": {"kernel": task["kernel"]},
    }
    file = Path(directory, "environment.yaml")
    file.write_text(json.dumps(content))
    return Environment(str(file)).get_target("main")
