"""QEMU's own Python machine class, with its client of the guest agent."""

from __future__ import annotations

import sys
import tempfile
import time
from typing import Any

from job import COMMAND, Stopwatch, random_numbers, run


def job(task: dict[str, Any]) -> Stopwatch:
    sys.path.insert(0, task["qemu_python"])
    from qemu.machine import QEMUMachine
    from qemu.utils.qemu_ga_client import QemuGuestAgentClient

    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/agent.sock"
        machine = QEMUMachine(task["qemu"], base_temp_dir=directory)
        machine.set_machine("pc")
        machine.add_args("-accel", "tcg", "-cpu", "max", "-m", "512M", "-smp", "1")
        machine.add_args("-kernel", task["kernel"], "-initrd", task["initrd"])
        machine.add_args("-append", task["append"], *random_numbers())
        machine.add_args("-chardev", f"socket,id=agent,path={path},server=on,wait=off")
        port = "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"
        machine.add_args("-device", "virtio-serial-pci", "-device", port)
        watch = Stopwatch()
        machine.launch()
        try:
            # The machine class does not wait for guests; its agent's client is asked again
            # and again, as its users do.
            client = QemuGuestAgentClient(path)
            deadline = time.monotonic() + 120
            while not client.ping(0.5):
                if time.monotonic() > deadline:
                    raise TimeoutError("the guest agent did not answer within 120 s")
                client = QemuGuestAgentClient(path)
            watch.lap()
            arguments = {"path": "/bin/sh", "arg": ["-c", COMMAND], "capture-output": True}
            started = client.qga.exec(**arguments)
            while not client.qga.exec_status(pid=started["pid"])["exited"]:
                time.sleep(0.01)
            watch.lap()
        finally:
            machine.shutdown()
        watch.lap()
    return watch


run(job)
