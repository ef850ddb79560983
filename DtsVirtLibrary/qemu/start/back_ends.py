"""vhost-user back ends that keep QEMU from answering: who is waited for, and who misbehaves."""

from __future__ import annotations

import asyncio
import re

from DtsVirtLibrary.errors import BackendError
from DtsVirtLibrary.host.protocol import Host
from DtsVirtLibrary.qemu.command_line.identity import chardev_id
from DtsVirtLibrary.spec import Nic, VhostUserBackend, VmSpec

# QEMU tries again for ever and only its stderr tells, which has no event.
LOOK_SECONDS = 0.25
TAIL_BYTES = 4096
# A back end that starts may fail a few times; one that goes on has another fault.
FAILURES = 10
FAILED = re.compile(r"chardev=(?P<chardev>[^:,]*): (?P<words>Failed to (?:read|write) .*)")


def waits_for(spec: VmSpec) -> str:
    """Name the back ends without which QEMU stays deaf, a sentence each."""
    return "".join(
        f" It listens on '{nic.backend.path}' until the vhost-user back end connects."
        if nic.backend.server
        else f" It waits for the vhost-user back end behind '{nic.backend.path}'."
        for nic in _cards(spec)
        if isinstance(nic.backend, VhostUserBackend)
    )


async def watch_back_ends(host: Host, spec: VmSpec, stderr: str) -> BackendError:
    """Return when a back end has failed again and again; for ever if none does."""
    while True:
        if _cards(spec) and (error := await failed_back_end(host, spec, stderr, FAILURES)):
            return error
        await asyncio.sleep(LOOK_SECONDS)


async def failed_back_end(
    host: Host, spec: VmSpec, stderr: str, failures: int = 1
) -> BackendError | None:
    """Return the error for a back end that the end of QEMU's stderr tells of so often."""
    if await host.status(stderr) is None:
        return None
    text = (await host.read_bytes(stderr, offset=-TAIL_BYTES)).decode("utf-8", "replace")
    found = list(FAILED.finditer(text))
    if len(found) < failures:
        return None
    last = found[-1]
    path = next(
        (
            nic.backend.path
            for nic in _cards(spec)
            if isinstance(nic.backend, VhostUserBackend) and chardev_id(nic) == last["chardev"]
        ),
        last["chardev"],
    )
    return BackendError(
        f"VM '{spec.name}': the vhost-user back end behind the socket '{path}' does not talk "
        f"to QEMU as one: {last['words'].rstrip('.')}. Look at its own log, and at its version."
    )


def _cards(spec: VmSpec) -> list[Nic]:
    return [nic for nic in spec.nics if isinstance(nic.backend, VhostUserBackend)]
