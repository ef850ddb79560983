"""File systems that are full, or soon will be; they need root."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from robot.api.deco import keyword, library


@library(scope="SUITE", auto_keywords=False, listener="SELF")
class SmallFileSystems:
    """Mounts that last until the end of the suite."""

    ROBOT_LISTENER_API_VERSION = 3

    def __init__(self) -> None:
        self._mounts: list[str] = []

    def end_suite(self, data: object, result: object) -> None:
        """Unmount and remove all of them."""
        for path in self._mounts:
            subprocess.run(["umount", path], check=True)
            os.rmdir(path)
        self._mounts.clear()

    @keyword
    def mount_small_file_system(self, kibibytes: int) -> str:
        """Mounts a file system of this size, which is ours alone, and returns its path."""
        path = tempfile.mkdtemp(prefix="small", dir="/tmp")
        options = f"size={kibibytes}k,mode=0700"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", path], check=True)
        self._mounts.append(path)
        return path

    @keyword
    def fill_file_system(self, path: str, leave: int = 0) -> None:
        """Fills a file system but for so many bytes."""
        found = os.statvfs(path)
        free = found.f_bavail * found.f_frsize
        Path(path, "filling").write_bytes(bytes(free - leave))

    @keyword
    def empty_file_system(self, path: str) -> None:
        """Removes what filled a file system."""
        Path(path, "filling").unlink()
