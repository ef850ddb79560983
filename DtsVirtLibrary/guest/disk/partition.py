"""The first sectors of a disk that a BIOS boots: boot loader and partition table."""

from __future__ import annotations

import struct

from DtsVirtLibrary.errors import HostError

SECTOR = 512
# Where the one partition begins, in bytes; what is before it holds the boot loader.
PARTITION_START = 1 << 20
CODE_SIZE = 440
TABLE = 446
BOOTABLE, LINUX = 0x80, 0x83
# "See the address in sectors": cylinders, heads and sectors that a table cannot name.
NO_GEOMETRY = b"\xfe\xff\xff"
SIGNATURE = b"\x55\xaa"


def first_sectors(boot: bytes, core: bytes, partition_size: int, disk_id: int) -> bytes:
    """Return the bytes before the partition.

    GRUB's `boot` image loads the sector after it, which is where its `core` image is put;
    core's own first sector then loads the rest of it from there on.

    :param partition_size: in bytes.
    :raises HostError: the boot loader does not fit.
    """
    if len(core) > PARTITION_START - SECTOR:
        raise HostError(
            f"GRUB's core image has {len(core)} bytes; {PARTITION_START - SECTOR} are there."
        )
    entry = struct.pack(
        "<B3sB3sII",
        BOOTABLE,
        NO_GEOMETRY,
        LINUX,
        NO_GEOMETRY,
        PARTITION_START // SECTOR,
        partition_size // SECTOR,
    )
    sector = bytearray(SECTOR)
    code = boot[:CODE_SIZE]
    sector[: len(code)] = code
    struct.pack_into("<I", sector, CODE_SIZE, disk_id)
    sector[TABLE : TABLE + len(entry)] = entry
    sector[-len(SIGNATURE) :] = SIGNATURE
    return (bytes(sector) + core).ljust(PARTITION_START, b"\0")
