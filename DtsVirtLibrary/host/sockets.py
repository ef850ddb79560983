"""Sockets: pairs for children, and those of programs that say nothing when they are ready."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

from DtsVirtLibrary.errors import BackendError
from DtsVirtLibrary.host.failures import shortage
from DtsVirtLibrary.host.protocol import FileKind, Host, HostPath
from DtsVirtLibrary.loop import Deadline

INTERVAL = 0.05


def connected_sockets() -> tuple[socket.socket, socket.socket]:
    """Return a pair of stream sockets, one end for a child.

    :raises HostError: too many files are open; the text names the limit.
    """
    try:
        return socket.socketpair()
    except OSError as error:
        raise shortage("make a pair of sockets", error) from error


async def wait_until_sockets(host: Host, paths: Sequence[HostPath], seconds: float) -> None:
    """Wait until a socket stands at each path.

    :raises BackendError: at one of them none appeared in time.
    """
    deadline = Deadline(seconds)
    for path in paths:
        while not await _is_socket(host, path):
            if deadline.expired:
                status = await host.status(path)
                found = "nothing is there" if status is None else f"a {status.kind.value} is there"
                raise BackendError(
                    f"No socket appeared at '{path}' on {host.name} within {seconds:g} s; {found}."
                )
            await asyncio.sleep(INTERVAL)


async def _is_socket(host: Host, path: HostPath) -> bool:
    status = await host.status(path)
    return status is not None and status.kind is FileKind.SOCKET
