"""The program that waits in a template: the real agent starts it, on this machine."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from DtsVirtLibrary.errors import AgentClosed, AgentCommandError, AgentTimeout
from DtsVirtLibrary.qemu.agent.agent import Agent
from DtsVirtLibrary.qemu.inside import name_port
from DtsVirtLibrary.qemu.inside.freshen import freshen
from DtsVirtLibrary.qemu.inside.name_port import NamePort
from DtsVirtLibrary.qemu.names import NAME_PORT_NAME
from DtsVirtLibrary.spec import Boot, VmSpec
from utest.fakes.agent import FakeAgent, Request, fake_agent, properly, reply

SPEC = VmSpec("vm7", boot=Boot(guest="default"))


@pytest.fixture
def line() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


async def says(theirs: socket.socket, *lines: str) -> None:
    """Say something as the guest."""
    theirs.sendall("".join(f"{line}\n" for line in lines).encode())


async def test_a_name_and_the_time_are_told(line: tuple[socket.socket, socket.socket]) -> None:
    port = NamePort("vm7", line[0])
    telling = asyncio.ensure_future(port.tell("vm7"))
    await asyncio.sleep(0)
    name, now = line[1].recv(100).decode().split()
    assert name == "vm7"
    assert abs(int(now) - time.time()) < 60
    await says(line[1], name_port.DONE)
    await telling


async def test_what_was_said_before_it_was_saved_counts_for_nothing(
    line: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(name_port, "SECONDS", 0.05)
    await says(line[1], name_port.DONE)
    with pytest.raises(AgentTimeout, match="'vm7': the guest could not be given its name"):
        await NamePort("vm7", line[0]).tell("vm7")


async def test_a_guest_that_fails_is_told_of_in_its_words(
    line: tuple[socket.socket, socket.socket],
) -> None:
    port = NamePort("vm7", line[0])
    telling = asyncio.ensure_future(port.tell("vm7"))
    await asyncio.sleep(0)
    await says(line[1], "date: can't set date: \x1b[31mno")
    with pytest.raises(
        AgentCommandError, match=r"given its name and time: date: can.t set date: no"
    ):
        await telling


async def test_a_guest_that_says_very_much_is_not_listened_to(
    line: tuple[socket.socket, socket.socket],
) -> None:
    port = NamePort("vm7", line[0])
    telling = asyncio.ensure_future(port.tell("vm7"))
    await asyncio.sleep(0)
    line[1].sendall(b"x" * 4096)
    with pytest.raises(AgentCommandError) as caught:
        await telling
    assert len(str(caught.value)) < 400


async def test_a_qemu_that_is_gone_is_told_of(line: tuple[socket.socket, socket.socket]) -> None:
    line[1].close()
    with pytest.raises(AgentClosed, match="QEMU closed the port"):
        await NamePort("vm7", line[0]).tell("vm7")


@pytest.fixture
async def agent(agent_socket: socket.socket) -> AsyncIterator[Agent]:
    agent = Agent("vm0", agent_socket)
    yield agent
    await agent.close()


@pytest.fixture
def ports(tmp_path: Path) -> Path:
    """What the kernel shows of the ports: the agent's, and the one for the name."""
    for port, name in (("vport1p1", "org.qemu.guest_agent.0"), ("vport1p2", NAME_PORT_NAME)):
        (tmp_path / port).mkdir()
        (tmp_path / port / "name").write_text(f"{name}\n")
    return tmp_path


async def test_the_program_finds_its_port_and_says_that_it_waits(
    agent: Agent, ports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe stands for the port's device, which shows in the line that the program writes."""
    ours, theirs = socket.socketpair()
    device = ports / "device"
    monkeypatch.setattr(name_port, "PORTS", str(ports))
    found = name_port.LISTEN.replace('"/dev/${port##*/}"', f'"{device}-${{port##*/}}"')
    monkeypatch.setattr(name_port, "LISTEN", found)
    with ours, theirs:
        listening = asyncio.ensure_future(NamePort("vm0", ours).listen(agent))
        opened = Path(f"{device}-vport1p2")
        while not (opened.exists() and opened.read_text()):
            await asyncio.sleep(0.01)
        assert opened.read_text() == f"{name_port.WAITING}\n"
        await says(theirs, name_port.WAITING)
        await listening


def with_programs(request: Request) -> bytes:
    """Answer as an agent whose programs end well."""
    if request["execute"] == "guest-exec":
        return reply(request, {"pid": 7})
    if request["execute"] == "guest-exec-status":
        return reply(request, {"exited": True, "exitcode": 0})
    return properly(request)


async def freshened(port: NamePort | None) -> FakeAgent:
    async with fake_agent() as (ours, fake):
        fake.answer = with_programs
        agent = Agent("vm7", ours)
        await freshen(agent, SPEC, port)
        await agent.close()
        return fake


async def test_a_guest_whose_program_fails_is_told_by_a_new_one(
    line: tuple[socket.socket, socket.socket],
) -> None:
    freshening = asyncio.ensure_future(freshened(NamePort("vm7", line[0])))
    while not await asyncio.to_thread(line[1].recv, 100):
        await asyncio.sleep(0)
    await says(line[1], "sh: /proc/sys/kernel/hostname: Read-only file system")
    assert "guest-exec" in (await freshening).commands()


async def test_a_guest_whose_program_serves_is_not_asked_anything(
    line: tuple[socket.socket, socket.socket],
) -> None:
    freshening = asyncio.ensure_future(freshened(NamePort("vm7", line[0])))
    await asyncio.to_thread(line[1].recv, 100)
    await says(line[1], name_port.DONE)
    assert (await freshening).commands() == []


async def test_a_guest_without_one_is_told_by_a_new_program() -> None:
    fake = await freshened(None)
    (request,) = (item for item in fake.requests if item["execute"] == "guest-exec")
    assert "vm7" in request["arguments"]["arg"]
