"""Who may start VMs now: only those for whom the host has memory that nobody else counts on.

Each start first lays down a claim where all processes of the user (pabot's) see it, then
looks at the free memory less the claims of the others, and takes its own back if that is too
little. As the claim comes before the look, two starts can hold each other up for a moment,
but never both count on the same memory. A claim ends when its VMs are up, or with its
process. What they have touched then is no longer free; what they may still touch is not
known.
"""

from __future__ import annotations

import asyncio
import json
import posixpath
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.host import hugepages
from DtsVirtLibrary.host.protocol import Host
from DtsVirtLibrary.loop import Deadline

MEMORY = "/proc/meminfo"
TOTAL = re.compile(r"^MemTotal:\s+(\d+) kB", re.MULTILINE)
AVAILABLE = re.compile(r"^MemAvailable:\s+(\d+) kB", re.MULTILINE)
# Left to the host itself and to what QEMU needs besides the guest's memory.
RESERVE_MIB = 512
# Two starts that hold each other up must not look again at the same time.
SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 0.5
PURPOSE = "claim"
CLAIM = "claim.json"


@dataclass(frozen=True)
class Need:
    """What VMs that start together take, in MiB: plain memory, and hugepages by NUMA node."""

    memory_mib: int = 0
    hugepages_mib: tuple[tuple[int | None, int], ...] = ()

    def to_json(self) -> bytes:
        """Return its text for a claim."""
        return json.dumps([self.memory_mib, self.hugepages_mib]).encode()

    @classmethod
    def from_json(cls, text: str) -> Need:
        """Return what a claim says; one that is being written or removed claims nothing."""
        try:
            memory, pages = json.loads(text)
            return cls(int(memory), tuple((node, int(size)) for node, size in pages))
        except (ValueError, TypeError):
            return cls()


@asynccontextmanager
async def admitted(
    host: Host, need: Need, deadline: Deadline, waiting: Callable[[str], None]
) -> AsyncIterator[None]:
    """Begin when the host has `need` to spare, and keep it from others until this ends.

    :param waiting: called with the reason if there is something to wait for.
    :raises HostError: it was not to be had in time, or never will be; the text has numbers.
    """
    claim = await _claimed(host, need, deadline, waiting)
    try:
        yield
    finally:
        await host.remove(claim)


async def _claimed(
    host: Host, need: Need, deadline: Deadline, waiting: Callable[[str], None]
) -> str:
    """Return the directory of our claim once the host can meet it."""
    told = False
    while True:
        claim = await host.private_directory(PURPOSE)
        try:
            await host.write_bytes(f"{claim}/{CLAIM}", need.to_json())
            lack = await _lack(host, need, await _claims_of_others(host, claim))
        except BaseException:
            await host.remove(claim)
            raise
        if lack is None:
            return claim
        await host.remove(claim)
        if deadline.expired:
            raise HostError(
                f"Nothing was started, waited {deadline.elapsed:.0f} s: {lack}. Start fewer VMs "
                "at once, give them less memory, or start them warm."
            )
        if not told:
            # Runs that were killed together with their supervisor claim nothing any more.
            await host.sweep()
            waiting(lack)
            told = True
        pause = random.uniform(SHORTEST_PAUSE, LONGEST_PAUSE)
        await asyncio.sleep(deadline.at_most(pause))


async def _claims_of_others(host: Host, own: str) -> list[Need]:
    base, own_name = posixpath.split(own)
    prefix = own_name.rpartition("-")[0]
    user = await host.user_id()
    needs = []
    for name in await host.list_directory(base):
        if name == own_name or not name.startswith(f"{prefix}-"):
            continue
        path = f"{base}/{name}/{CLAIM}"
        status = await host.status(path, follow=False)
        if status is not None and status.uid == user:
            try:
                needs.append(Need.from_json(await host.read_text(path)))
            except HostError:
                continue  # it was taken back meanwhile
    return needs


async def _lack(host: Host, need: Need, others: list[Need]) -> str | None:
    """Return what there is too little of now, None if there is enough.

    :raises HostError: waiting for it is of no use.
    """
    claimed = sum(other.memory_mib for other in others)
    total, available = await _memory_mib(host)
    if need.memory_mib and need.memory_mib + claimed + RESERVE_MIB > available:
        starting = f", of which VMs that are starting need {claimed} MiB" if claimed else ""
        lack = (
            f"{need.memory_mib} MiB of memory are needed, and {available} MiB are available on "
            f"{host.name}{starting}; {RESERVE_MIB} MiB are left to the host"
        )
        if need.memory_mib + RESERVE_MIB > total:
            raise HostError(
                f"Nothing was started: {lack}. {host.name} has {total} MiB in all. "
                "Give the VMs less memory."
            )
        return lack
    return await _lack_of_hugepages(host, need, others)


async def _lack_of_hugepages(host: Host, need: Need, others: list[Need]) -> str | None:
    claimed: Counter[int | None] = Counter()
    for other in others:
        claimed.update(dict(other.hugepages_mib))
    for node, size in need.hugepages_mib:
        await hugepages.require(host, size, node)
        # Those of VMs that are starting may be taken already, and are missed then for a while.
        if claimed[node]:
            try:
                await hugepages.require(host, size + claimed[node], node)
            except HostError as error:
                return f"VMs that are starting need {claimed[node]} MiB too: {error.summary}"
    return None


async def available_mib(host: Host) -> int:
    """Return the memory that can be had without swapping, in MiB."""
    _, available = await _memory_mib(host)
    return available


async def _memory_mib(host: Host) -> tuple[int, int]:
    """Return the memory in all, and what can be had without swapping, in MiB."""
    text = await host.read_text(MEMORY)
    total, available = TOTAL.search(text), AVAILABLE.search(text)
    if total is None or available is None:
        raise HostError(f"{MEMORY} on {host.name} does not tell the available memory.")
    return int(total[1]) >> 10, int(available[1]) >> 10
