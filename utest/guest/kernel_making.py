"""Makes the boot images that the tests take kernels out of."""

from __future__ import annotations

import struct


def vmlinuz(payload: bytes) -> bytes:
    """Return a boot image with a setup part of two sectors and `payload`, as x86's has it."""
    gap = 100
    image = bytearray(3 * 512)
    image[0x1F1] = 2
    image[0x202:0x206] = b"HdrS"
    struct.pack_into("<II", image, 0x248, gap, len(payload))
    return bytes(image) + bytes(gap) + payload + b"what follows"
