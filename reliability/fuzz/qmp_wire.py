"""The monitor: whatever comes over its wire, a command ends in a value or a MonitorError."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable

from DtsVirtLibrary.errors import MonitorError, WaitTimeout
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.qemu.qmp.monitor import Monitor
from DtsVirtLibrary.qemu.running.guest_state import GuestState
from reliability.fuzz.eager_loop import run
from reliability.fuzz.script import Script

COMMANDS: tuple[Callable[[Monitor], Awaitable[object]], ...] = (
    lambda monitor: monitor.execute("query-status"),
    lambda monitor: monitor.human("info status"),
    lambda monitor: monitor.execute("screendump", {"filename": "/a"}),
    lambda monitor: monitor.wait_for_event(["RESET"], deadline=Deadline(1.0), since=0.0),
    lambda monitor: monitor.execute("quit"),
)
MOST_MESSAGES = 100


def converse(data: bytes) -> None:
    """Give commands to a QEMU that speaks by the script."""
    run(_converse(data))


async def _converse(data: bytes) -> None:
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=theirs)
    speaking = asyncio.ensure_future(_speak(reader, writer, Script(data)))
    monitor = Monitor("vm0")
    state = GuestState(monitor)
    try:
        await _command(monitor, ours)
    finally:
        await monitor.close()
        speaking.cancel()
        await asyncio.wait({speaking})
        writer.transport.abort()
        ours.close()
        await asyncio.sleep(0)
    "\n".join(state.take_surprises()).encode()
    for event in monitor.events:
        f"{event.name} {event.data}".encode()
    for line in monitor.transcript().split("\n")[:-1]:
        json.loads(line)


async def _command(monitor: Monitor, ours: socket.socket) -> None:
    try:
        await monitor.connect(ours, Deadline(10.0))
    except MonitorError as error:
        str(error).encode()
        return
    for command in COMMANDS:
        try:
            repr(await command(monitor)).encode()
        except (MonitorError, WaitTimeout) as error:
            str(error).encode()


async def _speak(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, script: Script
) -> None:
    """Greet, and answer each request with a turn of the script; then hang up."""
    identity: object = None
    buffered = ""
    for _ in range(MOST_MESSAGES):
        said = script.next(identity)
        if said is None:
            break
        writer.write(said)
        while not buffered:
            data = await reader.read(1 << 16)
            if not data:
                return
            buffered += data.decode()
        request, end = json.JSONDecoder().raw_decode(buffered)
        identity, buffered = request.get("id"), buffered[end:].strip()
    writer.close()
