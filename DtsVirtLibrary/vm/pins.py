"""The host keys that a guest's SSH server may show: pinned from boot to boot."""

from __future__ import annotations

from dataclasses import replace

from DtsVirtLibrary.results import GuestAccess


class HostKeyPins:
    """Holds a VM to the host keys that it had at the first login of a boot."""

    def __init__(self) -> None:
        self._pinned: GuestAccess | None = None

    def hold(self, found: GuestAccess) -> GuestAccess:
        """Return what was found, with the host keys that this boot was seen with first."""
        if self._pinned is None or self._pinned.reset_at != found.reset_at:
            self._pinned = found
        return replace(found, host_keys=self._pinned.host_keys)

    def take(self, host_key: str) -> bool:
        """Take the key that a server showed for the guest's if none is known; tell whether."""
        if self._pinned is None or self._pinned.host_keys is not None:
            return False
        self._pinned = replace(self._pinned, host_keys=frozenset({host_key}))
        return True

    def forget(self) -> None:
        """The guest is another one now, as after a start or a snapshot."""
        self._pinned = None
