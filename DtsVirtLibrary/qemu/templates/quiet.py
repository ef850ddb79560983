"""Knowing when a guest has nothing more to do.

What a guest is busy with when it is saved, as with ending a connection, each of its clones
does again before it answers.
"""

from __future__ import annotations

import asyncio

from DtsVirtLibrary.host.protocol import Host
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.qemu.qmp.monitor import Monitor

# No event tells it, so the processors are looked at; this happens once for each template.
LOOK_SECONDS = 0.25
QUIET_SHARE = 0.05
PATIENCE = 5.0


async def wait_until_quiet(host: Host, monitor: Monitor, pid: int) -> None:
    """Return when no processor of the guest does more than idling does; at last anyway.

    :param pid: QEMU's process id.
    """
    processors = await monitor.execute("query-cpus-fast")
    paths = [f"/proc/{pid}/task/{item['thread-id']}/schedstat" for item in processors]
    deadline = Deadline(PATIENCE)
    before = await _busy(host, paths)
    while before is not None and not deadline.expired:
        await asyncio.sleep(LOOK_SECONDS)
        after = await _busy(host, paths)
        if after is None or after - before < QUIET_SHARE * LOOK_SECONDS:
            return
        before = after


async def _busy(host: Host, paths: list[str]) -> float | None:
    """Return the seconds in which the threads ran or could have; None if nobody counts them."""
    total = 0
    for path in paths:
        if await host.status(path) is None:
            return None
        ran, waited, _ = (await host.read_text(path)).split()
        total += int(ran) + int(waited)
    return total / 1e9
