"""What QEMU says when it ends at its start, in the words of who can do something about it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from DtsVirtLibrary.errors import (
    BackendError,
    DtsVirtError,
    HostError,
    ImageError,
    ImageInUse,
    PortInUse,
)
from DtsVirtLibrary.host.admission import available_mib
from DtsVirtLibrary.host.holders import (
    file_holder,
    first_free_port_for_users,
    port_holder,
    tap_holder,
)
from DtsVirtLibrary.host.protocol import Host

VNC_BASE_PORT = 5900


@dataclass(frozen=True)
class Refusal:
    """What QEMU said about a VM, and the host it said it on."""

    host: Host
    vm: str
    found: re.Match[str]


Cause = Callable[[Refusal], Awaitable[DtsVirtError]]


async def image_in_use(host: Host, vm: str, image: str) -> ImageInUse:
    """Return the error for an image that another process has locked; it is looked for."""
    holder = await file_holder(host, image) or "a process"
    return ImageInUse(
        f"VM '{vm}': image '{image}' is in use: {holder} that is none of this run's VMs has "
        f"locked it. End it, or give the VM a copy of the image."
    )


async def _locked(refusal: Refusal) -> DtsVirtError:
    return await image_in_use(refusal.host, refusal.vm, refusal.found["image"])


async def _image_forbidden(refusal: Refusal) -> DtsVirtError:
    return ImageError(
        f"VM '{refusal.vm}': QEMU may not use image '{refusal.found['path']}': "
        f"{refusal.found['reason'].strip()} (as user id {await refusal.host.user_id()}). Give "
        "that user the right, or give the disk overlay=yes if it only lacks the right to write."
    )


async def _display_taken(refusal: Refusal) -> DtsVirtError:
    address, number = refusal.found["address"], int(refusal.found["display"])
    port = VNC_BASE_PORT + number
    holder = await port_holder(refusal.host, "tcp", address.strip("[]"), port)
    return PortInUse(
        f"VM '{refusal.vm}': VNC display {number} (port {port} of {address}) is taken by "
        f"{holder or 'another process'}. Give another displayNum, or vnc=auto=yes for a free one."
    )


async def _forward_refused(refusal: Refusal) -> DtsVirtError:
    protocol, address = refusal.found["protocol"], refusal.found["address"]
    port = int(refusal.found["port"])
    where = f"VM '{refusal.vm}': the port of opt_hostfwd={refusal.found['rule']} cannot be had: "
    remedy = "Give another, or port 0 for a free one."
    if holder := await port_holder(refusal.host, protocol, address, port):
        return PortInUse(f"{where}{holder} has it. {remedy}")
    first = await first_free_port_for_users(refusal.host)
    if port < first:
        return HostError(
            f"{where}nobody has it, but without rights a process may listen only on ports from "
            f"{first} on (net.ipv4.ip_unprivileged_port_start, user id "
            f"{await refusal.host.user_id()}). {remedy}"
        )
    return PortInUse(
        f"{where}{address or 'the address'} is not one of {refusal.host.name}'s, or another "
        f"process had the port a moment ago. {remedy}"
    )


async def _back_end_missing(refusal: Refusal) -> DtsVirtError:
    return BackendError(
        f"VM '{refusal.vm}': QEMU cannot reach the back end behind the socket "
        f"'{refusal.found['path']}': {refusal.found['reason'].strip()}. Start the back end (the "
        "switch) first, or let QEMU be the server (opt_server=yes)."
    )


async def _tap_taken(refusal: Refusal) -> DtsVirtError:
    tap = refusal.found["tap"]
    holder = await tap_holder(refusal.host, tap) or "another process"
    return HostError(
        f"VM '{refusal.vm}': tap '{tap}' is in use: {holder} has it open. End that, name another "
        "tap (opt_ifname), or none to have one made up."
    )


async def _memory_short(refusal: Refusal) -> DtsVirtError:
    host = refusal.host
    available = await available_mib(host)
    return HostError(
        f"VM '{refusal.vm}': {host.name} refuses the memory that the VM asks for; {available} MiB "
        "are available, if no limit (ulimit -v, cgroup) is below that. Give the VM less "
        "(mem=size), or stop other VMs."
    )


LOCKED = re.compile(
    r'Failed to get (?:shared )?".*" lock\s+Is another process using the image \[(?P<image>.*)\]'
)
CAUSES: tuple[tuple[re.Pattern[str], Cause], ...] = (
    (LOCKED, _locked),
    (
        re.compile(r"-blockdev .*Could not open '(?P<path>.*)': (?P<reason>Permission denied)"),
        _image_forbidden,
    ),
    (
        re.compile(
            r"-vnc (?P<address>\S*):(?P<display>[0-9]{1,5})\b\S*: "
            r"Failed to find an available port: Address already in use"
        ),
        _display_taken,
    ),
    (
        re.compile(
            r"Could not set up host forwarding rule "
            r"'(?P<rule>(?P<protocol>\w+):(?P<address>[^:']*):(?P<port>[0-9]{1,5})-[^']*)'"
        ),
        _forward_refused,
    ),
    (
        re.compile(r"-chardev socket,.*Failed to connect to '(?P<path>.*)': (?P<reason>.*)"),
        _back_end_missing,
    ),
    (
        re.compile(r"could not configure /dev/net/tun \((?P<tap>[^)]*)\): Device or resource busy"),
        _tap_taken,
    ),
    (re.compile(r"cannot set up guest memory '.*': Cannot allocate memory"), _memory_short),
)


async def explained(host: Host, vm: str, stderr: str) -> DtsVirtError | None:
    """Return the error that QEMU's last words stand for; None if they are not known."""
    for pattern, cause in CAUSES:
        if found := pattern.search(stderr):
            return await cause(Refusal(host, vm, found))
    return None
