"""Control groups with little memory, for the kernel to kill in."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from robot.api import SkipExecution
from robot.api.deco import keyword, library

ROOT = Path("/sys/fs/cgroup")
MORE = 32 * 1024 * 1024
# The files of a group: its limit, and what it has now; those of version 1 come first.
FILES = (
    (ROOT / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    (ROOT, "memory.max", "memory.current"),
)


@library(scope="SUITE", auto_keywords=False, listener="SELF")
class ControlGroups:
    """Puts a run's processes into a control group, and back at the end of the suite."""

    ROBOT_LISTENER_API_VERSION = 3

    def __init__(self) -> None:
        self._moved: list[tuple[int, Path, Path]] = []
        self._frozen: Path | None = None

    def end_suite(self, data: object, result: object) -> None:
        """Put the processes back, and remove their groups; what was started in them has ended."""
        for pid, former, group in self._moved:
            with suppress(OSError):
                (former / "cgroup.procs").write_text(str(pid))
                group.rmdir()
        self._moved.clear()
        if self._frozen is not None:
            self._frozen.rmdir()

    @keyword
    def put_parent_in_control_group(self, pid: int) -> str:
        """Lets all that a process's parent starts from now on have a control group of their own.

        Skips where none can be made. Returns it.
        """
        try:
            group, former = _group(parent := _parent(int(pid)))
        except OSError as error:
            raise SkipExecution(
                f"No control group with a limit of memory can be made ({error}). Run as root, on "
                "a host or in a container that may write to /sys/fs/cgroup."
            ) from error
        self._moved.append((parent, former, group))
        (group / "cgroup.procs").write_text(str(parent))
        return str(group)

    @keyword
    def freeze(self, pid: int) -> None:
        """Lets a process wait in the kernel, where SIGKILL does not reach it, until `Unfreeze`.

        Only control groups of version 1 can do that; skips where they are not.
        """
        try:
            self._frozen = Path(tempfile.mkdtemp(prefix="dtsvirt-", dir=ROOT / "freezer"))
            (self._frozen / "cgroup.procs").write_text(str(pid))
            (self._frozen / "freezer.state").write_text("FROZEN")
        except OSError as error:
            raise SkipExecution(f"No process can be frozen here ({error}).") from error

    @keyword
    def unfreeze(self) -> None:
        """Lets the process go on. Quiet if there is none."""
        if self._frozen is not None:
            (self._frozen / "freezer.state").write_text("THAWED")

    @keyword
    def leave_little_memory(self, group: str) -> None:
        """Gives a control group 32 MB more than it has now."""
        for _, limit, usage in FILES:
            if (file := Path(group) / limit).exists():
                now = int((file.parent / usage).read_text())
                file.write_text(str(now + MORE))


def _group(pid: int) -> tuple[Path, Path]:
    """Make a group whose memory can be limited; return it and the one that a process is in."""
    lines = [line.split(":", 2) for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()]
    for parent, limit, _ in FILES:
        wanted = "memory" if parent != ROOT else ""
        place = next((path for _, names, path in lines if wanted in names.split(",")), None)
        if place is None or not (parent / "cgroup.procs").exists():
            continue
        group = Path(tempfile.mkdtemp(prefix="dtsvirt-", dir=parent))
        if not os.access(group / limit, os.W_OK):
            group.rmdir()
            raise OSError(f"{group / limit} cannot be written")
        return group, parent / place.lstrip("/")
    raise OSError("there is no hierarchy for memory")


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
