"""A guest agent that misbehaves on demand, at the other end of a socket pair."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

Request = dict[str, Any]
# Takes a request; returns the bytes to send, b"" for silence.
Answer = Callable[[Request], bytes]


def reply(request: Request, value: Any) -> bytes:
    """Return the line of a proper answer."""
    return json.dumps({"return": value, "id": request["id"]}).encode() + b"\n"


def refuse(request: Request, description: str) -> bytes:
    """Return the line of a proper refusal."""
    error = {"class": "GenericError", "desc": description}
    return json.dumps({"error": error, "id": request["id"]}).encode() + b"\n"


def properly(request: Request) -> bytes:
    """Answer a sync as the real agent does, and anything else with an empty object."""
    if request["execute"] != "guest-sync-delimited":
        return reply(request, {})
    complaint = b'{"error": {"class": "GenericError", "desc": "JSON parse error, stray"}}\n'
    return complaint + b"\xff" + reply(request, request["arguments"]["id"])


class FakeAgent:
    """Answers requests with what `answer` returns; every request is kept."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.answer: Answer = properly
        self.requests: list[Request] = []
        self.arrived = asyncio.Event()
        self._reader = reader
        self._writer = writer

    def commands(self) -> list[str]:
        """Return the names of the commands that came."""
        return [request["execute"] for request in self.requests]

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
        while command not in self.commands():
            await self.arrived.wait()
            self.arrived.clear()

    def hang_up(self) -> None:
        """End the connection."""
        self._writer.close()

    async def serve(self) -> None:
        """Answer until the other side hangs up."""
        while line := await self._reader.readline():
            request = json.loads(line.rpartition(b"\xff")[2])
            self.requests.append(request)
            self.arrived.set()
            self._writer.write(self.answer(request))


@asynccontextmanager
async def fake_agent() -> AsyncIterator[tuple[socket.socket, FakeAgent]]:
    """Yield our end of the connection and the agent at the other end."""
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=theirs, limit=1 << 24)
    fake = FakeAgent(reader, writer)
    serving = asyncio.ensure_future(fake.serve())
    try:
        yield ours, fake
    finally:
        serving.cancel()
        await asyncio.wait({serving})
        writer.transport.abort()
        ours.close()
        await asyncio.sleep(0)
