"""Sizes of memory as people write and read them, in KiB inside."""

from __future__ import annotations

import re

from DtsVirtLibrary.errors import ConfigError

SIZE = re.compile(r"([0-9]{1,12})\s*([KMG]?)(?:I?B)?", re.IGNORECASE)
UNITS = {"K": 1, "": 1024, "M": 1024, "G": 1024 * 1024}


def parse_kib(text: str) -> int:
    """Return a size in KiB; a plain number is MiB: ``512``, ``512M``, ``2MiB``, ``1G``.

    :raises ConfigError: it is not a size above 0.
    """
    match = SIZE.fullmatch(text.strip())
    if match is None or not (number := int(match[1])):
        raise ConfigError(f"'{text}' is not a size; write it as 512 (MiB), 2048K, 512M or 1G.")
    return number * UNITS[match[2].upper()]


def size_text(size_kib: int) -> str:
    """Return a size for people: ``2 MiB``, ``1 GiB``."""
    for unit, factor in (("GiB", 1024 * 1024), ("MiB", 1024)):
        if size_kib % factor == 0:
            return f"{size_kib // factor} {unit}"
    return f"{size_kib} KiB"
