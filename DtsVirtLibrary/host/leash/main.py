"""Serving the runner, and what happens once it is gone."""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]
import _socket as socket
import errno
import marshal
import os
import select
import sys
import time

# By short names: this package is imported as `leash`, without the library around it.
from .child import StartFailure, adopt_orphans, start, start_time  # noqa: TID252
from .locks import Locks  # noqa: TID252
from .logs import cut_log, open_log  # noqa: TID252
from .notebook import Notebook  # noqa: TID252

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE)
MESSAGE_LIMIT = 1 << 20
DESCRIPTOR_LIMIT = 253  # the kernel's SCM_MAX_FD

# The children get this long, in seconds, to end by SIGTERM, and then by SIGKILL.
TERMINATE_GRACE = 0.5
KILL_GRACE = 1.0
UNDO_TIMEOUT = 5.0

LOG_INTERVAL = 0.25


class Child:
    """A child that runs, and the log files that are watched for it."""

    def __init__(self, number: int, logs: list[int]) -> None:
        self.number = number
        self.logs = logs
        self.kept = False


class Supervisor:
    """Serve the runner until it closes the leash, then end everything."""

    def __init__(self, control: socket.socket, runner: int) -> None:
        self.control = control
        self.children: dict[int, Child] = {}
        self.directories: list[str] = []
        self.kept_directories: list[str] = []
        self.undo: dict[str, list[str]] = {}
        self.notebook: Notebook | None = None
        self.locks = Locks()
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
            _remove(set(self.directories) - set(self.kept_directories))
        self.stay_with_the_kept()
        for token, argv in reversed(list(self.undo.items())):
            self.strike(token)
            _run_undo(argv)

    def stay_with_the_kept(self) -> None:
        """Wait for the children that outlive the runner; what was done for them is undone then."""
        if any(child.kept for child in self.children.values()):
            self.control.close()  # tells a runner that closes: the others have ended
        while any(child.kept for child in self.children.values()):
            self.wait(LOG_INTERVAL)
            self.check_logs()
        _remove(self.kept_directories)

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
        elif action == "keep":
            for child in self.children.values():
                if child.number == message["id"]:
                    child.kept = True
                    self.kept_directories += message["directories"]
        elif action == "remove":
            self.directories.append(message["path"])
        elif action == "notebook":
            self.notebook = Notebook(message["path"], message["mark"])
        elif action == "undo":
            self.undo[message["id"]] = message["argv"]
            if self.notebook is not None:
                self.notebook.note(message["id"], message["argv"])
            self.send({"noted": message["id"]})
        elif action == "forget":
            self.undo.pop(message["id"], None)
            self.strike(message["id"])
        elif action in ("lock", "unlock"):
            self.lock(message)
        elif action == "close":
            self.runner_removes = True
            self.leashed = False

    def strike(self, token: str) -> None:
        """Strike a command out of the notebook, if there is one."""
        if self.notebook is not None:
            self.notebook.strike(token)

    def spawn(self, message: dict[str, Any], sockets: list[int]) -> None:
        """Start a child and tell the runner how that went."""
        number = message["id"]
        logs: list[int] = []
        try:
            self.open_logs(message, logs)
            if len(sockets) != len(message["numbers"]):  # the kernel cut them off
                raise StartFailure("descriptors", errno.EMFILE)
            wanted = zip(message["numbers"], sockets, strict=True)
            both = 1 if message["stderr"] == message["stdout"] else 2
            inherited = {1: logs[0], 2: logs[both - 1], **dict(wanted)}
            pid = start(message, inherited)
        except StartFailure as failure:
            _close(logs)
            self.send({"failed": number, "stage": failure.stage, "errno": failure.number})
            return
        self.children[pid] = Child(number, logs)
        pidfd = os.pidfd_open(pid)
        self.send({"started": number, "pid": pid, "start_time": start_time(pid)}, [pidfd])
        os.close(pidfd)

    def lock(self, message: dict[str, Any]) -> None:
        """Take a lock, or free it, and tell the runner whose it is."""
        holder, number = None, 0
        try:
            if message["do"] == "unlock":
                self.locks.free(message["path"])
            else:
                holder = self.locks.take(message["path"], message["text"], message["shared"])
        except OSError as error:
            number = error.errno or errno.EIO
        self.send({"locked": message["path"], "holder": holder, "errno": number})

    def open_logs(self, message: dict[str, Any], logs: list[int]) -> None:
        """Open a child's logs, one file once, and put them into `logs`."""
        for stage in ("stdout", "stderr"):
            if stage == "stdout" or message["stderr"] != message["stdout"]:
                try:
                    logs.append(open_log(message[stage]))
                except OSError as error:
                    raise StartFailure(stage, error.errno or errno.EIO) from error
        for path in message["logs"]:
            try:
                logs.append(open_log(path))
            except OSError as error:
                raise StartFailure("logs", error.errno or errno.EIO) from error

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
        """End the children that are not kept, gently first, and whatever they left to us."""
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
        """Return the children that are not kept, with those of others that came to us."""
        try:
            with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as children:
                found = [int(pid) for pid in children.read().split()]
        except OSError:  # a kernel without CONFIG_PROC_CHILDREN
            found = list(self.children)
        kept = {pid for pid, child in self.children.items() if child.kept}
        return [pid for pid in found if pid not in kept]

    def check_logs(self) -> None:
        """Cut the logs that have grown too long."""
        if time.monotonic() < self.next_log_check:
            return
        self.next_log_check = time.monotonic() + LOG_INTERVAL
        for child in self.children.values():
            for log in child.logs:
                try:
                    cut_log(log)
                except OSError:
                    continue  # its disk is full, or gone


def _remove(directories: Iterable[str]) -> None:
    """Remove what the runner could not remove any more."""
    import shutil  # slow to import, and seldom needed

    for path in directories:
        shutil.rmtree(path, ignore_errors=True)


def _receive_packet(control: socket.socket) -> tuple[bytes, list[int]]:
    """Return a packet and its descriptors, which no program is to inherit."""
    flags = socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC
    room = socket.CMSG_SPACE(4 * DESCRIPTOR_LIMIT)
    data, ancillary, _, _ = control.recvmsg(MESSAGE_LIMIT, room, flags)
    return data, [fd for _, _, raw in ancillary for fd in memoryview(raw).cast("i")]


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


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def main() -> None:
    """Serve the runner that is named on the command line."""
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    control = socket.socket(fileno=int(sys.argv[1]))
    os.set_inheritable(control.fileno(), False)
    adopt_orphans()
    os.umask(0o077)
    Supervisor(control, int(sys.argv[2])).serve()
