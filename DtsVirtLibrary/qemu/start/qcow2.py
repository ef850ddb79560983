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
_LENGTH = struct.Struct(">I")
_LENGTH_AT = 100
# kind and length of a header extension; the next one begins at a multiple of 8
_EXTENSION = struct.Struct(">II")
_LAST_EXTENSION, _BACKING_FORMAT = 0, 0xE2792ACA
# "nbd:host:1", "json:{...}": no path of this host.
_PROTOCOL = re.compile(r"[a-z][a-z0-9+.-]*:")


@dataclass(frozen=True)
class Qcow2Header:
    """What is known of an image.

    :ivar backing: path of the image below this one, from where this one is; None without one.
    :ivar backing_format: format of the image below; None if it is not said, and QEMU would
        guess it from that image's content.
    :ivar dirty: the image was not closed, and QEMU repairs its counts when it opens it.
    """

    backing: str | None = None
    dirty: bool = False
    backing_format: str | None = None


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
    backing = _path(name.decode("utf-8", "surrogateescape"))
    return Qcow2Header(backing, dirty, _backing_format(head, version))


def _backing_format(head: bytes, version: int) -> str | None:
    """Return the format of the image below from the extensions that follow the header."""
    at = _FEATURES_AT
    if version > 2:
        if len(head) < _LENGTH_AT + _LENGTH.size:
            return None
        (at,) = _LENGTH.unpack_from(head, _LENGTH_AT)
    while at + _EXTENSION.size <= len(head):
        kind, length = _EXTENSION.unpack_from(head, at)
        at += _EXTENSION.size
        if kind == _BACKING_FORMAT:
            return head[at : at + length].decode("ascii", "replace") or None
        if kind == _LAST_EXTENSION:
            return None
        at += -(-length // 8) * 8
    return None


def backing_path(path: str, head: bytes) -> str | None:
    """Return the path of the image that the one at `path` builds on, None if that is no file."""
    header = read_header(head) if is_qcow2(head) else None
    if header is None or header.backing is None:
        return None
    return posixpath.join(posixpath.dirname(path), header.backing)


def _path(name: str) -> str | None:
    path = name.removeprefix("file:")
    return None if not path or _PROTOCOL.match(path) else path
