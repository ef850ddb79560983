"""Deadlines hold while the clock on the wall jumps to and fro by an hour."""

from __future__ import annotations

import asyncio
import itertools
import socket
import time
from collections.abc import Awaitable, Callable

import pytest

from DtsVirtLibrary.errors import (
    AgentTimeout,
    MonitorTimeout,
    SshTimeout,
    StartTimeout,
    WaitTimeout,
)
from DtsVirtLibrary.guest.banner import wait_for_banner
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.qemu.agent.agent import Agent
from DtsVirtLibrary.qemu.qmp.monitor import Monitor
from DtsVirtLibrary.results import GuestInterface
from DtsVirtLibrary.vm.readiness import wait_for_address
from utest.fakes.agent import fake_agent
from utest.fakes.hypervisor import FakeInstance
from utest.fakes.qmp_server import fake_qmp
from utest.vm.test_readiness import SPEC

HOUR = 3600.0
SECONDS = 0.3
# A wait that believed the wall's clock would end at once, or after an hour.
LEAST, MOST = 0.25, 60.0

pytestmark = pytest.mark.usefixtures("jumping")


@pytest.fixture
def jumping(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the wall's clock go an hour forward, then two back, and so on, at each look."""
    jumps = itertools.cycle([HOUR, -HOUR])
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + next(jumps))


async def holds(wait: Callable[[], Awaitable[object]], error: type[Exception]) -> None:
    start = time.monotonic()
    with pytest.raises(error):
        await asyncio.wait_for(wait(), MOST)
    assert time.monotonic() - start >= LEAST


@pytest.mark.fault(77)
async def test_of_the_monitor() -> None:
    monitor = Monitor("vm0")
    async with fake_qmp() as (ours, fake):
        await monitor.connect(ours, Deadline(MOST))
        fake.answer = lambda request: b""
        await holds(lambda: monitor.execute("query-status", timeout=SECONDS), MonitorTimeout)
        await holds(
            lambda: monitor.wait_for_event(["RESET"], deadline=Deadline(SECONDS)), WaitTimeout
        )
        await monitor.close()


@pytest.mark.fault(77)
async def test_of_the_agent() -> None:
    async with fake_agent() as (ours, fake):
        agent = Agent("vm0", ours)
        await agent.ping(timeout=MOST)
        fake.answer = lambda request: b""
        await holds(lambda: agent.ping(timeout=SECONDS), AgentTimeout)
        await agent.close()


@pytest.mark.fault(77)
async def test_of_the_address() -> None:
    instance = FakeInstance(SPEC)

    async def interfaces(*, timeout: float) -> tuple[GuestInterface, ...]:
        return ()

    instance.agent.interfaces = interfaces  # type: ignore[method-assign]
    await holds(lambda: wait_for_address(SPEC, instance, Deadline(SECONDS)), StartTimeout)


@pytest.mark.fault(77)
async def test_of_the_banner() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        await holds(
            lambda: wait_for_banner("vm0", "127.0.0.1", port, deadline=Deadline(SECONDS)),
            SshTimeout,
        )
