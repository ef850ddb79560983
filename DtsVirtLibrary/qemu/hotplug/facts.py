"""What a running QEMU tells that hot plug has to know."""

from __future__ import annotations

import asyncio

from DtsVirtLibrary.cache import cache_directory
from DtsVirtLibrary.errors import BackendError, VmStateError
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.qemu import names
from DtsVirtLibrary.qemu.binary.facts import BinaryFacts
from DtsVirtLibrary.qemu.binary.probe import probe
from DtsVirtLibrary.qemu.command_line.host_facts import HostFacts
from DtsVirtLibrary.qemu.command_line.slots import SLOTS
from DtsVirtLibrary.qemu.qmp.monitor import Monitor
from DtsVirtLibrary.qemu.qmp.replies import (
    CHARDEVS,
    MEMORY_BACKENDS,
    PCI_BUSES,
    PROPERTIES,
    ask,
)
from DtsVirtLibrary.qemu.running.qemu import RunningQemu
from DtsVirtLibrary.qemu.start.facts import VHOST_NET

# Where the objects with an id are; QEMU's names of PCI functions on a bus are child[N].
PERIPHERALS = "/machine/peripheral"
# QEMU before 10.0 has no event for a back end that connects.
CONNECT_POLL = 0.05


async def host_facts(qemu: RunningQemu) -> tuple[BinaryFacts, HostFacts]:
    """Return what the options depend on, as it was at the start."""
    host = qemu.host
    binary = await probe(host, qemu.argv[0], await cache_directory(host))
    return binary, HostFacts(
        accelerator=qemu.accelerator,
        vhost_net=await host.status(VHOST_NET) is not None,
        working_directory=await host.real_path("."),
    )


async def peripherals(monitor: Monitor) -> set[str]:
    """Return the ids of all devices that have one."""
    return await _children(monitor, PERIPHERALS)


async def free_port(monitor: Monitor, vm: str) -> str | None:
    """Return a root port that holds no device; None on a machine without such ports.

    :raises VmStateError: all of them are taken.
    """
    there = await peripherals(monitor)
    ports = [port for port in names.HOTPLUG_PORTS if port in there]
    for port in ports:
        # A bus is an object below its port, and has its port's name.
        on_bus = await _children(monitor, f"{PERIPHERALS}/{port}/{port}", "link<")
        if not any(name.startswith("child[") for name in on_bus):
            return port
    if ports:
        raise VmStateError(
            f"VM '{vm}': all {len(ports)} places for devices that are plugged in are taken; "
            "unplug one, or give the VM more pcie-root-port devices and name one as bus."
        )
    return None


async def free_slot(monitor: Monitor, vm: str) -> str:
    """Return the lowest slot of the root bus that holds no device, such as ``03``.

    QEMU 10.0 would choose one itself only where slot 1f is free, the control card's place.

    :raises VmStateError: all of them are taken.
    """
    buses = await ask(monitor, "query-pci", PCI_BUSES)
    taken = {device["slot"] for bus in buses if bus["bus"] == 0 for device in bus["devices"]}
    for slot in SLOTS:
        if slot not in taken:
            return f"{slot:02x}"
    raise VmStateError(f"VM '{vm}': all {len(SLOTS)} slots of its PCI bus are taken; unplug one.")


async def require_shared_memory(monitor: Monitor, vm: str) -> None:
    """Check that a vhost-user back end can see the guest's memory.

    :raises VmStateError: it cannot; the guest would just have a dead card.
    """
    backends = await ask(monitor, "query-memdev", MEMORY_BACKENDS)
    if not any(backend["share"] for backend in backends):
        raise VmStateError(
            f"VM '{vm}' was started without shared memory, so a vhost-user back end cannot see "
            "it. Give the VM one vhost-user card before its start, or mem=hugepage=yes."
        )


async def wait_connected(
    monitor: Monitor, vm: str, chardev: str, path: str, deadline: Deadline
) -> None:
    """Return when somebody serves a character device.

    A vhost-user netdev without its back end would make QEMU deaf.

    :raises BackendError: nobody connected in time.
    """
    while True:
        known = await ask(monitor, "query-chardev", CHARDEVS)
        filenames = [item["filename"] for item in known if item["label"] == chardev]
        if filenames and not filenames[0].startswith("disconnected:"):
            return
        if deadline.expired:
            raise BackendError(
                f"VM '{vm}': no vhost-user back end has connected at '{path}' within "
                f"{deadline.elapsed:.1f} s. Start the back end (the switch) first."
            )
        await asyncio.sleep(deadline.at_most(CONNECT_POLL))


async def _children(monitor: Monitor, path: str, kind: str = "child<") -> set[str]:
    reply = await ask(monitor, "qom-list", PROPERTIES, {"path": path})
    return {item["name"] for item in reply if item["type"].startswith(kind)}
