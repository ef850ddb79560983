"""What QMP's events tell of the guest that nobody asked for: a panic, a reset."""

from __future__ import annotations

import asyncio

from DtsVirtLibrary.qemu.monitor import Monitor
from DtsVirtLibrary.results import MonitorEvent


class GuestState:
    """Follows one VM's panics and resets.

    QEMU stops the CPUs of a guest that panicked (``-action panic=pause``), so that its
    state can be looked at; the process lives on.
    """

    def __init__(self, monitor: Monitor) -> None:
        self._panicked = asyncio.Event()
        self._resets_expected = False
        self._surprises: list[str] = []
        monitor.on_event(self._note)

    def expect_reset(self) -> None:
        """The resets from now on are asked for, until :meth:`settle`."""
        self._resets_expected = True

    def settle(self) -> None:
        """The guest is up again, so the next reset is a surprise."""
        self._resets_expected = False

    async def wait_panicked(self) -> None:
        """Return when the guest's kernel has panicked, at once if it has before."""
        await self._panicked.wait()

    def take_surprises(self) -> list[str]:
        """Return what happened unasked since the last call, a line each."""
        told, self._surprises = self._surprises, []
        return told

    def _note(self, event: MonitorEvent) -> None:
        if event.name == "GUEST_PANICKED":
            self._panicked.set()
        elif event.name == "RESET":
            self._panicked.clear()
            # One reboot sends several of them.
            if not self._resets_expected and not self._surprises:
                self._surprises.append(
                    f"the guest was reset {event.at:.1f} s after the launch, and no keyword "
                    "asked for that; its SSH connections have ended"
                )
