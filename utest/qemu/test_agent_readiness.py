"""A guest whose agent's port opens and closes while it is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from DtsVirtLibrary.errors import AgentClosed, AgentTimeout
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.qemu.agent.agent import Agent
from DtsVirtLibrary.qemu.agent.readiness import AgentReadiness
from DtsVirtLibrary.qemu.names import AGENT_PORT
from DtsVirtLibrary.results import MonitorEvent
from DtsVirtLibrary.timeline import Timeline
from utest.fakes.agent import fake_agent, properly


class Events:
    """A monitor that sends what a test says, and knows of no character device."""

    vm = "vm0"

    def on_event(self, function: Callable[[MonitorEvent], None]) -> None:
        self._listener = function

    async def execute(self, command: str, arguments: object, *, timeout: float | None) -> object:
        return []

    def port(self, *, opened: bool) -> None:
        data = {"id": AGENT_PORT, "open": opened}
        self._listener(MonitorEvent("VSERPORT_CHANGE", data, 1.0))


async def test_a_port_that_closes_again_is_waited_for_again() -> None:
    events = Events()
    async with fake_agent() as (ours, fake):
        agent = Agent("vm0", ours)
        readiness = AgentReadiness("vm0", events, agent)  # type: ignore[arg-type]
        fake.answer = lambda request: b""
        waiting = asyncio.ensure_future(readiness.wait(Deadline(60), Timeline()))
        events.port(opened=True)
        await fake.seen("guest-sync-delimited")
        events.port(opened=False)
        await asyncio.sleep(0)
        assert not readiness.connected
        assert not waiting.done()
        fake.answer = properly
        events.port(opened=True)
        await waiting
        await agent.close()


async def test_a_command_is_told_why_the_port_closed() -> None:
    events = Events()
    async with fake_agent() as (ours, fake):
        agent = Agent("vm0", ours)
        AgentReadiness("vm0", events, agent)  # type: ignore[arg-type]
        fake.instead_of("guest-ping", lambda request: b"")
        ping = asyncio.ensure_future(agent.ping(timeout=60))
        await fake.seen("guest-ping")
        events.port(opened=False)
        with pytest.raises(AgentClosed, match="the guest closed the agent's port before"):
            await ping
        await agent.close()


async def test_an_agent_that_was_hung_up_on_is_not_waited_for() -> None:
    events = Events()
    async with fake_agent() as (ours, fake):
        agent = Agent("vm0", ours)
        readiness = AgentReadiness("vm0", events, agent)  # type: ignore[arg-type]
        fake.answer = lambda request: b""
        waiting = asyncio.ensure_future(readiness.wait(Deadline(60), Timeline()))
        events.port(opened=True)
        await fake.seen("guest-sync-delimited")
        fake.hang_up()
        with pytest.raises(AgentClosed):
            await waiting


@pytest.mark.fault(61)
async def test_a_port_that_never_opens_is_told() -> None:
    async with fake_agent() as (ours, _):
        agent = Agent("vm0", ours)
        readiness = AgentReadiness("vm0", Events(), agent)  # type: ignore[arg-type]
        with pytest.raises(AgentTimeout, match="The guest never opened the agent's port"):
            await readiness.wait(Deadline(0.05), Timeline())
        await agent.close()


@pytest.mark.fault(61)
async def test_a_port_that_opens_and_is_silent_is_told() -> None:
    events = Events()
    async with fake_agent() as (ours, fake):
        agent = Agent("vm0", ours)
        readiness = AgentReadiness("vm0", events, agent)  # type: ignore[arg-type]
        fake.answer = lambda request: b""
        events.port(opened=True)
        with pytest.raises(AgentTimeout, match="did not answer guest-sync-delimited within"):
            await readiness.wait(Deadline(0.05), Timeline())
        await agent.close()
