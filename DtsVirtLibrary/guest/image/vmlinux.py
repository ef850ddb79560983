"""Takes the uncompressed kernel out of a distribution's vmlinuz.

QEMU enters an ELF kernel that has a PVH note directly, which saves the time in which the
kernel would unpack itself (2 s under TCG for Debian's XZ-compressed one).
"""

from __future__ import annotations

import lzma
import struct
import zlib

from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.guest.image.elf import ElfFile

# Fields of the boot protocol's setup header (Documentation/arch/x86/boot.rst).
SETUP_SECTORS = 0x1F1
HEADER_MAGIC = 0x202
PAYLOAD_OFFSET = 0x248
SECTOR = 512


def extract_vmlinux(vmlinuz: bytes) -> bytes:
    """Return the ELF kernel inside `vmlinuz`.

    :raises HostError: it is no kernel, of a compression not known, or cannot boot by PVH.
    """
    if vmlinuz[HEADER_MAGIC : HEADER_MAGIC + 4] != b"HdrS":
        raise HostError("The kernel package's vmlinuz has no boot header: not an x86 kernel.")
    sectors = vmlinuz[SETUP_SECTORS] or 4
    offset, length = struct.unpack_from("<II", vmlinuz, PAYLOAD_OFFSET)
    start = (sectors + 1) * SECTOR + offset
    kernel = _decompress(vmlinuz[start : start + length])
    try:
        boots = ElfFile(kernel).boots_by_pvh
    except (ValueError, struct.error) as error:
        raise HostError("The kernel inside vmlinuz is not an ELF file.") from error
    if not boots:
        raise HostError(
            "The kernel has no PVH entry point (CONFIG_PVH), so QEMU cannot boot it uncompressed."
        )
    return kernel


def _decompress(payload: bytes) -> bytes:
    # The kernel's build appends the uncompressed size: decompressor objects stop before it.
    decompressor: lzma.LZMADecompressor | zlib._Decompress | None = None
    if payload.startswith(b"\xfd7zXZ\0"):
        decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ)
    elif payload.startswith(b"\x1f\x8b"):
        decompressor = zlib.decompressobj(wbits=31)
    if decompressor is not None:
        try:
            kernel = decompressor.decompress(payload)
        except (lzma.LZMAError, zlib.error) as error:
            raise HostError(f"The kernel inside vmlinuz is damaged: {error}.") from error
        if not decompressor.eof:
            raise HostError("The kernel inside vmlinuz is damaged: its end is missing.")
        return kernel
    raise HostError(
        "The kernel inside vmlinuz is compressed in a way the builder does not know"
        f" (it begins with {payload[:6].hex(' ')}); known are xz and gzip."
    )
