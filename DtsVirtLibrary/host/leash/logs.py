"""The files that children write their output to."""

from __future__ import annotations

import errno
import os
import stat

# A log that passes LOG_LIMIT bytes loses its middle: the first LOG_HEAD and the last
# LOG_TAIL bytes stay. A child may flood its stderr for ever and must not fill the disk.
LOG_LIMIT = 8 << 20
LOG_HEAD = 1 << 20
LOG_TAIL = 64 << 10
# What stands in the place of the middle, around a number.
GAP_BEGIN, GAP_END = b"\n[... ", b" bytes were dropped here ...]\n"
GAP_LONGEST = 60


def open_log(path: str) -> int:
    """Open a log for appending; nothing but a regular file or a device such as /dev/null."""
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
    log = os.open(path, flags, 0o600)
    mode = os.fstat(log).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISCHR(mode)):
        os.close(log)
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
    os.set_blocking(log, True)
    return log


def cut_log(log: int) -> None:
    """Take the middle out of a long log. Its writers append, so they go on after it."""
    status = os.fstat(log)
    if not stat.S_ISREG(status.st_mode) or status.st_size <= LOG_LIMIT:
        return
    tail = os.pread(log, LOG_TAIL, status.st_size - LOG_TAIL)
    before, length = _dropped_before(log)
    dropped = before + status.st_size - LOG_HEAD - length - LOG_TAIL
    os.ftruncate(log, LOG_HEAD)
    os.write(log, GAP_BEGIN + str(dropped).encode() + GAP_END + tail)


def _dropped_before(log: int) -> tuple[int, int]:
    """Return how many bytes were dropped from a log until now, and how long the note of it is."""
    found = os.pread(log, GAP_LONGEST, LOG_HEAD)
    number, end, _ = found.removeprefix(GAP_BEGIN).partition(GAP_END)
    if found.startswith(GAP_BEGIN) and end and number.isdigit():
        return int(number), len(GAP_BEGIN) + len(number) + len(end)
    return 0, 0
