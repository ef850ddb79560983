"""A lock on the host that ends with whoever holds it, however it ends."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.host.protocol import Host, Spawn

PATIENCE = 1.0
# The descriptor under which the holder of the lock sees its end of the leash.
LEASH = 3
HOLD = f"echo locked >&{LEASH} && exec cat <&{LEASH} >/dev/null"


@asynccontextmanager
async def host_lock(
    host: Host, path: str, *, timeout: float, waiting: Callable[[], None]
) -> AsyncIterator[None]:
    """Hold the lock file at `path`, waiting up to `timeout` seconds for another holder.

    A small process on the host holds it for us until its leash, a socket, is closed: by us
    or by our end. `waiting` is called once if the lock is not free.

    :raises HostError: it did not become free in time, or flock(1) is missing.
    """
    ours, theirs = socket.socketpair()
    with ours:
        ours.setblocking(False)
        with theirs:
            holder = await host.spawn(
                Spawn(
                    argv=["flock", "--exclusive", path, "sh", "-c", HOLD],
                    stdout="/dev/null",
                    stderr="/dev/null",
                    sockets={LEASH: theirs},
                )
            )
        try:
            await _locked(ours, path, timeout, waiting)
            yield
        finally:
            ours.close()
            await holder.wait()


async def _locked(
    leash: socket.socket, path: str, timeout: float, waiting: Callable[[], None]
) -> None:
    answer = asyncio.ensure_future(asyncio.get_running_loop().sock_recv(leash, 16))
    try:
        done, _ = await asyncio.wait({answer}, timeout=PATIENCE)
        if not done:
            waiting()
            done, _ = await asyncio.wait({answer}, timeout=timeout)
        if not done:
            raise HostError(f"Another process has held {path} for {timeout:.0f} s.")
        if not answer.result():
            raise HostError(
                f"The lock {path} cannot be taken: flock(1) failed. Can you write there?"
            )
    finally:
        answer.cancel()
