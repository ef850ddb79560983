"""The state of a VM's devices, without its memory, out of one QEMU and into another.

QEMU's migration carries it through a socket that is handed to it. The memory lies in a
file that both map (``x-ignore-shared``), so what goes over the socket is below a megabyte.
"""

from __future__ import annotations

import asyncio
import socket

from DtsVirtLibrary.errors import MonitorError
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.printable import printable
from DtsVirtLibrary.qemu.monitor import Monitor
from DtsVirtLibrary.qemu.replies import MIGRATION, ask
from DtsVirtLibrary.results import MonitorEvent

CAPABILITIES = ("events", "x-ignore-shared")
SOCKET_NAME = "device-state"
CHUNK = 1 << 20
MIGRATION_SECONDS = 60.0


async def save_state(monitor: Monitor) -> bytes:
    """Return the state of the devices of a VM whose memory is in a shared file.

    Its CPUs must be stopped; its disks are flushed and let go.

    :raises MonitorError: QEMU cannot save it; the text says which device prevents it.
    """
    await _set_capabilities(monitor)
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            await monitor.pass_socket(SOCKET_NAME, theirs)
        reading = asyncio.ensure_future(_read_all(ours))
        try:
            mark = monitor.mark()
            await _start(monitor, "migrate")
            await _completed(monitor, mark)
            return await reading
        finally:
            reading.cancel()


async def load_state(monitor: Monitor, state: bytes) -> None:
    """Load the state into a QEMU that was started with ``-incoming defer``.

    :raises MonitorError: it does not fit this QEMU.
    """
    await _set_capabilities(monitor)
    ours, theirs = socket.socketpair()
    with ours:
        ours.setblocking(False)
        with theirs:
            await monitor.pass_socket(SOCKET_NAME, theirs)
        mark = monitor.mark()
        await _start(monitor, "migrate-incoming")
        writing = asyncio.ensure_future(_write_all(ours, state))
        try:
            await _completed(monitor, mark)
            # A snapshot of this QEMU must hold the memory, shared or not.
            await _set_capability(monitor, "x-ignore-shared", state=False)
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)


async def _set_capabilities(monitor: Monitor) -> None:
    for name in CAPABILITIES:
        await _set_capability(monitor, name, state=True)


async def _set_capability(monitor: Monitor, name: str, *, state: bool) -> None:
    arguments = {"capabilities": [{"capability": name, "state": state}]}
    await monitor.execute("migrate-set-capabilities", arguments)


async def _start(monitor: Monitor, command: str) -> None:
    arguments = {"uri": f"fd:{SOCKET_NAME}"}
    await monitor.execute(command, arguments)


async def _completed(monitor: Monitor, mark: float) -> None:
    event = await monitor.wait_for_event(
        ["MIGRATION"], deadline=Deadline(MIGRATION_SECONDS), match=_is_final, since=mark
    )
    if event.data["status"] == "completed":
        return
    found = await ask(monitor, "query-migrate", MIGRATION)
    reason = found.get("error-desc", f"it is {event.data['status']}")
    raise MonitorError(
        f"VM '{monitor.vm}': the state of its devices was not carried: {printable(reason)}"
    )


def _is_final(event: MonitorEvent) -> bool:
    return event.data.get("status") in ("completed", "failed", "cancelled")


async def _read_all(sock: socket.socket) -> bytes:
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    parts = []
    while part := await loop.sock_recv(sock, CHUNK):
        parts.append(part)
    return b"".join(parts)


async def _write_all(sock: socket.socket, data: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(sock, data)
    sock.shutdown(socket.SHUT_WR)
