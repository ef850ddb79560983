"""A QEMU that misbehaves on demand, at the other end of a socket pair."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

Request = dict[str, Any]
Answer = Callable[[Request], bytes]

GREETING = (
    b'{"QMP": {"version": {"qemu": {"micro": 0, "minor": 2, "major": 7}, "package": ""},'
    b' "capabilities": ["oob"]}}\r\n'
)


def properly(request: Request) -> bytes:
    """Answer with an empty object; the client's negotiation has no id."""
    identity = {"id": request["id"]} if "id" in request else {}
    return json.dumps({"return": {}, **identity}).encode() + b"\r\n"


def event(name: str, **data: Any) -> bytes:
    """Return the line of an event."""
    timestamp = {"seconds": 1, "microseconds": 2}
    return json.dumps({"event": name, "data": data, "timestamp": timestamp}).encode() + b"\r\n"


class FakeQmp:
    """Greets, and answers requests with what `answer` returns; every request is kept."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.answer: Answer = properly
        self.requests: list[Request] = []
        self.arrived = asyncio.Event()
        self._reader = reader
        self._writer = writer

    def instead_of(self, command: str, answer: Answer) -> None:
        """Answer one command with `answer` and the others properly."""
        self.answer = lambda request: (
            answer(request) if request["execute"] == command else properly(request)
        )

    def send(self, data: bytes) -> None:
        """Send bytes that nobody asked for."""
        self._writer.write(data)

    async def seen(self, command: str) -> None:
        """Return when a request for `command` has come."""
        while all(request["execute"] != command for request in self.requests):
            await self.arrived.wait()
            self.arrived.clear()

    def hang_up(self) -> None:
        """End the connection."""
        self._writer.close()

    async def serve(self) -> None:
        """Answer until the other side hangs up."""
        text = ""
        while data := await self._reader.read(1 << 20):
            text += data.decode()
            while text:
                # Requests follow each other without a newline, which QEMU does not need.
                try:
                    request, end = json.JSONDecoder().raw_decode(text)
                except json.JSONDecodeError:
                    break
                text = text[end:]
                self.requests.append(request)
                self.arrived.set()
                self._writer.write(self.answer(request))


@asynccontextmanager
async def fake_qmp(greeting: bytes = GREETING) -> AsyncIterator[tuple[socket.socket, FakeQmp]]:
    """Yield our end of the connection and the QEMU at the other end."""
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=theirs, limit=1 << 24)
    fake = FakeQmp(reader, writer)
    writer.write(greeting)
    serving = asyncio.ensure_future(fake.serve())
    try:
        yield ours, fake
    finally:
        serving.cancel()
        await asyncio.wait({serving})
        writer.transport.abort()
        ours.close()
        await asyncio.sleep(0)
