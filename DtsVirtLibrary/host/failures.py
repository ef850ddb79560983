"""What went wrong on the host, in sentences that say what to do."""

from __future__ import annotations

import errno
import os
import pwd
import resource
from collections.abc import Iterable, Sequence

from DtsVirtLibrary.errors import CommandError, Evidence, HostError
from DtsVirtLibrary.host.protocol import HostPath
from DtsVirtLibrary.host.surroundings import search_path
from DtsVirtLibrary.printable import printable

TAIL_LINES = 20
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
NO_RIGHT = (errno.EACCES, errno.EPERM, errno.EROFS)


def file_failure(action: str, path: HostPath, error: OSError) -> HostError:
    """Return the error for `action` (``write``, ``read``) that failed on a path."""
    found = f"Cannot {action} '{path}': {os.strerror(error.errno or errno.EIO)}"
    remedy = ""
    if error.errno in NO_ROOM:
        found += f" ({_free_bytes(path)} bytes are free)"
        remedy = "Free some space there, or choose another directory."
    elif error.errno in NO_RIGHT:
        found += f" (as user {user_name()})"
        remedy = "Give that user the right, run as one who has it, or choose another path."
    return HostError(f"{found}.", Evidence(facts=[remedy] if remedy else []))


def start_failure(
    argv: Sequence[str], stage: str, number: int, places: dict[str, str]
) -> CommandError:
    """Return the error for a program that could not be started.

    :param stage: ``directory``, ``stdout``, ``stderr``, ``logs``, ``descriptors``, ``files``,
        ``taps``, ``user``, ``fork``, ``setup`` or ``execute``.
    :param number: the system's error number.
    :param places: the path that belongs to a stage, where one does.
    """
    reason = os.strerror(number)
    facts: list[str] = []
    if stage == "execute":
        reason, remedy = _execution_failure(argv[0], number)
        facts.append(remedy)
    elif stage in places:
        role = {"directory": "its working directory", "logs": "its log"}.get(stage, f"its {stage}")
        if number == errno.EINVAL:
            reason = "it is not a regular file"
        reason = f"{role} '{places[stage]}' cannot be used: {reason}"
        facts.append(f"Check that path; the runner is user {user_name()}.")
    elif stage == "files":
        reason = f"a file that it inherits cannot be opened: {reason}"
    elif stage == "taps":
        reason = f"a tap interface that it inherits cannot be opened: {reason}"
        facts.append("Is another process using it? The runner needs /dev/net/tun and the right.")
    elif stage == "user":
        reason = f"it cannot be run as another user: {reason}"
        facts.append(f"Only root may do that; the runner is user {user_name()}.")
    elif stage == "fork":
        reason = f"no new process can be made: {reason}"
        facts.append(_limit(number) or _limit(errno.EAGAIN))
    elif stage == "descriptors":
        reason = f"its descriptors cannot be set up: {reason}"
        facts.append(_limit(number) or _limit(errno.EMFILE))
    return CommandError(f"Cannot start '{argv[0]}': {reason}.", Evidence(argv=argv, facts=facts))


def shortage(action: str, error: OSError) -> HostError:
    """Return the error for `action` (``start x``) that failed, naming the limit that it met."""
    reason = os.strerror(error.errno or errno.EIO)
    limit = _limit(error.errno or 0)
    return HostError(f"Cannot {action}: {reason}.", Evidence(facts=[limit] if limit else []))


def output_facts(stdout: str, stderr: str) -> list[str]:
    """Return the last lines of a command's outputs as facts for :class:`Evidence`."""
    return [*_tail("stderr", stderr), *_tail("stdout", stdout)]


def user_name() -> str:
    """Return who we are: ``root (0)``."""
    uid = os.geteuid()
    try:
        return f"{pwd.getpwuid(uid).pw_name} ({uid})"
    except KeyError:
        return str(uid)


def _limit(number: int) -> str:
    """Say which limit an error number stands for and how high it is; empty for none."""
    if number == errno.EMFILE:
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return f"This process may have {_most(most)} files open. Raise that limit (ulimit -n)."
    if number == errno.ENFILE:
        return "The host may have no more files open. Raise its limit (sysctl fs.file-max)."
    if number == errno.EAGAIN:
        most, _ = resource.getrlimit(resource.RLIMIT_NPROC)
        return (
            f"User {user_name()} may have {_most(most)} processes and threads. Raise that limit "
            "(ulimit -u), or that of the control group (pids.max)."
        )
    if number == errno.ENOMEM:
        return "The host is out of memory, or its control group is (memory.max). Free some."
    return ""


def _most(number: int) -> str:
    return "any number of" if number == resource.RLIM_INFINITY else str(number)


def _execution_failure(program: str, number: int) -> tuple[str, str]:
    if number == errno.ENOENT and "/" not in program:
        return f"no such program on PATH ({search_path()})", "Install it, or give its full path."
    if number == errno.ENOENT and os.path.exists(program):
        return (
            "the interpreter or loader that it names does not exist",
            "Look at its first line (#!), or install the loader of its architecture.",
        )
    remedies = {
        errno.ENOENT: "Check the path, or install the program.",
        errno.EACCES: f"Make it executable for user {user_name()}: chmod +x; or mount without "
        "noexec.",
        errno.ENOEXEC: "Install the build for this machine's architecture; a script needs a "
        "first line #!.",
        errno.E2BIG: "Shorten the arguments or the environment.",
    }
    reason = os.strerror(number)
    return reason, remedies.get(number, "Check its path and its arguments.")


def _free_bytes(path: HostPath) -> int:
    parent = os.path.dirname(os.path.abspath(path))
    try:
        found = os.statvfs(parent)
    except OSError:
        return 0
    return found.f_bavail * found.f_frsize


def _tail(title: str, text: str) -> Iterable[str]:
    lines = printable(text.strip()[-4096:]).splitlines()[-TAIL_LINES:]
    if lines:
        yield f"{title}, last lines:"
        yield from (f"    {line}" for line in lines)
