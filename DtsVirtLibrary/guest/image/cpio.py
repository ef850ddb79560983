"""Writes the archive that the kernel unpacks as its first root file system (newc cpio).

The same entries give the same bytes: sorted by name, owned by root, no times, and inode
numbers that count from 1.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass

MAGIC = b"070701"
TRAILER = "TRAILER!!!"
ALIGNMENT = 4
# The kernel unpacks block by block; whole blocks also let archives be joined.
BLOCK = 512


@dataclass(frozen=True)
class Entry:
    """A file, directory or symbolic link; `mode` holds the type bits too."""

    mode: int
    data: bytes = b""


def file(data: bytes, mode: int = 0o644) -> Entry:
    """Return a regular file."""
    return Entry(stat.S_IFREG | mode, data)


def directory(mode: int = 0o755) -> Entry:
    """Return a directory."""
    return Entry(stat.S_IFDIR | mode)


def symlink(target: str) -> Entry:
    """Return a symbolic link to `target`."""
    return Entry(stat.S_IFLNK | 0o777, target.encode())


def archive(entries: Mapping[str, Entry]) -> bytes:
    """Return the archive of `entries`, by path without leading slash.

    Directories that the paths need and `entries` lacks are added.
    """
    whole = {**_parents(entries), **entries}
    blocks = [
        _record(name, whole[name], inode) for inode, name in enumerate(sorted(whole), start=1)
    ]
    blocks.append(_record(TRAILER, Entry(0), 0))
    data = b"".join(blocks)
    return data + bytes(-len(data) % BLOCK)


def _parents(entries: Mapping[str, Entry]) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for name in entries:
        parts = name.split("/")[:-1]
        for count in range(1, len(parts) + 1):
            found["/".join(parts[:count])] = directory()
    return found


def _record(name: str, entry: Entry, inode: int) -> bytes:
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    encoded = name.encode() + b"\0"
    # inode, mode, uid, gid, links, mtime, size, device and rdevice (major, minor), name, checksum
    numbers = (inode, entry.mode, 0, 0, links, 0, len(entry.data), 0, 0, 0, 0, len(encoded), 0)
    header = MAGIC + b"".join(b"%08X" % number for number in numbers) + encoded
    return _padded(header) + _padded(entry.data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % ALIGNMENT)
