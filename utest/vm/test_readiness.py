"""From a running process to a guest that can be used."""

from __future__ import annotations

import asyncio
import socket

import pytest

from DtsVirtLibrary.errors import SshTimeout, StartTimeout
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.results import GuestAddress, GuestInterface, Readiness
from DtsVirtLibrary.spec import Nic, VmSpec
from DtsVirtLibrary.timeline import Timeline
from DtsVirtLibrary.vm.readiness import wait_until_ready
from utest.fakes.hypervisor import FakeInstance

MAC = "52:54:00:00:00:01"
SPEC = VmSpec("vm0", devices=(Nic(mac=MAC, control=True),))
BARE = GuestInterface("eth0", MAC)


class Interfaces:
    """Gives one answer after the other, the last one for ever."""

    def __init__(self, *answers: tuple[GuestInterface, ...]) -> None:
        self._answers = list(answers)
        self.asked = 0

    async def __call__(self, *, timeout: float) -> tuple[GuestInterface, ...]:
        self.asked += 1
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def instance_with(*answers: tuple[GuestInterface, ...]) -> tuple[FakeInstance, Interfaces]:
    instance, interfaces = FakeInstance(SPEC), Interfaces(*answers)
    instance.agent.interfaces = interfaces  # type: ignore[method-assign]
    return instance, interfaces


async def test_the_address_is_waited_for() -> None:
    ready = GuestInterface("host_connect", MAC, (GuestAddress("10.0.2.15", 24, "ipv4"),))
    six = GuestInterface("host_connect", MAC, (GuestAddress("fe80::1", 64, "ipv6"),))
    instance, interfaces = instance_with((), (BARE,), (six,), (ready,))
    timeline = Timeline()
    session = await wait_until_ready(SPEC, instance, Readiness.SSH, Deadline(60), timeline)
    assert session.ip == "10.0.2.15"
    assert interfaces.asked == 4
    assert timeline.current == "address assigned"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((BARE,), "Its control interface 'eth0' has no IPv4 address; is DHCP on in the guest?"),
        ((), "The guest has no interface with the MAC address of its control card"),
    ],
)
async def test_an_address_that_does_not_come(
    answer: tuple[GuestInterface, ...], message: str
) -> None:
    instance, _ = instance_with(answer)
    with pytest.raises(StartTimeout) as caught:
        await wait_until_ready(SPEC, instance, Readiness.SSH, Deadline(0.05), Timeline())
    assert message in str(caught.value)
    names = "eth0 (no address)" if answer else "none"
    assert f"Guest interfaces: {names}" in str(caught.value)


async def test_another_cards_address_is_not_the_control_cards() -> None:
    other = GuestInterface("eth1", "52:54:00:00:00:02", (GuestAddress("10.9.9.9", 24, "ipv4"),))
    instance, _ = instance_with((other, BARE))
    with pytest.raises(StartTimeout, match="no address came"):
        await wait_until_ready(SPEC, instance, Readiness.SSH, Deadline(0.05), Timeline())


async def test_the_agent_alone_needs_no_address() -> None:
    instance, interfaces = instance_with((BARE,))
    session = await wait_until_ready(SPEC, instance, Readiness.AGENT, Deadline(60), Timeline())
    assert session.ip is None
    assert dict(session.interfaces) == {"eth0": BARE}
    assert interfaces.asked == 1


async def test_ssh_is_ready_when_its_banner_came() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        greeted = asyncio.ensure_future(greet(server))
        instance = FakeInstance(SPEC)
        instance.forward = server.getsockname()
        session = await wait_until_ready(SPEC, instance, Readiness.SSH, Deadline(60), Timeline())
        await greeted
    assert (session.host, session.port) == instance.forward
    assert session.stages[-1].name == "SSH banner read"
    assert session.username is None


async def test_an_ssh_server_that_is_known_to_answer_is_not_asked() -> None:
    instance = FakeInstance(SPEC)
    # Nobody listens there.
    instance.forward, instance.serves_ssh = ("127.0.0.1", 1), True
    session = await wait_until_ready(SPEC, instance, Readiness.SSH, Deadline(60), Timeline())
    assert session.port == 1
    assert session.stages[-1].name == "address assigned"


async def greet(server: socket.socket) -> None:
    connection, _ = await asyncio.get_running_loop().sock_accept(server)
    with connection:
        connection.sendall(b"SSH-2.0-test\r\n")


@pytest.mark.fault(66)
async def test_a_server_that_stays_silent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        instance = FakeInstance(SPEC)
        instance.forward = server.getsockname()
        with pytest.raises(SshTimeout, match="accepted by QEMU, but the guest did not answer"):
            await wait_until_ready(SPEC, instance, Readiness.SSH, Deadline(0.05), Timeline())
