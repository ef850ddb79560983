"""MAC addresses that are derived and not drawn, so that a card keeps its own."""

from __future__ import annotations

import hashlib

# QEMU's own prefix; locally administered, unicast.
PREFIX = "52:54:00"


def mac_of(words: str) -> str:
    """Return the MAC address that goes with `words`, such as ``52:54:00:12:34:56``."""
    digest = hashlib.sha256(words.encode()).digest()
    return ":".join([PREFIX, *(f"{byte:02x}" for byte in digest[:3])])
