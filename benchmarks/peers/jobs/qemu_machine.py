"""QEMU's own Python machine class, with the client of the guest agent that is beside it.

The class waits for no guest. The client is asked once, with all the time: a question that waits
in QEMU until the guest reads it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from job import COMMAND, Stopwatch, random_numbers, run

PATIENCE = 120.0


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
        machine.add_args("-netdev", "user,id=net0")
        machine.add_args("-device", f"virtio-net-pci,netdev=net0,mac={task['mac']}")
        # The guest's console, as the library has it.
        machine.add_args("-serial", f"file:{Path(directory, 'serial.log')}")
        machine.add_args("-chardev", f"socket,id=agent,path={path},server=on,wait=off")
        port = "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"
        machine.add_args("-device", "virtio-serial-pci", "-device", port)
        watch = Stopwatch()
        machine.launch()
        try:
            agent = QemuGuestAgentClient(path)
            if not agent.ping(PATIENCE):
                raise TimeoutError(f"the agent did not answer within {PATIENCE:.0f} s")
            watch.lap()
            run_command(agent.qga)
            watch.lap()
            agent.qga.close()
        finally:
            machine.shutdown()
        watch.lap()
    return watch


def run_command(agent: Any) -> None:
    """Run the command and wait for its end."""
    pid = agent.exec(path="/bin/sh", arg=["-c", COMMAND], **{"capture-output": True})["pid"]
    while not agent.exec_status(pid=pid)["exited"]:
        time.sleep(0.005)


run(job)
