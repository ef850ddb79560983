"""Where QEMU's user network stack let the guest's SSH server appear on the host.

``info usernet`` of the human monitor lists it, a connection a line::

    Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ
    TCP[HOST_FORWARD]   9       127.0.0.1 43477       10.0.2.15    22     0     0
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address

LOOPBACK = "127.0.0.1"
EVERY_ADDRESS = "*"
LARGEST_PORT = 65535
_FORWARD = re.compile(
    r"[ ]*TCP\[HOST_FORWARD\][ ]+\d+[ ]+(\S+)[ ]+(\d{1,5})[ ]+\S+[ ]+22(?:[ ]|$)", re.ASCII
)


def ssh_forward(text: str) -> tuple[str, int] | None:
    """Return the host's address and port that lead to port 22 of the guest, None if none do.

    The address is one to connect to: 127.0.0.1 where QEMU listens on all of them.

    :param text: what ``info usernet`` printed.
    """
    for line in text.splitlines():
        match = _FORWARD.match(line)
        if match and _is_address(match[1]) and 0 < int(match[2]) <= LARGEST_PORT:
            return LOOPBACK if match[1] == EVERY_ADDRESS else match[1], int(match[2])
    return None


def _is_address(text: str) -> bool:
    if text == EVERY_ADDRESS:
        return True
    try:
        IPv4Address(text)
    except ValueError:
        return False
    return True
