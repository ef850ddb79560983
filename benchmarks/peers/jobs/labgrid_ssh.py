"""labgrid: QEMUDriver starts the VM, SSHDriver reaches it, as labgrid's example of networking does.

There the ShellDriver learns the guest's address on the console, and only then is a port forwarded
to it. That example's guest shows its prompt when the network is up; this one does so before, so
the job has labgrid ask for the address until it is there.
"""

from __future__ import annotations

import tempfile
from typing import Any

from job import COMMAND, Stopwatch, run
from labgrid.util import get_free_port
from labgrid_target import SHELL, make_target

# labgrid's own pause, a second, would be longer than the address takes.
PAUSE = 0.1


def job(task: dict[str, Any]) -> Stopwatch:
    network = {"address": "", "port": 22, "username": "root"}
    with tempfile.TemporaryDirectory() as directory:
        drivers = {"ShellDriver": SHELL, "SSHDriver": {"keyfile": task["key"]}}
        target = make_target(task, directory, drivers, {"NetworkService": network})
        driver = target.get_driver("QEMUDriver")
        watch = Stopwatch()
        driver.on()
        try:
            forward(target, driver, target.get_driver("ShellDriver"))
            shell = target.get_driver("SSHDriver")
            watch.lap()
            shell.run_check(COMMAND)
            watch.lap()
            target.deactivate(shell)
        finally:
            driver.off()
        watch.lap()
    return watch


def forward(target: Any, driver: Any, console: Any) -> None:
    """Forward a port to the guest, and let the target's NetworkService be that."""
    console.poll_until_success("ip route | grep -q ^default", sleepduration=PAUSE)
    address = str(console.get_ip_addresses()[0].ip)
    port = get_free_port()
    driver.add_port_forward("tcp", "127.0.0.1", port, address, 22)
    service = target.get_resource("NetworkService")
    service.address, service.port = "127.0.0.1", port


run(job)
