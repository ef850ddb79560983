"""The state of a VM's devices, with or without its memory, out of one QEMU and into another.

QEMU's migration carries it through a socket that is handed to it. Where the memory lies in a
file that both map (``x-ignore-shared``), what goes over the socket is below a megabyte.
"""

from __future__ import annotations

import asyncio
import signal
import socket

from DtsVirtLibrary.errors import HostError, MonitorError
from DtsVirtLibrary.host.protocol import Host, HostProcess, Spawn
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.printable import printable
from DtsVirtLibrary.qemu.qmp.monitor import Monitor
from DtsVirtLibrary.qemu.qmp.replies import MIGRATION, ask
from DtsVirtLibrary.results import MonitorEvent

IGNORE_SHARED = "x-ignore-shared"
SOCKET_NAME = "device-state"
CHUNK = 1 << 20
MIGRATION_SECONDS = 60.0
# QEMU takes care not to fill a network; there is none here.
BANDWIDTH = 1 << 40
DESCRIPTOR = 3
WRITE = f'umask 077 && exec cat <&{DESCRIPTOR} >"$0"'
READ = f'exec cat "$0" >&{DESCRIPTOR}'


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
            await _set_capability(monitor, IGNORE_SHARED, state=False)
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)


async def save_all(monitor: Monitor, host: Host, path: str) -> None:
    """Write the state of the devices and the memory of a VM to a file of the host.

    Its CPUs must be stopped; its disks are flushed and let go.

    :raises MonitorError: QEMU cannot save it; the text says which device prevents it.
    :raises HostError: the file cannot be written.
    """
    await _set_capabilities(monitor, ignore_shared=False)
    await monitor.execute("migrate-set-parameters", {"max-bandwidth": BANDWIDTH})
    writer = await _connected(monitor, host, WRITE, path)
    mark = monitor.mark()
    await _start(monitor, "migrate")
    await _completed(monitor, mark)
    if code := await writer.wait():
        raise HostError(f"'{path}' on {host.name} was not written whole (exit code {code}).")


async def load_all(monitor: Monitor, host: Host, path: str) -> None:
    """Load what :func:`save_all` has written into a QEMU started with ``-incoming defer``.

    :raises MonitorError: it does not fit this QEMU.
    """
    await _set_capabilities(monitor, ignore_shared=False)
    reader = await _connected(monitor, host, READ, path)
    try:
        mark = monitor.mark()
        await _start(monitor, "migrate-incoming")
        await _completed(monitor, mark)
    finally:
        reader.send_signal(signal.SIGTERM)
        await reader.wait()


async def hand_over(source: Monitor, target: Monitor) -> None:
    """Bring the state of the devices and the memory of a VM into another QEMU.

    The source's CPUs must be stopped; its disks are flushed and let go. The target was
    started with ``-incoming defer``.

    :raises MonitorError: the one cannot save it, or it does not fit the other.
    """
    for monitor in (source, target):
        await _set_capabilities(monitor, ignore_shared=False)
    await source.execute("migrate-set-parameters", {"max-bandwidth": BANDWIDTH})
    ours, theirs = socket.socketpair()
    with ours, theirs:
        await source.pass_socket(SOCKET_NAME, ours)
        await target.pass_socket(SOCKET_NAME, theirs)
    mark, since = target.mark(), source.mark()
    await _start(target, "migrate-incoming")
    await _start(source, "migrate")
    await _completed(source, since)
    await _completed(target, mark)


async def _connected(monitor: Monitor, host: Host, script: str, path: str) -> HostProcess:
    """Start a process between a file of the host and the socket that QEMU is handed."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        await monitor.pass_socket(SOCKET_NAME, theirs)
        return await host.spawn(
            Spawn(
                argv=["sh", "-c", script, path],
                stdout="/dev/null",
                stderr="/dev/null",
                sockets={DESCRIPTOR: ours},
            )
        )


async def _set_capabilities(monitor: Monitor, *, ignore_shared: bool = True) -> None:
    await _set_capability(monitor, "events", state=True)
    await _set_capability(monitor, IGNORE_SHARED, state=ignore_shared)


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
