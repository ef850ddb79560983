"""Disk images for VMs that need none in particular."""

from __future__ import annotations

import subprocess
from pathlib import Path


def make_image(directory: Path) -> Path:
    """Make an empty image of 8 MiB and return its path."""
    image = directory / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(image), "8M"], check=True)
    return image


def make_boot_image(directory: Path) -> Path:
    """Make an image whose boot sector halts the machine for ever, and return its path."""
    image = directory / "halt.raw"
    sector = b"\xfa\xf4\xeb\xfd".ljust(510, b"\0") + b"\x55\xaa"
    image.write_bytes(sector.ljust(1 << 20, b"\0"))
    return image
