"""What is said of an image, by what its guest does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from DtsVirtLibrary.cli.findings import Finding, Status
from DtsVirtLibrary.cli.image_check import as_lines, examine
from DtsVirtLibrary.config import Parameters
from DtsVirtLibrary.errors import AgentCommandError
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.results import CommandResult, GuestInterface
from utest.fakes.hypervisor import FakeAgent, FakeHypervisor, FakeInstance

Change = Callable[[FakeInstance], None]


class Guests(FakeHypervisor):
    """Starts guests that are prepared, but for what `change` does to them."""

    def __init__(self, port: int, change: Change) -> None:
        super().__init__()
        self._port = port
        self._change = change

    async def launch(self, *arguments: Any) -> FakeInstance:
        instance = await super().launch(*arguments)
        instance.forward = ("127.0.0.1", self._port)
        self._change(instance)
        return instance


@pytest.fixture
async def ssh_port() -> AsyncIterator[int]:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-here\r\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        yield int(server.sockets[0].getsockname()[1])
        await asyncio.sleep(0)


async def found(port: int, change: Change = lambda _: None) -> dict[str, Finding]:
    host = LocalHost()
    hypervisor = Guests(port, change)
    try:
        findings = await examine(host, hypervisor, Parameters(), 0.5)
    finally:
        await host.close()
    assert [one.exit_code is None for one in hypervisor.launched] == [False], "the VM is ended"
    return {finding.name: finding for finding in findings}


async def test_nothing_is_missing_in_a_prepared_guest(ssh_port: int) -> None:
    findings = await found(ssh_port)

    assert {finding.status for finding in findings.values()} == {Status.OK}
    assert findings["SSH server"].text == "SSH-2.0-here"
    assert as_lines(list(findings.values()))[-1] == "The image is prepared."


async def test_a_guest_without_agent_is_told_how_to_get_one(ssh_port: int) -> None:
    findings = await found(ssh_port, lambda instance: instance.agent_ready.clear())

    assert findings["guest agent"].status is Status.MISSING
    assert "install qemu-guest-agent" in findings["guest agent"].remedy
    assert findings["address"].status is Status.NOTE
    assert findings["SSH server"].status is Status.OK
    assert as_lines(list(findings.values()))[-1] == "The image lacks: guest agent."


async def test_a_card_of_another_name_and_without_address(
    ssh_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def interfaces(agent: FakeAgent, *, timeout: float) -> tuple[GuestInterface, ...]:
        nic = agent._instance.spec.control_nic
        assert nic is not None
        return (GuestInterface("enp0s31", nic.mac),)

    monkeypatch.setattr(FakeAgent, "interfaces", interfaces)
    findings = await found(ssh_port)

    assert findings["address"].status is Status.MISSING
    assert "DHCP" in findings["address"].remedy
    assert findings["interface name"].text == "the card is named 'enp0s31', not host_connect"


async def test_a_guest_without_ssh_server() -> None:
    findings = await found(1)  # nothing listens there

    assert findings["SSH server"].status is Status.MISSING
    assert "install openssh-server" in findings["SSH server"].remedy


@pytest.mark.parametrize(
    ("answer", "status", "text"),
    [
        ("firewalld\n", Status.MISSING, "firewalld keeps packets out, or may do so"),
        (AgentCommandError("guest-exec is off"), Status.NOTE, "not known: guest-exec is off"),
    ],
)
async def test_firewalls(
    answer: str | Exception,
    status: Status,
    text: str,
    ssh_port: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def run(_: FakeAgent, command: str | Sequence[str], *, timeout: float) -> CommandResult:
        if isinstance(answer, Exception):
            raise answer
        return CommandResult(0, answer, "")

    monkeypatch.setattr(FakeAgent, "run", run)
    findings = await found(ssh_port)

    assert (findings["firewall"].status, findings["firewall"].text) == (status, text)
    assert findings["firewall"].remedy
