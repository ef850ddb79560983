"""Taps, bridges, network namespaces and veth pairs, on the real machine."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.host import network
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.host.protocol import FileStatus, HostPath
from utest.host.acting import OrdinaryUser, killed_runner, need_root


@pytest.fixture
async def host() -> AsyncIterator[LocalHost]:
    need_root()
    local = LocalHost()
    yield local
    await local.close()


def interfaces() -> set[str]:
    return set(os.listdir("/sys/class/net"))


def namespaces() -> set[str]:
    return set(os.listdir("/run/netns"))


def attribute(interface: str, name: str) -> str:
    return Path(f"/sys/class/net/{interface}/{name}").read_text().strip()


def is_up(interface: str) -> bool:
    return bool(int(attribute(interface, "flags"), 16) & 1)


def test_unique_names_are_short_and_differ() -> None:
    names = {network.unique_interface_name("namespace") for _ in range(50)}
    assert len(names) == 50
    assert max(len(name) for name in names) == network.NAME_BYTES


@pytest.mark.parametrize("address", ["192.0.2.1", "192.0.2.1/33", "192.0.2/24", "here", ""])
async def test_an_address_without_its_network_is_refused(host: LocalHost, address: str) -> None:
    before = interfaces()
    with pytest.raises(HostError, match=r"write it with the size of its network, such as 192"):
        await network.make_bridge(host, address=address)
    with pytest.raises(HostError, match=r"is not the address of an interface"):
        await network.make_veth(host, peer_address=address)
    assert interfaces() - before == set()


async def test_tap_is_up_and_on_its_bridge(host: LocalHost) -> None:
    bridge = await network.make_bridge(host)
    tap = await network.make_tap(host, bridge=bridge.name, owner=65534)
    assert attribute(tap.name, "owner") == "65534"
    assert Path(f"/sys/class/net/{tap.name}/master").resolve().name == bridge.name
    assert is_up(tap.name)
    assert is_up(bridge.name)
    await network.remove_tap(host, tap)
    assert tap.name not in interfaces()
    assert await network.remove_bridge(host, bridge)
    assert bridge.name not in interfaces()


async def test_removing_what_is_gone_is_quiet(host: LocalHost) -> None:
    tap = await network.make_tap(host)
    namespace = await network.make_namespace(host)
    for _ in range(2):
        await network.remove_tap(host, tap)
        await network.remove_namespace(host, namespace)


async def test_close_removes_what_was_not_removed(host: LocalHost) -> None:
    tap = await network.make_tap(host)
    bridge = await network.make_bridge(host)
    namespace = await network.make_namespace(host)
    veth, peer = await network.make_veth(host)
    made = {tap.name, bridge.name, veth.name, peer}
    assert made <= interfaces()
    await host.close()
    assert not made & interfaces()
    assert namespace.name not in namespaces()


async def test_foreign_bridge_is_used_and_left(host: LocalHost) -> None:
    ours = await network.make_bridge(host)
    other = LocalHost()
    theirs = await network.make_bridge(other, ours.name)
    assert not theirs.made
    assert not await network.remove_bridge(other, theirs)
    await other.close()
    assert ours.name in interfaces()


async def test_bridge_with_a_port_of_another_run_stays(host: LocalHost) -> None:
    other = LocalHost()
    bridge = await network.make_bridge(other)
    tap = await network.make_tap(host, bridge=bridge.name)
    assert not await network.remove_bridge(other, bridge)
    await other.close()
    assert bridge.name in interfaces()
    await network.remove_tap(host, tap)
    subprocess.run(["ip", "link", "delete", bridge.name], check=True)


@pytest.mark.fault(46)
async def test_name_that_is_taken_is_not_touched(host: LocalHost) -> None:
    tap = await network.make_tap(host)
    for make in (network.make_tap, network.make_veth):
        with pytest.raises(HostError, match=f"'{tap.name}' is there already .* is not touched"):
            await make(host, tap.name)
    with pytest.raises(HostError, match="is there, but is not a bridge"):
        await network.make_bridge(host, tap.name)
    assert tap.name in interfaces()


async def test_half_made_is_removed(host: LocalHost) -> None:
    name = network.unique_interface_name("half")
    with pytest.raises(HostError, match=rf"Tap '{name}'.*master no-such-br"):
        await network.make_tap(host, name, bridge="no-such-br")
    assert name not in interfaces()
    with pytest.raises(HostError, match=rf"Veth pair '{name}'.*address add ff02::1/64"):
        await network.make_veth(host, name, address="ff02::1/64")
    assert name not in interfaces()


async def test_cancelled_maker_leaves_nothing(host: LocalHost) -> None:
    cancelled = 0
    for pause in (0.0, 0.002, 0.004, 0.008, 0.016):
        name = network.unique_interface_name("cut")
        making = asyncio.create_task(network.make_tap(host, name))
        await asyncio.wait([making], timeout=pause)
        making.cancel()
        (done,) = await asyncio.gather(making, return_exceptions=True)
        if isinstance(done, network.Interface):
            await network.remove_tap(host, done)
        else:
            cancelled += 1
        assert name not in interfaces()
    assert cancelled


async def test_ping_through_bridge_and_namespace(host: LocalHost) -> None:
    bridge = await network.make_bridge(host, address="198.51.100.1/24")
    namespace = await network.make_namespace(host)
    _, far = await network.make_veth(
        host,
        namespace=namespace.name,
        bridge=bridge.name,
        peer_address="198.51.100.9/24",
    )
    listed = await host.run(
        ["ip", "-n", namespace.name, "-4", "address", "show", "dev", far], timeout=10
    )
    assert "198.51.100.9/24" in listed.stdout
    await host.run(["ip", "netns", "exec", namespace.name, "python3", "-c", PING], timeout=30)


# A UDP datagram to the bridge's port 9, where nobody listens, comes back as an ICMP error.
PING = """
import socket
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(20)
sock.connect(("198.51.100.1", 9))
sock.send(b"x")
try:
    sock.recv(1)
except ConnectionRefusedError:
    raise SystemExit(0)
raise SystemExit("the bridge did not answer")
"""


async def test_killed_runner_leaves_nothing() -> None:
    need_root()
    made = killed_runner(
        """
    bridge = await network.make_bridge(host)
    tap = await network.make_tap(host, bridge=bridge.name)
    namespace = await network.make_namespace(host)
    veth, _ = await network.make_veth(host, namespace=namespace.name, bridge=bridge.name)
    made = [bridge.name, tap.name, veth.name, namespace.name]
"""
    )
    assert len(made) == 4
    assert not set(made) & (interfaces() | namespaces())


@pytest.mark.fault(46)
@pytest.mark.parametrize("name", ["", "sixteen-bytes-xx", "two words", "a/b", "..", "größe-äöüß"])
async def test_names_that_the_kernel_refuses(name: str) -> None:
    host = LocalHost()
    if name:
        with pytest.raises(HostError, match="is not a name for an interface: 1 to 15 bytes"):
            await network.make_bridge(host, name)
    with pytest.raises(HostError, match="is not a name for an interface"):
        await network.make_tap(host, name)


@pytest.mark.parametrize("name", ["a/b", ".", ".."])
async def test_namespace_is_no_path(name: str) -> None:
    with pytest.raises(HostError, match="is not a name for a network namespace"):
        await network.make_namespace(LocalHost(), name)


@pytest.mark.fault(46)
async def test_missing_rights_are_named() -> None:
    host = OrdinaryUser()
    with pytest.raises(HostError, match=r"(?s)Bridge .*CAP_NET_ADMIN is missing: run as root"):
        await network.make_bridge(host)
    with pytest.raises(
        HostError, match=r"(?s)Tap .*CAP_NET_ADMIN .*the right to open /dev/net/tun"
    ):
        await network.make_tap(host)
    with pytest.raises(HostError, match="CAP_SYS_ADMIN and CAP_NET_ADMIN"):
        await network.make_namespace(host)
    await host.close()


class Bare(LocalHost):
    """A host without the tun device and without iproute2."""

    async def status(self, path: HostPath, *, follow: bool = True) -> FileStatus | None:
        """Return what stands at a path; there is no tun device."""
        return None if path == network.TUN_DEVICE else await super().status(path, follow=follow)

    async def which(self, program: str) -> str | None:
        """Find no program."""
        return None


@pytest.mark.fault(46)
async def test_missing_parts_of_the_host_are_named() -> None:
    with pytest.raises(HostError, match=r"/dev/net/tun is missing\. As root: modprobe tun"):
        await network.make_tap(Bare())
    with pytest.raises(HostError, match=r"iproute2 is not installed .* apt-get install iproute2"):
        await network.make_bridge(Bare())


async def test_veth_between_two_namespaces(host: LocalHost) -> None:
    near, far = [await network.make_namespace(host) for _ in range(2)]
    veth, peer = await network.make_veth(
        host,
        namespace=far.name,
        near_namespace=near.name,
        address="192.0.2.1/24",
        peer_address="192.0.2.2/24",
    )
    assert not {veth.name, peer} & interfaces()
    for namespace, name, address in ((near, veth.name, "192.0.2.1"), (far, peer, "192.0.2.2")):
        shown = subprocess.check_output(
            ["ip", "-n", namespace.name, "address", "show", "up", "dev", name], text=True
        )
        assert address in shown
    await network.remove_veth(host, veth)
    for namespace in (near, far):
        shown = subprocess.check_output(["ip", "-n", namespace.name, "link"], text=True)
        assert "veth" not in shown
        await network.remove_namespace(host, namespace)
    await network.remove_veth(host, veth)  # quiet, though all is gone


async def test_half_made_veth_in_a_namespace_is_removed(host: LocalHost) -> None:
    near = await network.make_namespace(host)
    with pytest.raises(HostError, match="nonsense"):
        await network.make_veth(host, near_namespace=near.name, address="nonsense")
    shown = subprocess.check_output(["ip", "-n", near.name, "link"], text=True)
    assert "veth" not in shown
    await network.remove_namespace(host, near)
