"""Looks at pictures and at who listens, with nothing but the standard library."""

from __future__ import annotations

import socket
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from robot.api.deco import keyword, library

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LISTENING = "0A"


@dataclass(frozen=True)
class Picture:
    """Size of a picture in pixels, and how many different pixels it has."""

    width: int
    height: int
    colours: int


@library(scope="GLOBAL", auto_keywords=False)
class Pictures:
    """Facts that tests compare."""

    @keyword(name="Read PNG")
    def read_png(self, path: Path) -> Picture:
        """Reads a PNG of 8 bits a channel, not interlaced, and counts its colours."""
        data = path.read_bytes()
        assert data.startswith(SIGNATURE), f"{path} is no PNG"
        chunks = list(_chunks(data))
        width, height, depth, kind = struct.unpack_from(">IIBB", chunks[0][1])
        assert depth == 8, f"{depth} bits a channel"
        channels = {0: 1, 2: 3, 4: 2, 6: 4}[kind]
        packed = b"".join(content for name, content in chunks if name == b"IDAT")
        rows = _rows(zlib.decompress(packed), width * channels, channels)
        pixels = {row[i : i + channels] for row in rows for i in range(0, len(row), channels)}
        assert len(rows) == height, f"{len(rows)} rows of {height}"
        return Picture(width, height, len(pixels))

    @keyword
    def get_addresses_that_are_listened_on(self, port: int) -> list[str]:
        """Returns the IPv4 and IPv6 addresses of this machine that a TCP port is open on."""
        found = []
        for table in ("/proc/net/tcp", "/proc/net/tcp6"):
            for line in Path(table).read_text().splitlines()[1:]:
                local, state = line.split()[1], line.split()[3]
                address, number = local.split(":")
                if state == LISTENING and int(number, 16) == port:
                    found.append(_address(bytes.fromhex(address)))
        return found


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = len(SIGNATURE)
    while place < len(data):
        (size,) = struct.unpack_from(">I", data, place)
        yield data[place + 4 : place + 8], data[place + 8 : place + 8 + size]
        place += size + 12


def _rows(raw: bytes, length: int, step: int) -> list[bytes]:
    """Undo the filter of each row: each byte was stored less what stands near it."""
    rows: list[bytes] = []
    above = bytes(length)
    for start in range(0, len(raw), length + 1):
        kind, row = raw[start], bytearray(raw[start + 1 : start + 1 + length])
        for i in range(length):
            left = row[i - step] if i >= step else 0
            corner = above[i - step] if i >= step else 0
            row[i] = (row[i] + _predicted(kind, left, above[i], corner)) & 0xFF
        above = bytes(row)
        rows.append(above)
    return rows


def _predicted(kind: int, left: int, above: int, corner: int) -> int:
    if kind == 4:
        estimate = left + above - corner
        return min((left, above, corner), key=lambda byte: abs(estimate - byte))
    return (0, left, above, (left + above) // 2)[kind]


def _address(packed: bytes) -> str:
    # The kernel prints words in the order of this machine, which is little endian.
    ordered = b"".join(packed[i : i + 4][::-1] for i in range(0, len(packed), 4))
    return socket.inet_ntop(socket.AF_INET if len(ordered) == 4 else socket.AF_INET6, ordered)
