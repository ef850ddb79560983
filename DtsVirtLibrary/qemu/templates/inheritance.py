"""What is known of a clone's guest from its template, so that the guest need not be asked.

Under emulation the first question of each kind takes a guest that was just restored tens of
milliseconds. Each answer serves once, right after the start; later the guest may have changed,
and it is asked.
"""

from __future__ import annotations

from dataclasses import replace

from DtsVirtLibrary.qemu.qmp.monitor import Monitor
from DtsVirtLibrary.qemu.templates.manifest import GuestAsSaved
from DtsVirtLibrary.results import GuestInterface, MonitorEvent

NOTHING = GuestAsSaved()


class Inheritance:
    """What one guest has from its template; nothing for one that has booted, or boots anew."""

    def __init__(self, monitor: Monitor) -> None:
        self._saved = NOTHING
        monitor.on_event(self._note)

    def take(self, saved: GuestAsSaved, *, with_others: bool, fresh_identity: bool) -> None:
        """Take what the template says.

        :param with_others: the clone gets cards that the template has not.
        :param fresh_identity: it gets host keys of its own, and its SSH server reads them.
        """
        if with_others:
            saved = replace(saved, interfaces=())
        if fresh_identity:
            saved = replace(saved, host_keys=(), serves_ssh=False)
        self._saved = saved

    @property
    def serves_ssh(self) -> bool:
        """Whether the guest's SSH server is known to answer."""
        return self._saved.serves_ssh

    def listens(self) -> bool:
        """Return whether a program waits in the guest for its name and time."""
        found = self._saved.listens
        self._saved = replace(self._saved, listens=False)
        return found

    def interfaces(self) -> tuple[GuestInterface, ...]:
        """Return the guest's network interfaces, none if they are not known."""
        found = self._saved.interfaces
        self._saved = replace(self._saved, interfaces=())
        return found

    def host_keys(self) -> frozenset[str]:
        """Return the public keys of the guest's SSH server, none if they are not known."""
        found = self._saved.host_keys
        self._saved = replace(self._saved, host_keys=())
        return frozenset(found)

    def _note(self, event: MonitorEvent) -> None:
        if event.name == "RESET":
            self._saved = NOTHING
