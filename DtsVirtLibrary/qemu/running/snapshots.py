"""Snapshots of a running VM: its memory, devices and disks, in the same QEMU process.

QEMU keeps them in a qcow2 node of our own, made at the first one, and for the disks in
their throw-away overlays; an image of the tester is never written for it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count

from DtsVirtLibrary.errors import (
    ConfigError,
    HypervisorMissing,
    MonitorError,
    VmStateError,
    nearest,
)
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.printable import printable
from DtsVirtLibrary.qemu.agent.readiness import agent_port_open
from DtsVirtLibrary.qemu.inside.freshen import freshen
from DtsVirtLibrary.qemu.qmp.replies import BLOCK_NODES, JOBS, ask
from DtsVirtLibrary.qemu.running.qemu import RunningQemu
from DtsVirtLibrary.results import MonitorEvent
from DtsVirtLibrary.spec import Disk

NODE = "snapshots"
CREATE_SECONDS = 60.0


@dataclass(frozen=True)
class _Saved:
    """What is known of a snapshot.

    :ivar devices: ids of the devices and disks at that time.
    :ivar listens: a program in its guest waits to be told the time.
    """

    devices: set[str | None]
    listens: bool


class Snapshots:
    """The snapshots of one QEMU process, by name."""

    def __init__(self, qemu: RunningQemu) -> None:
        self._qemu = qemu
        self._jobs = count()
        self._saved: dict[str, _Saved] = {}

    async def save(self, name: str, deadline: Deadline) -> None:
        """Save the VM's present state; one of the same name is replaced.

        :raises VmStateError: a disk is written in place, so its state cannot be kept.
        :raises MonitorError: QEMU cannot save it; the text says which device prevents it.
        """
        disks = self._disks()
        if not self._saved:
            await self._make_node()
        if name in self._saved:
            await self._job("snapshot-delete", name, {"devices": [NODE, *disks]}, deadline)
            del self._saved[name]
        where = {"vmstate": NODE, "devices": [NODE, *disks]}
        async with self._listening_guest() as listens:
            await self._job("snapshot-save", name, where, deadline)
        self._saved[name] = _Saved(self._devices(), listens)

    async def restore(self, name: str, deadline: Deadline) -> None:
        """Bring the VM back to a snapshot, let its CPUs run and set the guest's clock.

        :raises ConfigError: there is no such snapshot.
        :raises VmStateError: devices were plugged or unplugged since it was saved.
        :raises MonitorError: QEMU cannot load it.
        """
        qemu = self._qemu
        vm = qemu.spec.name
        if name not in self._saved:
            known = ", ".join(self._saved) or "none"
            raise ConfigError(
                f"VM '{vm}' has no snapshot '{name}'.{nearest(name, self._saved)} "
                f"Snapshots of this start: {known}. Save one with 'Save VM Snapshot'."
            )
        if changed := self._saved[name].devices ^ self._devices():
            raise VmStateError(
                f"VM '{vm}': snapshot '{name}' was saved with other devices: "
                f"{', '.join(sorted(map(str, changed)))} came or went. Undo that first."
            )
        where = {"vmstate": NODE, "devices": [NODE, *self._disks()]}
        await self._job("snapshot-load", name, where, deadline)
        if await qemu.status() != "running":
            await qemu.resume()
        if qemu.has_agent:
            qemu.agent.reset(f"the VM was brought back to the snapshot '{name}'")
            await qemu.agent.synchronize(deadline)
            await freshen(
                qemu.agent, qemu.spec, qemu.name_port if self._saved[name].listens else None
            )

    @asynccontextmanager
    async def _listening_guest(self) -> AsyncIterator[bool]:
        """Have a program wait in the guest that is saved, and end in the one that goes on."""
        port = self._qemu.name_port
        if port is None or not await self._answers():
            yield False
            return
        await port.listen(self._qemu.agent)
        try:
            yield True
        finally:
            await port.dismiss()

    async def _answers(self) -> bool:
        """Return whether the guest's agent can be asked for something."""
        running = await self._qemu.status() == "running"
        return running and await agent_port_open(self._qemu.monitor)

    def _disks(self) -> list[str]:
        """Return the nodes of the disks that are written."""
        written = [disk for disk in self._qemu.spec.disks if disk.media != "cdrom"]
        in_place = next((disk for disk in written if not disk.overlay), None)
        if in_place is not None:
            raise self._refusal(in_place)
        return [disk.id or "" for disk in written]

    def _refusal(self, disk: Disk) -> VmStateError:
        return VmStateError(
            f"VM '{self._qemu.spec.name}': disk '{disk.file}' is written in place, and a "
            "snapshot would end up in it. Give it an overlay (disk = file=...,overlay=yes), or "
            "start the VM warm."
        )

    def _devices(self) -> set[str | None]:
        spec = self._qemu.spec
        return {item.id for item in (*spec.disks, *spec.devices)}

    async def _make_node(self) -> None:
        qemu = self._qemu
        nodes = await ask(qemu.monitor, "query-named-block-nodes", BLOCK_NODES)
        if any(node["node-name"] == NODE for node in nodes):
            return
        program = await qemu.host.which("qemu-img")
        if program is None:
            raise HypervisorMissing(
                f"qemu-img is missing on {qemu.host.name}, so there is no place for "
                "snapshots. Install it: apt-get install qemu-utils."
            )
        path = f"{qemu.placement.directory}/{NODE}.qcow2"
        # The states lie behind the end of the disk, which may be as small as can be.
        argv = [program, "create", "-q", "-f", "qcow2", path, "1M"]
        await qemu.host.run(argv, timeout=CREATE_SECONDS)
        file = {"driver": "file", "node-name": f"{NODE}-file", "filename": path}
        upper = {"driver": "qcow2", "node-name": NODE, "file": f"{NODE}-file"}
        for node in (file, upper):
            await qemu.monitor.execute("blockdev-add", node)

    async def _job(
        self, command: str, name: str, where: Mapping[str, object], deadline: Deadline
    ) -> None:
        """Run a job to its end."""
        monitor = self._qemu.monitor
        job = f"snapshot{next(self._jobs)}"

        def concluded(event: MonitorEvent) -> bool:
            return event.data.get("id") == job and event.data.get("status") == "concluded"

        mark = monitor.mark()
        arguments = {"job-id": job, "tag": name, **where}
        await monitor.execute(command, arguments)
        await monitor.wait_for_event(
            ["JOB_STATUS_CHANGE"], deadline=deadline, match=concluded, since=mark
        )
        jobs = await ask(monitor, "query-jobs", JOBS)
        error = next((item.get("error") for item in jobs if item["id"] == job), None)
        await monitor.execute("job-dismiss", {"id": job})
        if error is not None:
            raise MonitorError(
                f"VM '{self._qemu.spec.name}': {command} of '{name}' failed: {printable(error)}"
            )
