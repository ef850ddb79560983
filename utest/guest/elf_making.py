"""Makes the small ELF files that the tests of the builder read."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

HEADER_SIZE = 64
SEGMENT_SIZE = 56
PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_NOTE = 1, 2, 3, 4
DT_NEEDED, DT_STRTAB = 1, 5
XEN_ELFNOTE_PHYS32_ENTRY = 18


def program(needed: Sequence[str], interpreter: str | None = None) -> bytes:
    """Return a program (or library) that asks for shared libraries."""
    names = b"\0" + b"".join(name.encode() + b"\0" for name in needed)
    offsets = [names.index(b"\0" + name.encode() + b"\0") + 1 for name in needed]
    loader = (interpreter or "").encode() + b"\0"
    count = 3 if interpreter else 2
    names_at = HEADER_SIZE + count * SEGMENT_SIZE
    loader_at = names_at + len(names)
    dynamic_at = loader_at + len(loader)
    # Addresses are not file offsets in real programs, so they are not here.
    base = 0x10000
    entries = [(DT_NEEDED, offset) for offset in offsets] + [(DT_STRTAB, base + names_at), (0, 0)]
    dynamic = b"".join(struct.pack("<QQ", *entry) for entry in entries)
    segments = [
        (PT_LOAD, 0, base, dynamic_at + len(dynamic)),
        (PT_DYNAMIC, dynamic_at, base + dynamic_at, len(dynamic)),
    ]
    if interpreter:
        segments.append((PT_INTERP, loader_at, base + loader_at, len(loader)))
    return _file(segments, names + loader + dynamic)


def kernel(*, pvh: bool = True) -> bytes:
    """Return a kernel, with the note that lets QEMU enter it or with another one."""
    kind = XEN_ELFNOTE_PHYS32_ENTRY if pvh else 6
    notes = struct.pack("<III", 4, 8, 6) + b"Xen\0" + bytes(8)
    notes += struct.pack("<III", 4, 4, kind) + b"Xen\0" + struct.pack("<I", 0x1000000)
    return _file([(PT_NOTE, HEADER_SIZE + SEGMENT_SIZE, 0, len(notes))], notes)


def module(depends: str = "", aliases: Sequence[str] = ()) -> bytes:
    """Return a kernel module with these facts about itself."""
    facts = [f"alias={alias}" for alias in aliases] + [f"depends={depends}", "license=GPL"]
    return sections({".modinfo": b"".join(fact.encode() + b"\0" for fact in facts)})


def sections(contents: Mapping[str, bytes]) -> bytes:
    """Return a file of these sections."""
    names = b"\0" + b"".join(name.encode() + b"\0" for name in [*contents, ".shstrtab"])
    headers = [bytes(64)]
    body = b""
    for name, data in [*contents.items(), (".shstrtab", names)]:
        name_at = names.index(b"\0" + name.encode() + b"\0") + 1
        place = HEADER_SIZE + len(body)
        headers.append(struct.pack("<IIQQQQIIQQ", name_at, 1, 0, 0, place, len(data), 0, 0, 1, 0))
        body += data
    table_at = HEADER_SIZE + len(body)
    header = _header(0, table_at, len(headers), len(headers) - 1)
    return header + body + b"".join(headers)


def _file(segments: Sequence[tuple[int, int, int, int]], body: bytes) -> bytes:
    rows = b"".join(
        struct.pack("<IIQQQQQQ", kind, 4, offset, address, address, size, size, 4)
        for kind, offset, address, size in segments
    )
    return _header(len(segments), 0, 0, 0) + rows + body


def _header(segments: int, section_table: int, section_count: int, names_index: int) -> bytes:
    identity = b"\x7fELF\x02\x01\x01" + bytes(9)
    return identity + struct.pack(
        "<HHIQQQIHHHHHH",
        2, 62, 1, 0, HEADER_SIZE if segments else 0, section_table, 0,
        HEADER_SIZE, SEGMENT_SIZE, segments, 64, section_count, names_index,
    )  # fmt: skip
