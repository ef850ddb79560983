"""Processes as the kernel shows them; nothing is looked for by name on the whole machine."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Collection
from contextlib import suppress

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Become the parent of what our children leave behind: so whatever is left is found."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children(pid: int) -> list[int]:
    """Return the children of a process, zombies included; none if it has ended."""
    found: list[int] = []
    for task in _list(f"/proc/{pid}/task"):
        found += map(int, read(f"/proc/{pid}/task/{task}/children").split())
    return found


def descendants(pid: int, but: Collection[int] = ()) -> list[int]:
    """Return the children of a process, their children, and so on.

    :param but: children that are left out, with all below them.
    """
    found: list[int] = []
    for child in children(pid):
        if child not in but:
            found += [child, *descendants(child, but)]
    return found


def is_zombie(pid: int) -> bool:
    """Tell whether a process has ended and only waits for its parent, or is gone."""
    return read(f"/proc/{pid}/stat").rpartition(")")[2].split()[:1] in ([], ["Z"])


def reap(pids: Collection[int]) -> None:
    """Collect the adopted children that have ended."""
    for pid in pids:
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def command_line(pid: int) -> list[str]:
    """Return the arguments of a process, none if it has ended."""
    return read(f"/proc/{pid}/cmdline").rstrip("\0").split("\0")


def is_qemu(pid: int) -> bool:
    """Tell whether a process is the QEMU of a VM."""
    argv = command_line(pid)
    return "qemu-system" in argv[0] and "-name" in argv


def start_time(pid: int) -> str:
    """Return when a process started, in ticks of the kernel; empty if it is gone."""
    fields = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return fields[19] if fields else ""


def read(path: str) -> str:
    """Return a file of /proc or /sys, empty if it is not there any more."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _list(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []
