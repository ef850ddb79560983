"""Who a process is, so that another one that later gets its number is not taken for it."""

from __future__ import annotations

import functools
import os

from DtsVirtLibrary.host.protocol import ProcessIdentity

# The letters of /proc/PID/stat.
STATES = {
    "R": "running",
    "S": "sleeping",
    "D": "waiting in the kernel, where no signal reaches it",
    "T": "stopped by a signal; kill -CONT lets it go on",
    "t": "stopped by a debugger",
    "Z": "ended, and not collected by its parent",
    "I": "idle",
}


@functools.cache
def boot_id() -> str:
    """Return the id that the kernel gave itself at this boot."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def start_time(pid: int) -> int | None:
    """Return a process's start time in clock ticks since boot, None if there is none."""
    fields = _status(pid)
    return int(fields[19]) if fields else None


def state(pid: int) -> str:
    """Return the letter of a process's state and what it means, empty if there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            letter = file.read().rpartition(b")")[2].split()[0].decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return f"{letter} ({STATES.get(letter, 'unknown')})"


def own_identity() -> ProcessIdentity:
    """Return who this process is."""
    pid = os.getpid()
    return ProcessIdentity(boot_id(), pid, start_time(pid) or 0)


def is_alive(identity: ProcessIdentity) -> bool:
    """Tell whether exactly this process still runs here.

    One that has ended and whose parent does not collect it, as in a container without an
    init process, does not.
    """
    fields = _status(identity.pid)
    if identity.boot_id != boot_id() or not fields or fields[0] in (b"Z", b"X"):
        return False
    return int(fields[19]) == identity.start_time


def _status(pid: int) -> list[bytes]:
    """Return the fields of /proc/PID/stat from the third on, none if there is no process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name in parentheses before them may hold any character.
            return file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
