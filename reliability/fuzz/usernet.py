"""``info usernet``: any text leads to an address and a port to connect to, or to none."""

from __future__ import annotations

from ipaddress import IPv4Address

from DtsVirtLibrary.qemu.running.usernet import ssh_forward


def read(data: bytes) -> None:
    """Read a text of the human monitor."""
    forward = ssh_forward(data.decode("utf-8", "replace"))
    if forward is not None:
        address, port = forward
        assert str(IPv4Address(address)) == address, address
        assert 1 <= port <= 65535, port
