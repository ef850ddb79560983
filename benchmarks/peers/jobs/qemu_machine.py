"""QEMU's own Python machine class. It has nothing that waits for a guest.

Its client of the guest agent (qemu.utils) cannot be used here: on a timeout it ends with
``OSError: Invalid argument`` on Python 3.11. So a socket of this job's own asks the agent.
"""

from __future__ import annotations

import json
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from job import COMMAND, Stopwatch, random_numbers, run

SYNC = 4711
PATIENCE = 120.0


def job(task: dict[str, Any]) -> Stopwatch:
    sys.path.insert(0, task["qemu_python"])
    from qemu.machine import QEMUMachine

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
            with socket.socket(socket.AF_UNIX) as agent:
                agent.connect(path)
                synchronize(agent)
                watch.lap()
                arguments = {"path": "/bin/sh", "arg": ["-c", COMMAND], "capture-output": True}
                pid = ask(agent, "guest-exec", arguments)["pid"]
                while not ask(agent, "guest-exec-status", {"pid": pid})["exited"]:
                    time.sleep(0.005)
                watch.lap()
        finally:
            machine.shutdown()
        watch.lap()
    return watch


def synchronize(agent: socket.socket) -> None:
    """Return when the agent has answered; one question waits in QEMU until the guest reads."""
    request = {"execute": "guest-sync-delimited", "arguments": {"id": SYNC}}
    agent.settimeout(PATIENCE)
    agent.sendall(b"\xff" + json.dumps(request).encode() + b"\n")
    received = b""
    while str(SYNC).encode() not in received.rpartition(b"\xff")[2]:
        received += agent.recv(4096)


def ask(agent: socket.socket, command: str, arguments: dict[str, Any]) -> Any:
    """Return what a command of the agent returns."""
    agent.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
    received = b""
    while not received.endswith(b"\n"):
        received += agent.recv(65536)
    return json.loads(received)["return"]


run(job)
