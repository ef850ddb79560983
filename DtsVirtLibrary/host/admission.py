"""Who may start VMs now: one batch at a time on a host, and only into memory that is free.

Processes that share a host (pabot's) take turns by a file lock, so that no two of them
count on the same free memory. What a guest has touched is no longer free when the next
batch is let in; what it may still touch is not known.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.host import hugepages
from DtsVirtLibrary.host.lock import host_lock
from DtsVirtLibrary.host.protocol import Host
from DtsVirtLibrary.loop import Deadline

MEMORY = "/proc/meminfo"
AVAILABLE = re.compile(r"^MemAvailable:\s+(\d+) kB", re.MULTILINE)
# Left to the host itself and to what QEMU needs besides the guest's memory.
RESERVE_MIB = 512
POLL = 0.5


@dataclass(frozen=True)
class Need:
    """What a batch of VMs takes, in MiB: plain memory, and hugepages by NUMA node."""

    memory_mib: int = 0
    hugepages_mib: tuple[tuple[int | None, int], ...] = ()


@asynccontextmanager
async def admitted(
    host: Host, lock: str, need: Need, deadline: Deadline, waiting: Callable[[str], None]
) -> AsyncIterator[None]:
    """Let nobody else start VMs until this ends; begin when there is memory for `need`.

    :param lock: path of the lock file that all processes of the host have in common.
    :param waiting: called with the reason if there is something to wait for.
    :raises HostError: memory or hugepages did not become free in time; the text has numbers.
    """

    def occupied() -> None:
        waiting("another process starts VMs on this host")

    async with host_lock(host, lock, timeout=deadline.at_most(3600.0), waiting=occupied):
        await _wait_for_memory(host, need, deadline, waiting)
        for node, size in need.hugepages_mib:
            await hugepages.require(host, size, node)
        yield


async def _wait_for_memory(
    host: Host, need: Need, deadline: Deadline, waiting: Callable[[str], None]
) -> None:
    told = False
    while (free := await available_mib(host)) < need.memory_mib + RESERVE_MIB:
        lack = (
            f"{need.memory_mib} MiB of memory are needed, and {free} MiB are available on "
            f"{host.name}, of which {RESERVE_MIB} MiB are left to the host"
        )
        if deadline.expired:
            raise HostError(
                f"The VMs were not started, waited {deadline.elapsed:.0f} s: {lack}. Start fewer "
                "at once, give them less memory, or start them warm."
            )
        if not told:
            waiting(lack)
            told = True
        await asyncio.sleep(deadline.at_most(POLL))


async def available_mib(host: Host) -> int:
    """Return the memory that can be had without swapping, in MiB."""
    found = AVAILABLE.search(await host.read_text(MEMORY))
    if found is None:
        raise HostError(f"{MEMORY} on {host.name} does not tell the available memory.")
    return int(found[1]) >> 10
