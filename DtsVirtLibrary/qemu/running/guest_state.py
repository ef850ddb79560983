"""What QMP's events tell of the guest that nobody asked for: a panic, a reset, a dead disk."""

from __future__ import annotations

import asyncio

from DtsVirtLibrary.printable import printable
from DtsVirtLibrary.qemu.qmp.monitor import Monitor
from DtsVirtLibrary.results import GuestLoss, LossKind, MonitorEvent

SHOWN = 200


class GuestState:
    """Follows what befalls one VM's guest while its process lives.

    QEMU stops the CPUs of a guest that panicked (``-action panic=pause``), and of one for
    whose disk the host has no room, so that both can be looked at.

    :ivar boot: id of the guest's present boot, None while it is not known.
    :ivar reset_at: when the last reset was, in seconds of the launch.
    :ivar as_saved: nothing has happened since the launch that the state of a clone does not tell.
    :ivar failed_disk: node of the disk that the last I/O error was on.
    """

    def __init__(self, monitor: Monitor) -> None:
        self.boot: str | None = None
        self.reset_at = 0.0
        self.failed_disk: str | None = None
        self.as_saved = True
        self._loss: GuestLoss | None = None
        self._waiting: list[asyncio.Future[GuestLoss]] = []
        # A guest may reboot while it comes up; from then on it is a surprise.
        self._resets_expected = True
        self._told = 0
        self._unasked: list[str] = []
        monitor.on_event(self._note)

    @property
    def loss(self) -> GuestLoss | None:
        """What keeps the guest from going on now."""
        return self._loss

    @property
    def unasked_resets(self) -> list[str]:
        """The resets that no keyword asked for, a line each."""
        return list(self._unasked)

    def expect_reset(self) -> None:
        """The resets from now on are asked for, until :meth:`settle`."""
        self._resets_expected = True

    def settle(self) -> None:
        """The guest is up, so the next reset is a surprise."""
        self._resets_expected = False
        self.as_saved = False

    async def wait_lost(self) -> GuestLoss:
        """Return what keeps the guest from going on, or a reset that nobody asked for."""
        if self._loss is not None:
            return self._loss
        future: asyncio.Future[GuestLoss] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            return await future
        finally:
            self._waiting.remove(future)

    def take_surprises(self) -> list[str]:
        """Return what happened unasked since the last call, a line each."""
        told, self._told = self._told, len(self._unasked)
        return self._unasked[told:]

    def _note(self, event: MonitorEvent) -> None:
        if event.name == "GUEST_PANICKED":
            self._lose(GuestLoss(LossKind.PANIC), lasting=True)
        elif event.name == "BLOCK_IO_ERROR" and event.data.get("action") == "stop":
            self._note_io_error(event)
        elif event.name == "RESET":
            self._note_reset(event)
        elif event.name == "RESUME" and self._loss and self._loss.kind is LossKind.IO_ERROR:
            self._loss = None

    def _note_io_error(self, event: MonitorEvent) -> None:
        self.failed_disk = str(event.data.get("node-name") or event.data.get("device") or "")
        operation = printable(str(event.data.get("operation", "access")), SHOWN)
        reason = printable(str(event.data.get("reason", "unknown")), SHOWN)
        fact = f"Disk '{self.failed_disk}': {operation} failed on the host: {reason}."
        self._lose(GuestLoss(LossKind.IO_ERROR, (fact,)), lasting=True)

    def _note_reset(self, event: MonitorEvent) -> None:
        boot, self.boot, self._loss = self.boot, None, None
        self.as_saved = False
        self.reset_at = event.at
        if self._resets_expected:
            return
        # One reboot sends several of them.
        self._resets_expected = True
        before = f" (boot {boot} ended)" if boot else ""
        self._unasked.append(
            f"the guest was reset {event.at:.1f} s after the launch{before}, and no keyword "
            "asked for that; its SSH connection is closed"
        )
        self._lose(GuestLoss(LossKind.RESET, (f"Boot id before: {boot or 'not known'}",)))

    def _lose(self, loss: GuestLoss, *, lasting: bool = False) -> None:
        if lasting:
            self._loss = loss
        for future in self._waiting:
            if not future.done():
                future.set_result(loss)
