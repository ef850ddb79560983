"""Reads what the builder must know of ELF files: libraries, module facts, boot notes."""

from __future__ import annotations

import struct
from dataclasses import dataclass

ELF64_LITTLE_ENDIAN = b"\x7fELF\x02\x01"
PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_NOTE = 1, 2, 3, 4
DT_NEEDED, DT_STRTAB = 1, 5
PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")
SECTION_HEADER = struct.Struct("<IIQQQQIIQQ")
NOTE_HEADER = struct.Struct("<III")
XEN_ELFNOTE_PHYS32_ENTRY = 18


@dataclass(frozen=True)
class _Segment:
    kind: int
    offset: int
    address: int
    size: int


class ElfFile:
    """A 64-bit little-endian ELF file held in memory.

    :raises ValueError: the bytes are none.
    """

    def __init__(self, data: bytes) -> None:
        if not data.startswith(ELF64_LITTLE_ENDIAN):
            raise ValueError("not a 64-bit little-endian ELF file")
        self._data = data
        self._segments = self._read_segments()

    @property
    def interpreter(self) -> str | None:
        """Path of the dynamic linker, None for a static program or a library."""
        for segment in self._segments:
            if segment.kind == PT_INTERP:
                return self._string(segment.offset)
        return None

    @property
    def needed(self) -> list[str]:
        """Names of the shared libraries that it asks for."""
        entries = self._dynamic()
        table = next((value for tag, value in entries if tag == DT_STRTAB), 0)
        return [
            self._string(self._file_offset(table) + value)
            for tag, value in entries
            if tag == DT_NEEDED
        ]

    @property
    def boots_by_pvh(self) -> bool:
        """Whether it has the note with the entry point that QEMU enters without a loader."""
        return any(
            name == b"Xen" and kind == XEN_ELFNOTE_PHYS32_ENTRY for name, kind in self._notes()
        )

    def section(self, name: str) -> bytes:
        """Return a section's bytes, empty if there is none of that name."""
        (table,) = struct.unpack_from("<Q", self._data, 0x28)
        size, count, names_index = struct.unpack_from("<HHH", self._data, 0x3A)
        headers = [
            SECTION_HEADER.unpack_from(self._data, table + index * size) for index in range(count)
        ]
        names_offset = headers[names_index][4] if headers else 0
        for header in headers:
            if self._string(names_offset + header[0]) == name:
                return self._data[header[4] : header[4] + header[5]]
        return b""

    def _read_segments(self) -> list[_Segment]:
        (table,) = struct.unpack_from("<Q", self._data, 0x20)
        size, count = struct.unpack_from("<HH", self._data, 0x36)
        rows = (
            PROGRAM_HEADER.unpack_from(self._data, table + index * size) for index in range(count)
        )
        return [_Segment(row[0], row[2], row[3], row[5]) for row in rows]

    def _dynamic(self) -> list[tuple[int, int]]:
        for segment in self._segments:
            if segment.kind == PT_DYNAMIC:
                area = self._data[segment.offset : segment.offset + segment.size]
                return list(struct.iter_unpack("<QQ", area))
        return []

    def _notes(self) -> list[tuple[bytes, int]]:
        found = []
        for segment in self._segments:
            if segment.kind != PT_NOTE:
                continue
            offset, end = segment.offset, segment.offset + segment.size
            while offset + NOTE_HEADER.size <= end:
                name_size, data_size, kind = NOTE_HEADER.unpack_from(self._data, offset)
                offset += NOTE_HEADER.size
                found.append((self._data[offset : offset + name_size].rstrip(b"\0"), kind))
                offset += _aligned(name_size) + _aligned(data_size)
        return found

    def _file_offset(self, address: int) -> int:
        for segment in self._segments:
            start = segment.address
            if segment.kind == PT_LOAD and start <= address < start + segment.size:
                return segment.offset + address - start
        return 0

    def _string(self, offset: int) -> str:
        return self._data[offset : self._data.index(b"\0", offset)].decode()


def _aligned(size: int) -> int:
    return size + (-size % 4)
