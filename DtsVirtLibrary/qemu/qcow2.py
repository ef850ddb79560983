"""What the header of a qcow2 image says."""

from __future__ import annotations

import posixpath
import re
import struct
from dataclasses import dataclass

# Where the name of the image below is at most, from the start of the file.
HEADER_BYTES = 64 << 10
MAGIC = b"QFI\xfb"
# magic, version, where the name of the image below is and how long
_BASE = struct.Struct(">4sIQI")
_FEATURES = struct.Struct(">Q")
_FEATURES_AT = 72
_DIRTY = 1
# "nbd:host:1", "json:{...}": no path of this host.
_PROTOCOL = re.compile(r"[a-z][a-z0-9+.-]*:")


@dataclass(frozen=True)
class Qcow2Header:
    """What is known of an image.

    :ivar backing: path of the image below this one, from where this one is; None without one.
    :ivar dirty: the image was not closed, and QEMU repairs its counts when it opens it.
    """

    backing: str | None = None
    dirty: bool = False


def is_qcow2(head: bytes) -> bool:
    """Tell whether a file that begins so is a qcow2 image."""
    return head.startswith(MAGIC)


def read_header(head: bytes) -> Qcow2Header | None:
    """Read the first :data:`HEADER_BYTES` of a qcow2 image; None if they are cut short."""
    if len(head) < _FEATURES_AT:
        return None
    _, version, place, length = _BASE.unpack_from(head)
    name = head[place : place + length]
    if len(name) < length:
        return None
    dirty = False
    if version > 2:
        if len(head) < _FEATURES_AT + _FEATURES.size:
            return None
        (features,) = _FEATURES.unpack_from(head, _FEATURES_AT)
        dirty = bool(features & _DIRTY)
    return Qcow2Header(_path(name.decode("utf-8", "surrogateescape")), dirty)


def backing_path(path: str, head: bytes) -> str | None:
    """Return the path of the image that the one at `path` builds on, None if that is no file."""
    header = read_header(head) if is_qcow2(head) else None
    if header is None or header.backing is None:
        return None
    return posixpath.join(posixpath.dirname(path), header.backing)


def _path(name: str) -> str | None:
    path = name.removeprefix("file:")
    return None if not path or _PROTOCOL.match(path) else path
