"""Who has a file or a port is told by the process's number and name."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path

import pytest

from DtsVirtLibrary.host.holders import (
    file_holder,
    first_free_port_for_users,
    port_holder,
    tap_holder,
)
from DtsVirtLibrary.host.leash.child import IFF_NO_PI, IFF_TAP, TUNSETIFF
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.host.network import unique_interface_name
from utest.host.acting import need_root

OURSELVES = f"process {os.getpid()} ("


async def test_file_is_found_by_any_of_its_names(host: LocalHost, tmp_path: Path) -> None:
    path = tmp_path / "a [1]*?.img"
    with path.open("w"):
        link = tmp_path / "link"
        link.symlink_to(path)
        assert (await file_holder(host, str(link))).startswith(OURSELVES)
    assert await file_holder(host, str(path)) == ""


@pytest.mark.parametrize(
    ("bound", "asked"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "0.0.0.0"),
        ("127.0.0.1", ""),
        ("0.0.0.0", "127.0.0.1"),
        ("::1", "::1"),
        ("::", "127.0.0.1"),
    ],
)
async def test_port_is_found_by_overlapping_addresses(
    host: LocalHost, bound: str, asked: str
) -> None:
    family = socket.AF_INET6 if ":" in bound else socket.AF_INET
    with socket.create_server((bound, 0), family=family) as server:
        port = server.getsockname()[1]
        assert (await port_holder(host, "tcp", asked, port)).startswith(OURSELVES)
        assert await port_holder(host, "udp", asked, port) == ""
    assert await port_holder(host, "tcp", asked, port) == ""


async def test_another_address_is_no_matter(host: LocalHost) -> None:
    with socket.create_server(("127.0.0.2", 0)) as server:
        assert await port_holder(host, "tcp", "127.0.0.1", server.getsockname()[1]) == ""


async def test_udp(host: LocalHost) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        found = await port_holder(host, "udp", "127.0.0.1", server.getsockname()[1])
    assert found.startswith(OURSELVES)


async def test_a_connection_is_no_listener(host: LocalHost) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        assert await port_holder(host, "tcp", "127.0.0.1", client.getsockname()[1]) == ""


async def test_ports_for_all_begin_somewhere(host: LocalHost) -> None:
    assert 0 <= await first_free_port_for_users(host) <= 65536


async def test_tap_is_found_by_its_name(host: LocalHost) -> None:
    need_root()
    name = unique_interface_name("tap")
    tap = os.open("/dev/net/tun", os.O_RDWR)
    flags = (IFF_TAP | IFF_NO_PI).to_bytes(2, "little")
    fcntl.ioctl(tap, TUNSETIFF, name.encode().ljust(16, b"\0") + flags)
    assert (await tap_holder(host, name)).startswith(OURSELVES)
    assert await tap_holder(host, name[:-1]) == ""
    os.close(tap)
    assert await tap_holder(host, name) == ""
