"""Starting a child: what it inherits, and what it is rid of, before it is the program."""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]
import ctypes
import errno
import fcntl
import os
import resource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, NoReturn

PR_SET_PDEATHSIG = 1
TIOCSCTTY = 0x540E  # termios has it too, but takes longer to import
PR_SET_CHILD_SUBREAPER = 36
TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000

libc = ctypes.CDLL(None, use_errno=True)


class StartFailure(Exception):
    """A child could not be started: at which stage, and the system's error number."""

    def __init__(self, stage: str, number: int) -> None:
        super().__init__(stage, number)
        self.stage = stage
        self.number = number


def adopt_orphans() -> None:
    """Let what the children leave behind come to us, so that it ends with the leash too."""
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def start(message: dict[str, Any], inherited: Mapping[int, int]) -> int:
    """Fork and execute; return the process id once the program runs.

    :param inherited: descriptors by the numbers that the child sees them under.
    :raises StartFailure: it does not run.
    """
    parent = os.getpid()
    try:
        report, child_report = os.pipe()
        pid = os.fork()
    except OSError as error:
        raise StartFailure("fork", error.errno or errno.EAGAIN) from error
    if pid == 0:
        _become(message, inherited, child_report, parent)
    os.close(child_report)
    text = os.read(report, 100).decode()
    os.close(report)
    if text:
        os.waitpid(pid, 0)
        stage, _, number = text.partition(" ")
        raise StartFailure(stage, int(number))
    return pid


def _become(
    message: dict[str, Any], inherited: Mapping[int, int], report: int, parent: int
) -> NoReturn:
    """Turn this forked process into the program; report the stage that failed."""
    stage = "setup"
    try:
        os.setsid()
        _restore_signals()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        stage = "directory"
        os.chdir(message["directory"])
        stage = "files"
        opened = {number: os.open(path, os.O_RDONLY) for number, path in message["files"].items()}
        inherited = {**inherited, **opened}
        stage = "taps"
        inherited.update({number: _open_tap(name) for number, name in message["taps"].items()})
        stage = "user"
        if message["user"] is not None:
            os.get_exec_path(message["environment"])  # loads what execvpe needs, while it may
            _take_on(*message["user"])
        # After the change of users, which takes it back.
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(127)
        stage = "descriptors"
        null = os.open(os.devnull, os.O_RDONLY)
        report = _place({0: null, **inherited}, report)
        if message["terminal"]:
            fcntl.ioctl(0, TIOCSCTTY, 0)
        stage = "execute"
        argv = message["argv"]
        os.execvpe(argv[0], argv, message["environment"])
    except BaseException as error:
        number = getattr(error, "errno", None) or errno.EINVAL
        os.write(report, f"{stage} {number}".encode())
    finally:
        os._exit(127)


def _open_tap(name: str) -> int:
    """Return a descriptor of a tap interface, as QEMU would open it itself."""
    tap = os.open("/dev/net/tun", os.O_RDWR)
    flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR
    fcntl.ioctl(tap, TUNSETIFF, name.encode().ljust(16, b"\0") + flags.to_bytes(2, "little"))
    return tap


def _take_on(user: int, group: int, groups: tuple[int, ...]) -> None:
    os.setgroups(groups)
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)


def _place(wanted: Mapping[int, int], report: int) -> int:
    """Put descriptors under their wanted numbers; the others close at execution.

    All are moved above the wanted numbers first, so that none is overwritten before it
    was placed. Return the new number of `report`.
    """
    floor = max(wanted) + 1
    moved = {
        number: fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, floor)
        for number, descriptor in wanted.items()
    }
    report = fcntl.fcntl(report, fcntl.F_DUPFD_CLOEXEC, floor)
    for number, descriptor in moved.items():
        os.dup2(descriptor, number)
    return report


def _restore_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def start_time(pid: int) -> int:
    """Return field 22 of /proc/PID/stat; the name before it may hold any character."""
    with open(f"/proc/{pid}/stat", "rb") as status:
        return int(status.read().rpartition(b")")[2].split()[19])
