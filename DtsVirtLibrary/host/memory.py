"""Whether the kernel has killed processes for want of memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.host.protocol import Host

# Counts the kills in all control groups, too. Only a kernel before 4.13 lacks the line.
COUNTERS = "/proc/vmstat"
KILLS = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)
GROUPS = "/sys/fs/cgroup"


@dataclass(frozen=True)
class MemoryKills:
    """How many processes the kernel has killed for want of memory.

    :ivar host: on the whole host.
    :ivar group: in one control group, for whatever reason; None if it does not tell.
    """

    host: int = 0
    group: int | None = None

    def since(self, before: MemoryKills) -> MemoryKills:
        """Return how many more these are."""
        group = None
        if self.group is not None and before.group is not None:
            group = self.group - before.group
        return MemoryKills(self.host - before.host, group)


async def memory_group(host: Host, pid: int) -> str | None:
    """Return the file that counts the kills in a process's control group, None if none does."""
    try:
        lines = (await host.read_text(f"/proc/{pid}/cgroup")).splitlines()
    except HostError:
        return None
    for path in _counters(lines):
        if await _kills(host, path) is not None:
            return path
    return None


async def memory_kills(host: Host, group: str | None) -> MemoryKills:
    """Return the kills until now.

    :param group: what :func:`memory_group` returned.
    """
    found = await _kills(host, group) if group is not None else None
    return MemoryKills(await _kills(host, COUNTERS) or 0, found)


def _counters(lines: list[str]) -> Iterator[str]:
    """Yield where the lines of /proc/PID/cgroup say that the counters are."""
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            yield f"{GROUPS}/memory{path}/memory.oom_control"
        elif not controllers:
            yield f"{GROUPS}{path}/memory.events"


async def _kills(host: Host, path: str) -> int | None:
    try:
        found = KILLS.search(await host.read_text(path))
    except HostError:
        return None
    return int(found[1]) if found else None
