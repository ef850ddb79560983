"""The first sectors of the disk, read back by the tool that Linux people trust."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.guest.disk.partition import CODE_SIZE, PARTITION_START, SECTOR, first_sectors

SIZE = 63 << 20
BOOT, CORE = bytes(range(256)) * 2, b"core" * 3000


def test_code_and_core_stand_where_the_bios_and_the_code_look() -> None:
    head = first_sectors(BOOT, CORE, SIZE, 0x12345678)

    assert len(head) == PARTITION_START
    assert head[:CODE_SIZE] == BOOT[:CODE_SIZE]
    assert head[SECTOR : SECTOR + len(CORE)] == CORE
    assert head[510:512] == b"\x55\xaa"


def test_a_boot_loader_that_would_reach_into_the_partition_is_refused() -> None:
    with pytest.raises(HostError, match="GRUB's core image has"):
        first_sectors(BOOT, bytes(PARTITION_START), SIZE, 1)


def test_the_file_system_is_found_in_the_partition(tmp_path: Path) -> None:
    disk = tmp_path / "disk.raw"
    disk.write_bytes(first_sectors(BOOT, CORE, SIZE, 0x12345678))
    os.truncate(disk, PARTITION_START + SIZE)

    said = subprocess.run(
        ["blkid", "-p", "-o", "export", str(disk)], capture_output=True, text=True, check=True
    ).stdout
    assert "PTTYPE=dos" in said
    assert "PTUUID=12345678" in said
