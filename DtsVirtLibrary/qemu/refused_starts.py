"""What QEMU says when it ends at its start, in the words of who can do something about it."""

from __future__ import annotations

import re
from collections.abc import Callable

from DtsVirtLibrary.errors import BackendError, DtsVirtError, ImageInUse, PortInUse

VNC_BASE_PORT = 5900

Cause = Callable[[str, "re.Match[str]"], DtsVirtError]


def image_in_use(vm: str, found: re.Match[str]) -> DtsVirtError:
    """Return the error that a lock on an image shows."""
    return ImageInUse(
        f"VM '{vm}': image '{found['image']}' is in use: a process that is none of this run's VMs "
        f"has locked it. End that process ('fuser -v {found['image']}' names it), or give the VM "
        "a copy."
    )


def _display_taken(vm: str, found: re.Match[str]) -> DtsVirtError:
    number = int(found["display"])
    return PortInUse(
        f"VM '{vm}': VNC display {number} (port {VNC_BASE_PORT + number} of {found['address']}) "
        "is taken by another process. Give another displayNum, or vnc=auto=yes for a free one."
    )


def _forward_refused(vm: str, found: re.Match[str]) -> DtsVirtError:
    return PortInUse(
        f"VM '{vm}': the port of opt_hostfwd={found['rule']} cannot be had: another process "
        "listens on it, the address is not this host's, or it is below 1024 and the run has no "
        "right to it. Give another, or port 0 for a free one."
    )


def _back_end_missing(vm: str, found: re.Match[str]) -> DtsVirtError:
    return BackendError(
        f"VM '{vm}': QEMU cannot reach the back end behind the socket '{found['path']}': "
        f"{found['reason'].strip()}. Start the back end (the switch) first, or let QEMU be the "
        "server (opt_server=yes)."
    )


LOCKED = re.compile(
    r'Failed to get (?:shared )?".*" lock\s+Is another process using the image \[(?P<image>.*)\]'
)
CAUSES: tuple[tuple[re.Pattern[str], Cause], ...] = (
    (LOCKED, image_in_use),
    (
        re.compile(
            r"-vnc (?P<address>\S*):(?P<display>[0-9]{1,5})\b\S*: "
            r"Failed to find an available port: Address already in use"
        ),
        _display_taken,
    ),
    (re.compile(r"Could not set up host forwarding rule '(?P<rule>[^']*)'"), _forward_refused),
    (
        re.compile(r"-chardev socket,.*Failed to connect to '(?P<path>.*)': (?P<reason>.*)"),
        _back_end_missing,
    ),
)


def explained(vm: str, stderr: str) -> DtsVirtError | None:
    """Return the error that QEMU's last words stand for; None if they are not known."""
    for pattern, cause in CAUSES:
        if found := pattern.search(stderr):
            return cause(vm, found)
    return None
