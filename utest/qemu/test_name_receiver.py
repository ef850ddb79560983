"""The program that waits in a template: with the real agent, which runs on this machine."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from DtsVirtLibrary.errors import AgentCommandError
from DtsVirtLibrary.qemu.agent.agent import Agent
from DtsVirtLibrary.qemu.inside import name_receiver
from DtsVirtLibrary.qemu.inside.freshen import freshen
from DtsVirtLibrary.qemu.inside.name_receiver import (
    NameReceiver,
    dismiss_receiver,
    start_receiver,
    tell_receiver,
)
from DtsVirtLibrary.spec import Boot, VmSpec
from utest.fakes.agent import FakeAgent, Request, fake_agent, properly, refuse, reply

# This machine keeps its name and time.
HARMLESS = name_receiver.WAIT.partition("\n")[0] + '\necho "$name $now" >"$0.told"; exit {code}\n'


@pytest.fixture
async def agent(
    agent_socket: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Agent]:
    monkeypatch.setattr(name_receiver, "PLACE", str(tmp_path))
    monkeypatch.setattr(name_receiver, "WAIT", HARMLESS.format(code=0))
    agent = Agent("vm0", agent_socket)
    yield agent
    await agent.close()


async def ended(pid: int) -> None:
    """Return when a process is gone, or no more than a body."""
    while True:
        try:
            if "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text():
                return
        except (FileNotFoundError, ProcessLookupError):
            return
        await asyncio.sleep(0.01)


async def test_it_is_told_a_name_and_the_time(agent: Agent, tmp_path: Path) -> None:
    receiver = await start_receiver(agent)
    await tell_receiver(agent, receiver, "vm7")
    (told,) = tmp_path.glob("*.told")
    name, now = told.read_text().split()
    assert name == "vm7"
    assert abs(int(now) - time.time()) < 60
    assert list(tmp_path.glob("dtsvirt-*")) == [told]


async def test_one_that_fails_is_told_of(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_receiver, "WAIT", HARMLESS.format(code=3))
    receiver = await start_receiver(agent)
    with pytest.raises(AgentCommandError, match=r"could not be set \(exit code 3\)"):
        await tell_receiver(agent, receiver, "vm7")


async def test_one_that_is_dismissed_ends_and_does_nothing(agent: Agent, tmp_path: Path) -> None:
    receiver = await start_receiver(agent)
    await dismiss_receiver(agent, receiver)
    await asyncio.wait_for(ended(receiver.pid), 20)
    assert not list(tmp_path.glob("dtsvirt-*"))


async def test_without_a_place_for_the_pipe_there_is_none(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(name_receiver, "PLACE", "/nowhere")
    with pytest.raises(AgentCommandError, match="mkfifo '/nowhere/dtsvirt-"):
        await start_receiver(agent)


SPEC = VmSpec("vm7", boot=Boot(guest="default"))


def without_handles(request: Request) -> bytes:
    """Answer as an agent that was started anew, and knows none of its handles."""
    if request["execute"] == "guest-file-write":
        return refuse(request, "handle '1000' has not been found")
    if request["execute"] == "guest-exec":
        return reply(request, {"pid": 7})
    if request["execute"] == "guest-exec-status":
        return reply(request, {"exited": True, "exitcode": 0})
    return properly(request)


async def freshened(receiver: NameReceiver | None) -> FakeAgent:
    async with fake_agent() as (ours, fake):
        fake.answer = without_handles
        agent = Agent("vm7", ours)
        await freshen(agent, SPEC, receiver)
        await agent.close()
        return fake


async def test_a_guest_where_it_is_gone_is_told_by_a_new_program() -> None:
    fake = await freshened(NameReceiver(117, 1000))
    assert "guest-file-write" in fake.commands()
    assert "guest-exec" in fake.commands()


async def test_a_guest_without_one_is_told_by_a_new_program() -> None:
    fake = await freshened(None)
    assert "guest-file-write" not in fake.commands()
    (request,) = (item for item in fake.requests if item["execute"] == "guest-exec")
    assert "vm7" in request["arguments"]["arg"]
