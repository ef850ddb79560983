"""avocado-vt: its VM class by itself, with its own SSH session."""

from __future__ import annotations

import tempfile
from typing import Any

from job import COMMAND, Stopwatch, random_numbers, run
from virttest import qemu_vm
from virttest.utils_params import Params

# What its configuration files say of any Linux guest on a PC.
CONFIGURATION = {
    "vm_type": "qemu",
    "machine_type": "pc",
    "cpu_model": "max",
    "auto_cpu_model": "no",
    "smp": "1",
    "mem": "512",
    "display": "nographic",
    "vga": "none",
    "images": "",
    "cdroms": "",
    "nics": "nic1",
    "nettype": "user",
    "pci_assignable": "no",
    "netdst": "",
    "nic_model": "virtio-net-pci",
    "nic_mode": "user",
    "redirs": "remote_shell",
    "guest_port_remote_shell": "22",
    "shell_port": "22",
    "shell_client": "ssh",
    "shell_linesep": r"\n",
    "status_test_command": "echo $?",
    "username": "root",
    "password": "tester",
    "monitors": "qmp1",
    "monitor_type_qmp1": "qmp",
    "monitor_type": "qmp",
    "main_monitor": "qmp1",
    "serials": "serial0",
    "serial_type": "isa-serial",
    "isa_serials": "serial0",
    "kill_vm_gracefully": "no",
    "disable_kvm": "yes",
    "enable_kvm": "no",
    "vm_accelerator": "tcg",
    "qemu_sandbox": "off",
    "defaults": "no",
    "os_type": "linux",
    "os_variant": "linux",
    "vt_type": "qemu",
}


def job(task: dict[str, Any]) -> Stopwatch:
    with tempfile.TemporaryDirectory() as directory:
        params = Params(CONFIGURATION)
        params["qemu_binary"] = task["qemu"]
        params["kernel"] = task["kernel"]
        params["initrd"] = task["initrd"]
        params["kernel_params"] = task["append"]
        params["extra_params"] = " ".join(random_numbers())
        params["mac_nic1"] = task["mac"]
        params["main_vm"] = params["vms"] = "vm1"
        machine = qemu_vm.VM("vm1", params, directory, {})
        watch = Stopwatch()
        machine.create()
        try:
            session = machine.wait_for_login(timeout=120)
            watch.lap()
            session.cmd(COMMAND)
            watch.lap()
            session.close()
        finally:
            machine.destroy(gracefully=False)
        watch.lap()
    return watch


run(job)
