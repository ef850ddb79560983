"""Control groups with little memory, for the kernel to kill in."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from robot.api import SkipExecution
from robot.api.deco import keyword, library

ROOT = Path("/sys/fs/cgroup")
LIMIT = 32 * 1024 * 1024


@library(scope="SUITE", auto_keywords=False, listener="SELF")
class ControlGroups:
    """Makes control groups, and removes them at the end of the suite."""

    ROBOT_LISTENER_API_VERSION = 3

    def __init__(self) -> None:
        self._made: list[Path] = []

    def end_suite(self, data: object, result: object) -> None:
        """Remove the groups; what was in them has ended."""
        for group in self._made:
            with suppress(OSError):
                group.rmdir()

    @keyword
    def take_memory_from(self, pid: int) -> None:
        """Gives a process 32 MB more than it has now; skips where control groups cannot be made."""
        try:
            group, limit = _group()
        except OSError as error:
            raise SkipExecution(
                f"No control group with a limit of memory can be made ({error}). Run as root, on "
                "a host or in a container that may write to /sys/fs/cgroup."
            ) from error
        self._made.append(group)
        limit.write_text(str(LIMIT))
        (group / "cgroup.procs").write_text(str(pid))


def _group() -> tuple[Path, Path]:
    """Make a group and return it with its file for the limit."""
    for parent, limit in (
        (ROOT / "memory", "memory.limit_in_bytes"),
        (ROOT, "memory.max"),
    ):
        if (parent / "cgroup.procs").exists():
            group = Path(tempfile.mkdtemp(prefix="dtsvirt-", dir=parent))
            if not os.access(group / limit, os.W_OK):
                group.rmdir()
                raise OSError(f"{group / limit} cannot be written")
            return group, group / limit
    raise OSError("there is no hierarchy for memory")
