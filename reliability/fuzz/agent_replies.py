"""The guest agent: whatever a guest answers, a question ends in a value or an AgentError."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from DtsVirtLibrary.errors import AgentError
from DtsVirtLibrary.qemu.agent.agent import Agent
from reliability.fuzz.eager_loop import run
from reliability.fuzz.script import Script

QUESTIONS: tuple[Callable[[Agent], Awaitable[object]], ...] = (
    lambda agent: agent.info(),
    lambda agent: agent.interfaces(),
    lambda agent: agent.run(["true"], timeout=1.0, stdin=b"in"),
    lambda agent: agent.get_file("/etc/hostname", timeout=1.0),
    lambda agent: agent.put_file(b"data", "/tmp/file", timeout=1.0, mode=0o600),
    lambda agent: agent.ping(),
    lambda agent: agent.boot_id(),
    lambda agent: agent.execute("guest-get-time"),
    lambda agent: agent.shutdown(),
)


def converse(data: bytes) -> None:
    """Ask every question of an agent that answers by the script.

    The script's first byte says which question is the first.
    """
    run(_converse(data))


async def _converse(data: bytes) -> None:
    first = data[0] % len(QUESTIONS) if data else 0
    agent = Agent("vm0", _socket())
    guest = _Guest(agent, Script(data[1:]))
    try:
        for question in QUESTIONS[first:] + QUESTIONS[:first]:
            if agent.closed:
                break
            try:
                answer = await question(agent)
                repr(answer).encode()
            except AgentError as error:
                str(error).encode()
    finally:
        guest.hang_up()
        await agent.close()


def _socket() -> socket.socket:
    """Return a socket that is never used: the transport is the script's."""
    unused = socket.socket(socket.AF_UNIX)
    unused.close()
    return unused


class _Guest(asyncio.Transport):
    """The channel's transport, with the guest's agent behind it."""

    def __init__(self, agent: Agent, script: Script) -> None:
        super().__init__()
        self._channel = agent._channel
        self._script = script
        self._channel.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Answer the lines of a request, each with a turn of the script."""
        loop = asyncio.get_running_loop()
        for line in bytes(data).splitlines():
            request = json.loads(line.rpartition(b"\xff")[2])
            said = self._script.next(request["id"])
            if said is None:
                loop.call_soon(self.hang_up)
                return
            loop.call_soon(self._channel.data_received, said + _proper(request))

    def hang_up(self) -> None:
        """End the connection, as a QEMU does that ends."""
        self._channel.connection_lost(None)

    def pause_reading(self) -> None:
        """Nothing is said but in answer to a request."""

    def resume_reading(self) -> None:
        """See :meth:`pause_reading`."""

    def abort(self) -> None:
        """The script goes no further."""


def _proper(request: dict[str, Any]) -> bytes:
    """Answer a sync at the end of whatever was said, so that the conversation goes on."""
    if request["execute"] != "guest-sync-delimited":
        return b""
    answer = {"return": request["arguments"]["id"], "id": request["id"]}
    return b"\xff" + json.dumps(answer).encode() + b"\n"
