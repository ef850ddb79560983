"""Whether the kernel has killed processes for want of memory."""

from __future__ import annotations

import re

from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.host.protocol import Host

# Counts the kills in all control groups, too. Only a kernel before 4.13 lacks the line.
COUNTERS = "/proc/vmstat"
KILLS = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)


async def out_of_memory_kills(host: Host) -> int:
    """Return how many processes the kernel has killed for want of memory since its boot."""
    try:
        found = KILLS.search(await host.read_text(COUNTERS))
    except HostError:
        return 0
    return int(found[1]) if found else 0
