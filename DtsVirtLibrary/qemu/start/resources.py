"""What one start takes from the host, and gives back whatever becomes of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

from DtsVirtLibrary.errors import CommandError, HostError, HypervisorMissing
from DtsVirtLibrary.host import network
from DtsVirtLibrary.host.protocol import FileKind, Host, ProcessUser
from DtsVirtLibrary.qemu.command_line.placement import Placement
from DtsVirtLibrary.qemu.command_line.storage import overlay_command
from DtsVirtLibrary.qemu.start.account import give_to
from DtsVirtLibrary.qemu.start.refused_starts import LOCKED, image_in_use
from DtsVirtLibrary.spec import BridgeBackend, Disk, TapBackend, VhostUserBackend, VmSpec

OVERLAY_SECONDS = 60.0
NO_SPACE = "No space left on device"

GiveBack = Callable[[], Awaitable[object]]


class StartResources:
    """Makes overlays, taps and bridges for a start; remembers how to undo each.

    :ivar owner: the user that QEMU runs as, if it is not the run's own.
    """

    def __init__(self, host: Host, owner: ProcessUser | None = None) -> None:
        self._host = host
        self.owner = owner
        self._undo: list[GiveBack] = []

    async def directory(self, vm: str) -> str:
        """Make the private directory of the start."""
        path = await self._host.private_directory(vm)
        self._undo.append(lambda: self._host.remove(path))
        return path

    async def prepare(self, spec: VmSpec, placement: Placement) -> None:
        """Make what the specification needs and the host has not."""
        for disk in spec.disks:
            if disk.overlay:
                await self._overlay(spec.name, disk, placement)
        for nic in spec.nics:
            backend = nic.backend
            if isinstance(backend, VhostUserBackend) and backend.server:
                self._socket(backend.path)
            tap = placement.taps.get(nic.id or "")
            if tap is None:
                continue
            if isinstance(backend, (BridgeBackend, TapBackend)):
                await self._tap(tap, backend.bridge)

    def remove_later(self, path: str) -> None:
        """Remove a file or directory when everything is given back."""
        self._undo.append(lambda: self._host.remove(path))

    def undo_later(self, step: GiveBack) -> None:
        """Run a step when everything is given back."""
        self._undo.append(step)

    async def give_back(self) -> None:
        """Undo everything in reverse order. Quiet the second time."""
        while self._undo:
            with suppress(Exception):
                await self._undo.pop()()

    async def _overlay(self, vm: str, disk: Disk, placement: Placement) -> None:
        program = await self._host.which("qemu-img")
        if program is None:
            raise HypervisorMissing(
                f"qemu-img is missing on {self._host.name}, so '{disk.file}' cannot be given an "
                "overlay. Install it: apt-get install qemu-utils."
            )
        base = await self._host.real_path(disk.file)
        assert disk.id is not None
        overlay = placement.overlay(disk.id)
        command = overlay_command(program, disk, base, overlay)
        try:
            await self._host.run(command, timeout=OVERLAY_SECONDS)
            if self.owner is not None:
                await give_to(self._host, self.owner, overlay)
        except CommandError as error:
            if found := LOCKED.search(str(error)):
                raise await image_in_use(self._host, vm, found["image"]) from error
            if NO_SPACE in error.whole_text():
                raise await self._no_space(vm, disk, overlay, error) from error
            raise

    async def _no_space(self, vm: str, disk: Disk, overlay: str, error: CommandError) -> HostError:
        return HostError(
            f"VM '{vm}': there is no space for the overlay of '{disk.file}': "
            f"{await self._host.free_space(overlay)} bytes are free on the file system of "
            f"'{overlay}' on {self._host.name}. Free some, or set TMPDIR to another directory.",
            error.evidence,
        )

    def _socket(self, path: str) -> None:
        """Remove in the end the socket of a QEMU that was killed; others remove it themselves."""

        async def remove() -> None:
            status = await self._host.status(path)
            if status is not None and status.kind is FileKind.SOCKET:
                await self._host.remove(path)

        self._undo.append(remove)

    async def _tap(self, name: str, bridge: str | None) -> None:
        if bridge is not None:
            made = await network.make_bridge(self._host, bridge)
            self._undo.append(lambda: network.remove_bridge(self._host, made))
        tap = await network.make_tap(self._host, name, bridge=bridge)
        self._undo.append(lambda: network.remove_tap(self._host, tap))


def tap_names(spec: VmSpec) -> dict[str, str]:
    """Return a new, unique tap name for each card that needs a tap made, by the card's id."""
    return {
        nic.id or "": network.unique_interface_name("tap")
        for nic in spec.nics
        if isinstance(nic.backend, BridgeBackend)
        or (isinstance(nic.backend, TapBackend) and needs_tap(nic.backend))
    }


def needs_tap(backend: TapBackend) -> bool:
    """Whether the library makes the tap: nobody named one, and no script configures one."""
    return backend.interface is None and backend.script in (None, "no")
