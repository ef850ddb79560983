"""The process that is the parent of every long-lived child of one runner.

Its arguments are a descriptor, a SOCK_SEQPACKET socket to the runner, and the runner's
process id. The socket is the leash: once the runner is gone, however it went, the
children are ended, what they and the runner left is removed, and this process exits.

It stands alone and imports the C modules below socket and signal, no json and no typing:
it is up in half the time so (24 ms less, measured), and a VM's start waits for it.

Messages are marshalled dictionaries, one a packet. From the runner:

======  ============================================================================
do      further keys
======  ============================================================================
spawn   id, argv, stdout, stderr, environment, directory, numbers; the sockets come
        with it, in the order of the `numbers` under which the child sees them
kill    id of a child to kill at once
remove  path of a directory to remove if the runner dies
undo    id, argv of a command to run if the runner dies, or closes
forget  id of an undo that is not needed any more
close   end the children, undo, exit; the runner removes its directories itself
======  ============================================================================

To the runner: ``{started: id, pid, start_time}`` with a pidfd, ``{failed: id, stage,
errno}`` and ``{exited: id, code}``.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]
import _socket as socket
import ctypes
import errno
import fcntl
import marshal
import os
import resource
import select
import stat
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, NoReturn

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE)

# The children get this long, in seconds, to end by SIGTERM, and then by SIGKILL.
TERMINATE_GRACE = 0.5
KILL_GRACE = 1.0
UNDO_TIMEOUT = 5.0

# A log that passes LOG_LIMIT bytes loses its middle: the first LOG_HEAD and the last
# LOG_TAIL bytes stay. A child may flood its stderr for ever and must not fill the disk.
LOG_LIMIT = 8 << 20
LOG_HEAD = 1 << 20
LOG_TAIL = 64 << 10
LOG_INTERVAL = 0.25

MESSAGE_LIMIT = 1 << 20
DESCRIPTOR_LIMIT = 253  # the kernel's SCM_MAX_FD

libc = ctypes.CDLL(None, use_errno=True)


class StartFailure(Exception):
    """A child could not be started: at which stage, and the system's error number."""

    def __init__(self, stage: str, number: int) -> None:
        super().__init__(stage, number)
        self.stage = stage
        self.number = number


class Child:
    """A child that runs, and the log files that are watched for it."""

    def __init__(self, number: int, logs: list[int]) -> None:
        self.number = number
        self.logs = logs


class Supervisor:
    """Serve the runner until it closes the leash, then end everything."""

    def __init__(self, control: socket.socket, runner: int) -> None:
        self.control = control
        self.children: dict[int, Child] = {}
        self.directories: list[str] = []
        self.undo: dict[int, list[str]] = {}
        self.leashed = True
        self.runner_removes = False
        self.next_log_check = 0.0
        self.wakeup = _wake_on_child_exit()
        self.poller = select.poll()
        self.poller.register(self.wakeup, select.POLLIN)
        self.poller.register(control, select.POLLIN)
        # A fork of the runner may hold the other end of the socket open for ever.
        self.runner_pidfd = _watch_parent(runner)
        if self.runner_pidfd is None:
            self.receive()
            self.leashed = False
        else:
            self.poller.register(self.runner_pidfd, select.POLLIN)

    def serve(self) -> None:
        """Serve until the runner is gone or closes."""
        while self.leashed:
            self.wait(LOG_INTERVAL if self.children else None)
            self.check_logs()
        self.poller.unregister(self.control)
        if self.runner_pidfd is not None:
            self.poller.unregister(self.runner_pidfd)
        self.end_children()
        if not self.runner_removes:
            self.remove_directories()
        for argv in reversed(self.undo.values()):
            _run_undo(argv)

    def wait(self, seconds: float | None) -> None:
        """Handle what happens next, or nothing after `seconds`."""
        for descriptor, _ in self.poller.poll(None if seconds is None else seconds * 1000):
            if descriptor == self.wakeup:
                os.read(self.wakeup, 4096)
            else:
                self.receive()
            if descriptor == self.runner_pidfd:
                self.leashed = False
        self.reap()

    def receive(self) -> None:
        """Handle all messages that are there."""
        while self.leashed:
            try:
                data, sockets = _receive_packet(self.control)
            except BlockingIOError:
                return
            except OSError:
                data, sockets = b"", []
            if not data:
                self.leashed = False
                return
            try:
                self.handle(marshal.loads(data), sockets)
            finally:
                _close(sockets)

    def handle(self, message: dict[str, Any], sockets: list[int]) -> None:
        """Do what one message asks."""
        action = message["do"]
        if action == "spawn":
            self.spawn(message, sockets)
        elif action == "kill":
            for pid, child in self.children.items():
                if child.number == message["id"]:
                    _signal_group(pid, signal.SIGKILL)
        elif action == "remove":
            self.directories.append(message["path"])
        elif action == "undo":
            self.undo[message["id"]] = message["argv"]
        elif action == "forget":
            self.undo.pop(message["id"], None)
        elif action == "close":
            self.runner_removes = True
            self.leashed = False

    def spawn(self, message: dict[str, Any], sockets: list[int]) -> None:
        """Start a child and tell the runner how that went."""
        number = message["id"]
        logs: list[int] = []
        try:
            for stage in ("stdout", "stderr"):
                if stage == "stdout" or message["stderr"] != message["stdout"]:
                    logs.append(_open_log(message[stage], stage))
            if len(sockets) != len(message["numbers"]):  # the kernel cut them off
                raise StartFailure("descriptors", errno.EMFILE)
            wanted = zip(message["numbers"], sockets, strict=True)
            inherited = {1: logs[0], 2: logs[-1], **dict(wanted)}
            pid = _start(message, inherited)
        except StartFailure as failure:
            _close(logs)
            self.send({"failed": number, "stage": failure.stage, "errno": failure.number})
            return
        self.children[pid] = Child(number, logs)
        pidfd = os.pidfd_open(pid)
        self.send({"started": number, "pid": pid, "start_time": _start_time(pid)}, [pidfd])
        os.close(pidfd)

    def send(self, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        """Tell the runner, if it is still there."""
        rights = b"".join(number.to_bytes(4, sys.byteorder) for number in descriptors)
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if rights else []
        try:
            self.control.sendmsg([marshal.dumps(message)], ancillary)
        except OSError:
            return  # the runner is gone, as the leash tells too

    def reap(self) -> None:
        """Collect the children that ended, and those of others that came to us."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self.children.pop(pid, None)
            if child is not None:
                _close(child.logs)
                self.send({"exited": child.number, "code": os.waitstatus_to_exitcode(status)})

    def end_children(self) -> None:
        """End all children, gently first, and whatever they left to us."""
        for pid in self.all_children():
            _signal_group(pid, signal.SIGTERM)
            _signal_group(pid, signal.SIGCONT)
        self.wait_for_children(TERMINATE_GRACE)
        self.wait_for_children(KILL_GRACE, signal.SIGKILL)

    def wait_for_children(self, seconds: float, number: int | None = None) -> None:
        """Wait until no child is left; signal those that are there, also later ones."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and (children := self.all_children()):
            if number is not None:
                for pid in children:
                    _signal_group(pid, number)
            self.wait(left)

    def all_children(self) -> list[int]:
        """Return the children, with those of others that came to us."""
        try:
            with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as children:
                return [int(pid) for pid in children.read().split()]
        except FileNotFoundError:  # a kernel without CONFIG_PROC_CHILDREN
            return list(self.children)

    def check_logs(self) -> None:
        """Cut the logs that have grown too long."""
        if time.monotonic() < self.next_log_check:
            return
        self.next_log_check = time.monotonic() + LOG_INTERVAL
        for child in self.children.values():
            for log in child.logs:
                _cut_log(log)

    def remove_directories(self) -> None:
        """Remove what the runner could not remove any more."""
        import shutil  # slow to import, and seldom needed

        for path in self.directories:
            shutil.rmtree(path, ignore_errors=True)


def _receive_packet(control: socket.socket) -> tuple[bytes, list[int]]:
    """Return a packet and its descriptors, which no program is to inherit."""
    flags = socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC
    room = socket.CMSG_SPACE(4 * DESCRIPTOR_LIMIT)
    data, ancillary, _, _ = control.recvmsg(MESSAGE_LIMIT, room, flags)
    return data, [fd for _, _, raw in ancillary for fd in memoryview(raw).cast("i")]


def _start(message: dict[str, Any], inherited: Mapping[int, int]) -> int:
    """Fork and execute; return the process id once the program runs."""
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
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(127)
        _restore_signals()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        stage = "directory"
        os.chdir(message["directory"])
        stage = "descriptors"
        null = os.open(os.devnull, os.O_RDONLY)
        report = _place({0: null, **inherited}, report)
        stage = "execute"
        argv = message["argv"]
        os.execvpe(argv[0], argv, message["environment"])
    except BaseException as error:
        number = getattr(error, "errno", None) or errno.EINVAL
        os.write(report, f"{stage} {number}".encode())
    finally:
        os._exit(127)


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


def _open_log(path: str, stage: str) -> int:
    """Open a log for appending; nothing but a regular file or a device such as /dev/null."""
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
    try:
        log = os.open(path, flags, 0o600)
    except OSError as error:
        raise StartFailure(stage, error.errno or errno.EIO) from error
    mode = os.fstat(log).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISCHR(mode)):
        os.close(log)
        raise StartFailure(stage, errno.EINVAL)
    os.set_blocking(log, True)
    return log


def _cut_log(log: int) -> None:
    """Take the middle out of a long log. Its writers append, so they go on after it."""
    status = os.fstat(log)
    if not stat.S_ISREG(status.st_mode) or status.st_size <= LOG_LIMIT:
        return
    tail = os.pread(log, LOG_TAIL, status.st_size - LOG_TAIL)
    dropped = status.st_size - LOG_HEAD - LOG_TAIL
    os.ftruncate(log, LOG_HEAD)
    os.write(log, f"\n[... {dropped} bytes were dropped here ...]\n".encode() + tail)


def _wake_on_child_exit() -> int:
    """Return a descriptor that becomes readable when a child ended."""
    readable, writable = os.pipe()
    os.set_blocking(readable, False)
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return readable


def _watch_parent(runner: int) -> int | None:
    """Return a pidfd of the runner, None if it has gone already."""
    try:
        pidfd = os.pidfd_open(runner)
    except ProcessLookupError:
        return None
    return pidfd if os.getppid() == runner else None


def _signal_group(pid: int, number: int) -> None:
    """Signal a child that was not reaped yet, with its group if it leads one."""
    try:
        os.kill(-pid if os.getpgid(pid) == pid else pid, number)
    except OSError:
        return  # it ended meanwhile, or took on another user


def _run_undo(argv: list[str]) -> None:
    """Run a command; nobody is left to be told how it went."""
    import subprocess  # slow to import, and seldom needed

    try:
        subprocess.run(argv, timeout=UNDO_TIMEOUT)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return


def _start_time(pid: int) -> int:
    """Return field 22 of /proc/PID/stat; the name before it may hold any character."""
    with open(f"/proc/{pid}/stat", "rb") as status:
        return int(status.read().rpartition(b")")[2].split()[19])


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def main() -> None:
    """Serve the runner that is named on the command line."""
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    control = socket.socket(fileno=int(sys.argv[1]))
    os.set_inheritable(control.fileno(), False)
    # What the children leave behind comes to us and ends with the leash too.
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    os.umask(0o077)
    Supervisor(control, int(sys.argv[2])).serve()
