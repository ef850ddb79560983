"""The display: who may look at it over VNC, where it is, and its picture.

It listens on the host's loopback interface, where every user of the host can connect. So it
asks for a password, of which VNC uses eight characters; QEMU gets it over QMP and lets nobody
in before that.
"""

from __future__ import annotations

import secrets
import string

from DtsVirtLibrary.errors import Evidence, MonitorError, VmStateError
from DtsVirtLibrary.qemu.qmp.monitor import Monitor
from DtsVirtLibrary.qemu.qmp.replies import VNC, ask
from DtsVirtLibrary.qemu.running.qemu import RunningQemu
from DtsVirtLibrary.results import VmDisplay
from DtsVirtLibrary.spec import VmSpec

PASSWORD_LENGTH = 8
LETTERS = string.ascii_letters + string.digits


async def protect(monitor: Monitor, spec: VmSpec) -> str | None:
    """Set the display's password and return it; None if there is nothing to protect."""
    if spec.vnc is None or spec.vnc.password == "":
        return None
    password = spec.vnc.password
    if password is None:
        password = "".join(secrets.choice(LETTERS) for _ in range(PASSWORD_LENGTH))
    await monitor.execute("set_password", {"protocol": "vnc", "password": password})
    return password


async def whereabouts(monitor: Monitor, spec: VmSpec, password: str | None) -> VmDisplay:
    """Return where the display is.

    :raises VmStateError: the VM has none.
    """
    if spec.vnc is None:
        raise VmStateError(
            f"VM '{spec.name}' has no VNC display. Create it with vnc=auto=yes, or a displayNum."
        )
    reply = await ask(monitor, "query-vnc", VNC)
    port = reply["service"]
    if not port.isdecimal():
        raise MonitorError(f"VM '{spec.name}': QEMU names no port of its display: {port[:20]!r}.")
    return VmDisplay(host=reply["host"], port=int(port), password=password)


async def screenshot(qemu: RunningQemu) -> bytes:
    """Return the display's picture as PNG.

    :raises VmStateError: the VM has no display.
    """
    path = f"{qemu.placement.directory}/screen.png"
    try:
        await qemu.monitor.execute("screendump", {"filename": path, "format": "png"})
    except MonitorError as error:
        raise VmStateError(
            f"VM '{qemu.spec.name}' has no picture of its display. Create the VM with "
            "vnc=auto=yes to give it a display.",
            Evidence(facts=[error.summary]),
        ) from error
    try:
        return await qemu.host.read_bytes(path)
    finally:
        await qemu.host.remove(path)
