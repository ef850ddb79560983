"""Making a template of a VM that runs, as it is now.

Its memory is its own or shared with a template, and cannot become a file as it is: so all of
its state goes into a second QEMU, which never runs a CPU and whose memory is the new
template's file. That one then saves itself as a VM that was booted for it would. The VM
stands still meanwhile and goes on where it was.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from DtsVirtLibrary.errors import HypervisorMissing, VmStateError
from DtsVirtLibrary.host.protocol import Host
from DtsVirtLibrary.qemu.command_line.storage import flatten_commands
from DtsVirtLibrary.qemu.inside.freshen import freshen
from DtsVirtLibrary.qemu.running.qemu import RunningQemu
from DtsVirtLibrary.qemu.templates.draft import TemplateDraft, dismiss
from DtsVirtLibrary.qemu.templates.migration import hand_over
from DtsVirtLibrary.spec import Incoming, VmSpec

FLATTEN_SECONDS = 300.0

Launch = Callable[
    [VmSpec, Callable[[RunningQemu], Awaitable[None]]],
    Awaitable[RunningQemu],
]


async def save_running(
    qemu: RunningQemu, core: VmSpec, draft: TemplateDraft, launch: Launch
) -> None:
    """Save a running VM as the template of `core`; it runs on if it ran before.

    :param launch: starts a QEMU whose memory and overlays are the draft's, and does something
        with it before its CPUs would run.
    :raises VmStateError: the VM was started cold, or has other devices now.
    :raises MonitorError: QEMU cannot save it; the text says which device prevents it.
    :raises HostError: the host has no room for the copy.
    """
    _require_saveable(qemu, core)
    ran = await qemu.status() == "running"
    # One that stands still cannot be told anything.
    guest = await draft.prepare(qemu, serves_ssh=False) if ran else None
    await qemu.pause()
    try:
        if qemu.placement.memory is None:
            await draft.write_state(qemu)
        else:
            await _save_by_another(qemu, core, draft, launch)
        await _flatten(qemu, core, draft)
        await draft.publish(core, guest)
    finally:
        if ran:
            await qemu.resume()
        if guest is not None:
            await dismiss(qemu, guest)
    if ran:
        await freshen(qemu.agent, qemu.spec)


def _require_saveable(qemu: RunningQemu, core: VmSpec) -> None:
    vm = core.name
    if not qemu.placement.of_template:
        raise VmStateError(
            f"VM '{vm}' was started cold, so it is not made as clones are. Start it with "
            "warm=True to save it while it runs, or stop it to have its template made."
        )
    now = {device.id for device in (*qemu.spec.devices, *qemu.spec.disks)}
    made = {device.id for device in (*core.devices, *core.disks)}
    if changed := now ^ made:
        names = ", ".join(sorted(map(str, changed)))
        raise VmStateError(
            f"VM '{vm}' has other devices than its template: {names} came or went. "
            "A template holds no card on a tap, a bridge or vhost-user, and nothing that was "
            "plugged in. Remove it with 'Remove VM Device' first."
        )


async def _save_by_another(
    qemu: RunningQemu, core: VmSpec, draft: TemplateDraft, launch: Launch
) -> None:
    async def receive(other: RunningQemu) -> None:
        await hand_over(qemu.monitor, other.monitor)
        await draft.write_state(other)

    # One that waits for a migration is not let run when that has come.
    other = await launch(replace(core, incoming=Incoming()), receive)
    try:
        await other.quit()
        await other.wait_closed()
    finally:
        await other.release()


async def _flatten(qemu: RunningQemu, core: VmSpec, draft: TemplateDraft) -> None:
    """Make the draft's overlays hold all that the VM's hold, over the tester's images."""
    for disk in core.disks:
        if not disk.overlay:
            continue
        program = await _qemu_img(draft.host)
        base = await draft.host.real_path(disk.file)
        overlay = qemu.placement.overlay(disk.id or "")
        target = f"{draft.directory}/{disk.id}.qcow2"
        for command in flatten_commands(program, disk, base, overlay, target):
            await draft.host.run(command, timeout=FLATTEN_SECONDS)


async def _qemu_img(host: Host) -> str:
    program = await host.which("qemu-img")
    if program is None:
        raise HypervisorMissing(
            f"qemu-img is missing on {host.name}, so no disk can be saved. "
            "Install it: apt-get install qemu-utils."
        )
    return program
