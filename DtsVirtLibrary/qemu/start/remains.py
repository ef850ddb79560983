"""What can be read of a start on the host: the ends of its logs, its files, its disks' room."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from DtsVirtLibrary.host.protocol import Host
from DtsVirtLibrary.printable import printable
from DtsVirtLibrary.qemu.command_line.placement import Placement
from DtsVirtLibrary.qemu.qmp.monitor import Monitor
from DtsVirtLibrary.spec import VmSpec

TAIL_BYTES = 8 * 1024
# Logs beyond this are kept as their last part.
KEPT_BYTES = 16 * 1024 * 1024


async def read_tails(host: Host, placement: Placement) -> tuple[str, str]:
    """Return the printable ends of stderr and of the serial log; empty where there is none."""
    tails = []
    for path in (placement.stderr, placement.serial_log):
        if await host.status(path) is None:
            tails.append("")
            continue
        data = await host.read_bytes(path, offset=-TAIL_BYTES)
        tails.append(printable(data.decode("utf-8", "replace")))
    return tails[0], tails[1]


async def collect(
    host: Host, placement: Placement, argv: Sequence[str], by_hand: str, monitor: Monitor
) -> Mapping[str, bytes]:
    """Return the files of a start that are worth keeping, by name."""
    files = {
        "command-line.txt": f"{shlex.join(argv)}\n".encode(),
        "command-line.sh": by_hand.encode(),
        "qmp.jsonl": monitor.transcript().encode(),
    }
    for name, path in (("stderr.log", placement.stderr), ("serial.log", placement.serial_log)):
        if await host.status(path) is not None:
            files[name] = await host.read_bytes(path, offset=-KEPT_BYTES)
    return files


async def disk_room(
    host: Host, spec: VmSpec, placement: Placement, node: str | None
) -> Sequence[str]:
    """Return where the disk of a block node lies and the room there, a line each."""
    name = (node or "").removesuffix("-file")
    paths = [
        placement.overlay(disk.id or "") if disk.overlay else disk.file
        for disk in spec.disks
        if disk.id == name
    ]
    return [
        f"Its file is '{path}'; {await host.free_space(path)} bytes are free." for path in paths
    ]
