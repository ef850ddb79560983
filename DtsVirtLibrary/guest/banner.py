"""Knowing when a guest's SSH server answers.

QEMU's user network accepts a connection before the guest listens, and then repeats the
guest's SYN with growing pauses: one patient connection sees the banner up to 4 s late.
Short tries, repeated, see it at once. A guest that is slow may take longer than that to start
a server for one connection, and short tries alone would keep it busy for ever: each silent
try is followed by a more patient one.
"""

from __future__ import annotations

import asyncio
import socket

from DtsVirtLibrary.errors import Evidence, HostError, SshTimeout
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.printable import printable

TRY_SECONDS = 0.25
LONGEST_TRY = 15.0
GROWTH = 1.25
SILENT = "was accepted by QEMU, but the guest did not answer"
PAUSE_SECONDS = 0.02
BANNER_LIMIT = 1024


def require_route(vm: str, host: str, port: int) -> None:
    """Check that this machine has a way to an address; nothing is sent.

    :raises HostError: it has none, and no guest could answer.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        try:
            probe.connect(address)
        except OSError as error:
            raise HostError(
                f"VM '{vm}': this machine has no way to {host}, on which QEMU listens for the "
                f"guest's SSH server: {error.strerror}. Is its interface up? For 127.0.0.1: "
                "ip link set lo up. Or use wait_for=agent."
            ) from error


async def wait_for_banner(vm: str, host: str, port: int, *, deadline: Deadline) -> str:
    """Return the SSH server's banner line, such as ``SSH-2.0-dropbear_2022.83``.

    :raises SshTimeout: none came in time; the text says how far the last try came.
    """
    patience = TRY_SECONDS
    while True:
        found, banner = await _try(host, port, max(TRY_SECONDS, deadline.at_most(patience)))
        if banner is not None:
            return banner
        if deadline.expired:
            raise SshTimeout(
                f"VM '{vm}': no SSH banner on {host}:{port} within {deadline.elapsed:.1f} s. "
                f"The last try {found}. Is an SSH server running in the guest, and its "
                "firewall off?",
                Evidence(vm=vm, stage="waiting for the SSH banner", waited=deadline.elapsed),
            )
        if found == SILENT:
            patience = min(patience * GROWTH, LONGEST_TRY)
        await asyncio.sleep(PAUSE_SECONDS)


async def _try(host: str, port: int, seconds: float) -> tuple[str, str | None]:
    """Connect once and return what happened, and the banner if one came."""
    try:
        reader, writer = await asyncio.wait_for(
            asyncio.open_connection(host, port, limit=BANNER_LIMIT), seconds
        )
    except (OSError, asyncio.TimeoutError) as error:
        return f"could not connect ({error or 'timed out'})", None
    try:
        line = await asyncio.wait_for(reader.readline(), seconds)
    except asyncio.TimeoutError:
        return SILENT, None
    except (OSError, ValueError) as error:
        return f"was accepted, then failed ({error})", None
    finally:
        writer.close()
    text = printable(line.decode("utf-8", "replace")).strip()
    if text.startswith("SSH-"):
        return "succeeded", text
    return f"read '{text[:80]}' instead of an SSH banner" if text else "was closed", None
