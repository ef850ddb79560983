"""What the library reads of QEMU's answers, checked before it is read.

A QEMU that a guest has taken over, or one of a later version, may send anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from DtsVirtLibrary.errors import Evidence, MonitorError
from DtsVirtLibrary.qemu.foreign_json import Shape, misfit
from DtsVirtLibrary.qemu.qmp.monitor import Monitor

STATUS: Shape = {"status": str}
CHARDEVS: Shape = [{"label": str, "filename": str, "frontend-open": bool}]
MEMORY_BACKENDS: Shape = [{"share": bool}]
PROPERTIES: Shape = [{"name": str, "type": str}]
BLOCK_NODES: Shape = [{"node-name": str}]
JOBS: Shape = [{"id": str, "error?": str}]
MIGRATION: Shape = {"error-desc?": str}
VNC: Shape = {"host": str, "service": str}
VCPUS: Shape = [{"cpu-index": int, "thread-id": int}]
_PCI_DEVICE: dict[str, Shape] = {
    "bus": int,
    "slot": int,
    "function": int,
    "qdev_id": str,
    "id": {"vendor": int, "device": int},
    "class_info": {"class": int, "desc?": str},
}
_PCI_DEVICE["pci_bridge?"] = {"bus": {"secondary": int}, "devices?": [_PCI_DEVICE]}
PCI_BUSES: Shape = [{"bus": int, "devices": [_PCI_DEVICE]}]


async def ask(
    monitor: Monitor,
    command: str,
    shape: Shape,
    arguments: Mapping[str, Any] | None = None,
    *,
    timeout: float | None = None,
) -> Any:
    """Run a QMP command and return its answer, which has the shape.

    :raises MonitorError: the answer has another shape, or as :meth:`Monitor.execute` does.
    """
    reply = await monitor.execute(command, arguments, timeout=timeout)
    if found := misfit(reply, shape):
        raise MonitorError(
            f"VM '{monitor.vm}': what QEMU sent for {command} is not an answer: {found}",
            Evidence(vm=monitor.vm, action=command),
        )
    return reply
