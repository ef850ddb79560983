"""What QEMU says when it ends at its start."""

from __future__ import annotations

import pytest

from DtsVirtLibrary.errors import (
    BackendError,
    DtsVirtError,
    HostError,
    ImageError,
    ImageInUse,
    PortInUse,
)
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.qemu.start.refused_starts import explained

# Each as QEMU 7.2 and 10.0 print it.
SAID = [
    (
        "qemu-system-x86_64: -device virtio-blk-pci,id=disk0,drive=disk0,addr=02: "
        'Failed to get "write" lock\nIs another process using the image [/images/a b.qcow2]?\n',
        ImageInUse,
        "VM 'vm0': image '/images/a b.qcow2' is in use: a process that is none of",
    ),
    (
        "qemu-system-x86_64: -blockdev driver=qcow2,node-name=disk0,file=disk0-file: "
        'Failed to get shared "write" lock\nIs another process using the image [/images/a]?\n',
        ImageInUse,
        "VM 'vm0': image '/images/a' is in use",
    ),
    (
        "qemu-system-x86_64: -vnc 127.0.0.1:4000: Failed to find an available port: "
        "Address already in use\n",
        PortInUse,
        "VM 'vm0': VNC display 4000 (port 9900 of 127.0.0.1) is taken by ",
    ),
    (
        f"-vnc 127.0.0.1:{'9' * 5000}: Failed to find an available port: Address already in use\n"
        "Could not set up host forwarding rule 'tcp:203.0.113.1:5555-:22'\n",
        PortInUse,
        "VM 'vm0': the port of opt_hostfwd=tcp:203.0.113.1:5555-:22 cannot be had",
    ),
    (
        "qemu-system-x86_64: -netdev user,id=host-connect,hostfwd=tcp:203.0.113.1:5555-:22: "
        "Could not set up host forwarding rule 'tcp:203.0.113.1:5555-:22'\n",
        PortInUse,
        "VM 'vm0': the port of opt_hostfwd=tcp:203.0.113.1:5555-:22 cannot be had: 203.0.113.1 is "
        "not one of localhost's, or another process had the port a moment ago.",
    ),
    (
        "qemu-system-x86_64: -chardev socket,id=nic0-chardev,path=/x/vhost-net0: "
        "Failed to connect to '/x/vhost-net0': No such file or directory\n",
        BackendError,
        "VM 'vm0': QEMU cannot reach the back end behind the socket '/x/vhost-net0': "
        "No such file or directory. Start the back end",
    ),
    (
        "qemu-system-x86_64: -blockdev driver=file,node-name=disk0-file,filename=/images/a: "
        "Could not open '/images/a': Permission denied\n",
        ImageError,
        "VM 'vm0': QEMU may not use image '/images/a': Permission denied (as user id ",
    ),
    (
        "qemu-system-x86_64: -netdev tap,id=nic0-net,ifname=t0-of-nobody,script=no,downscript=no: "
        "could not configure /dev/net/tun (t0-of-nobody): Device or resource busy\n",
        HostError,
        "VM 'vm0': tap 't0-of-nobody' is in use: another process has it open. End that",
    ),
    (
        "qemu-system-x86_64: cannot set up guest memory 'pc.ram': Cannot allocate memory\n",
        HostError,
        "VM 'vm0': localhost refuses the memory that the VM asks for; ",
    ),
]


@pytest.mark.fault(15, 25, 28, 32, 37)
@pytest.mark.parametrize(("stderr", "error", "words"), SAID)
async def test_known_words_are_explained(
    stderr: str, error: type[DtsVirtError], words: str
) -> None:
    found = await explained(LocalHost(), "vm0", f"a warning before\n{stderr}")
    assert type(found) is error
    assert found.summary.startswith(words)


@pytest.mark.parametrize("stderr", ["", "qemu-system-x86_64: Cannot allocate memory\n"])
async def test_other_words_are_left_alone(stderr: str) -> None:
    assert await explained(LocalHost(), "vm0", stderr) is None
