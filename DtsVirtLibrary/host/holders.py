"""Which process has a file or a tap open, or listens on a port; for messages, so it never fails."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress

from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.host.protocol import Host
from DtsVirtLibrary.printable import printable

SEARCH_SECONDS = 10.0
TABLES = {"tcp": ("tcp", "tcp6"), "udp": ("udp", "udp6")}
# How the kernel writes that a TCP socket listens, or that a UDP socket has no peer.
WAITING = {"tcp": "0A", "udp": "07"}
# The kernel names the interface of an open tap beside its descriptor.
FIND_TAP = 'exec grep -lsxF "$1" /proc/[0-9]*/fdinfo/*'
UNPRIVILEGED = "/proc/sys/net/ipv4/ip_unprivileged_port_start"


async def file_holder(host: Host, path: str) -> str:
    """Return who has a file open, as ``process 123 (qemu-system-x86)``; empty if unknown."""
    return await _process_with(host, await host.real_path(path))


async def port_holder(host: Host, protocol: str, address: str, port: int) -> str:
    """Return who listens on a port of an address (empty: any); empty if nobody or unknown.

    A socket whose process we may not see is ``a process of user id 0``.
    """
    for owner, inode in await _listeners(host, protocol, address, port):
        return await _process_with(host, f"socket:[{inode}]") or f"a process of user id {owner}"
    return ""


async def tap_holder(host: Host, name: str) -> str:
    """Return who has a tap interface open; empty if nobody or unknown."""
    return await _first_process(host, ("sh", "-c", FIND_TAP, "sh", f"iff:\t{name}"))


async def first_free_port_for_users(host: Host) -> int:
    """Return the lowest port that a process without rights may listen on."""
    try:
        return int(await host.read_text(UNPRIVILEGED))
    except (HostError, ValueError):
        return 1024


async def _process_with(host: Host, target: str) -> str:
    pattern = "".join(f"\\{sign}" if sign in "\\*?[]" else sign for sign in target)
    return await _first_process(
        host,
        (
            *("find", "/proc", "-mindepth", "3", "-maxdepth", "3"),
            *("-path", "/proc/[0-9]*/fd/*", "-lname", pattern, "-print", "-quit"),
        ),
    )


async def _first_process(host: Host, search: Sequence[str]) -> str:
    """Return the process of the first file in /proc that a command prints."""
    with suppress(HostError):
        found = await host.run(search, timeout=SEARCH_SECONDS, check=False)
        if found.stdout.startswith("/proc/"):
            pid = found.stdout.split("/")[2]
            name = printable((await host.read_text(f"/proc/{pid}/comm")).strip())
            return f"process {pid} ({name})"
    return ""


async def _listeners(host: Host, protocol: str, address: str, port: int) -> list[tuple[int, int]]:
    """Return user id and inode of the sockets that a listener on this port would disturb."""
    found = []
    for table in TABLES.get(protocol, ()):
        with suppress(HostError):
            lines = (await host.read_text(f"/proc/net/{table}")).splitlines()[1:]
            found += list(_matching(lines, WAITING[protocol], address, port))
    return found


def _matching(lines: list[str], state: str, address: str, port: int) -> Iterator[tuple[int, int]]:
    for line in lines:
        _, local, _, found_state, _, _, _, owner, _, inode, *_ = line.split()
        theirs, _, number = local.rpartition(":")
        if found_state == state and int(number, 16) == port and _overlap(theirs, address):
            yield int(owner), int(inode)


def _overlap(theirs: str, ours: str) -> bool:
    """Tell whether two addresses, one as the kernel writes it, can be the same."""
    words = struct.pack(f"={len(theirs) // 8}I", *_words(theirs))
    found = ipaddress.ip_address(words)
    if found.is_unspecified or not ours:
        return True
    wanted = ipaddress.ip_address(ours)
    return wanted.is_unspecified or found == wanted


def _words(text: str) -> Iterator[int]:
    yield from (int(text[start : start + 8], 16) for start in range(0, len(text), 8))
