"""What the library asks of the machine that a VM runs on.

Everything above this room reaches the machine (commands, processes, files, sockets,
sysfs) through :class:`Host` and through nothing else, so that a host reached over SSH
can stand in for the local one. All methods are coroutines that run on the library's
loop. Paths are paths *on that host*; they are not assumed to exist here.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import PurePath
from typing import Protocol

HostPath = str | PurePath


@dataclass(frozen=True)
class Completed:
    """A command that ended: its argv, exit code (negative: signal) and decoded output."""

    argv: tuple[str, ...]
    exit_code: int
    stdout: str
    stderr: str


class FileKind(Enum):
    """What stands at a path."""

    FILE = "file"
    DIRECTORY = "directory"
    SOCKET = "socket"
    BLOCK_DEVICE = "block device"
    CHARACTER_DEVICE = "character device"
    OTHER = "other"


@dataclass(frozen=True)
class FileStatus:
    """A path's kind, size in bytes, permission bits, owner and time of last change in ns."""

    kind: FileKind
    size: int
    mode: int
    uid: int
    modified_ns: int


@dataclass(frozen=True)
class ProcessIdentity:
    """What tells one process from every other: boot id, pid and start time (clock ticks)."""

    boot_id: str
    pid: int
    start_time: int


@dataclass(frozen=True)
class ProcessUser:
    """Whom a process runs as: numeric user, group, and all groups."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()


@dataclass(frozen=True)
class Spawn:
    """A long-lived process to start, owned by the library.

    It leads a session of its own. What it leaves behind, daemons too, ends when the host
    is closed or the runner dies. Logs that grow without end lose their middle.

    :ivar argv: program and arguments; no shell sees them.
    :ivar stdout: file for standard output, appended to; also for stderr if the same.
    :ivar stderr: file for standard error, appended to.
    :ivar logs: further files that it appends to, made empty before it starts.
    :ivar sockets: sockets the process inherits, by the descriptor number it sees. They are
        handed over: :meth:`Host.spawn` closes the runner's copies, whatever comes of it.
    :ivar terminal: descriptor of a terminal that is to be its standard input, output and
        error, and to control it; handed over as the sockets are. None for files.
    :ivar files: files that it inherits open for reading, by the descriptor number it sees;
        they are opened before it takes on its user.
    :ivar taps: names of tap interfaces that it inherits open, likewise.
    :ivar user: whom it runs as; None for the runner's user. Another one needs root.
    :ivar environment: the whole environment; None for a minimal one (PATH, HOME, LANG).
    :ivar directory: working directory; None for the runner's.
    :ivar remove: directory to remove if the runner dies. A directory that
        :meth:`Host.private_directory` made needs no mention.
    """

    argv: Sequence[str]
    stdout: HostPath
    stderr: HostPath
    logs: Sequence[HostPath] = ()
    sockets: Mapping[int, socket.socket] = field(default_factory=dict)
    files: Mapping[int, HostPath] = field(default_factory=dict)
    taps: Mapping[int, str] = field(default_factory=dict)
    user: ProcessUser | None = None
    environment: Mapping[str, str] | None = None
    directory: HostPath | None = None
    remove: HostPath | None = None
    terminal: int | None = None


class HostProcess(Protocol):
    """A process that :meth:`Host.spawn` started. It never outlives the runner."""

    @property
    def identity(self) -> ProcessIdentity:
        """Who it is."""

    @property
    def exit_code(self) -> int | None:
        """Exit code (negative: signal), None while it runs."""

    async def wait(self) -> int:
        """Wait until it ends and return its exit code (negative: signal)."""

    def send_signal(self, number: int) -> None:
        """Send a signal; nothing happens if it has ended."""

    async def state(self) -> str:
        """Return the kernel's letter for its state and what that means, empty if it is gone.

        Such as ``S (sleeping)``, ``T (stopped by a signal)`` or ``D (waiting in the kernel)``.
        """

    async def keep(self, directories: Iterable[HostPath] = ()) -> None:
        """Let it outlive the runner, on demand of the tester.

        The directories are removed, and what :meth:`Host.on_runner_death` was told is
        undone, when it has ended.

        :raises HostError: it cannot be kept any more.
        """


class Host(Protocol):
    """A machine that VMs run on."""

    @property
    def name(self) -> str:
        """Its name for messages: ``localhost``."""

    async def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        stdin: bytes | None = None,
        environment: Mapping[str, str] | None = None,
        directory: HostPath | None = None,
        check: bool = True,
    ) -> Completed:
        """Run a command to its end, killing it after `timeout` seconds.

        :param environment: variables added to the minimal environment.
        :param check: raise for an exit code other than 0.
        :raises CommandError: it cannot be run, took too long, or failed (with `check`);
            the text holds the command line, exit code and both outputs' tails.
        """

    async def spawn(self, spawn: Spawn) -> HostProcess:
        """Start a process that ends with the runner at the latest.

        If the wait is cancelled, the process is killed before it returns.

        :raises CommandError: the program cannot be executed.
        """

    async def on_runner_death(self, argv: Sequence[str]) -> str:
        """Register a command that takes back a change of the host; return a token for it.

        It runs if the runner dies, however it dies, or closes the host, before
        :meth:`forget` was called: after the processes have ended, the latest command
        first, each for 5 s at most. Register it before the change is made, and let it be
        harmless if there is nothing to take back.

        :raises HostError: nobody can stand by to run it.
        """

    async def forget(self, token: str) -> None:
        """Drop a command of :meth:`on_runner_death`; quiet if it is not there."""

    async def lock(self, path: HostPath, text: str, *, shared: bool = False) -> str | None:
        """Take a lock file for the runner, unless somebody else has it.

        It is freed by :meth:`unlock`, and when the runner has died and what it started has
        ended, processes that are kept included.

        :param text: who takes it, for others to read.
        :param shared: let others share it who say so too.
        :return: None, or the text of another holder.
        :raises HostError: it cannot be taken.
        """

    async def unlock(self, path: HostPath) -> None:
        """Free a lock file; quiet if it is not held."""

    async def which(self, program: str) -> str | None:
        """Return the absolute path of an executable found on PATH (or given), else None."""

    async def environment(self, variable: str) -> str | None:
        """Return a variable of the environment there."""

    async def user_id(self) -> int:
        """Return the numeric id of the user that commands run as."""

    async def status(self, path: HostPath, *, follow: bool = True) -> FileStatus | None:
        """Return what stands at `path`, None if nothing does (or it may not be seen)."""

    async def real_path(self, path: HostPath) -> str:
        """Return the absolute path with symbolic links resolved."""

    async def list_directory(self, path: HostPath) -> list[str]:
        """Return the sorted names in a directory; empty if there is none."""

    async def read_bytes(
        self, path: HostPath, *, offset: int = 0, limit: int | None = None
    ) -> bytes:
        """Return a file's bytes from `offset` (negative: from its end), at most `limit`.

        :raises HostError: it cannot be read.
        """

    async def read_text(self, path: HostPath) -> str:
        """Return a file's text (UTF-8, undecodable bytes replaced).

        :raises HostError: it cannot be read.
        """

    async def write_bytes(self, path: HostPath, data: bytes, *, mode: int = 0o600) -> None:
        """Write a file so that it appears whole or not at all.

        :param mode: its rights, less those that the umask takes.
        :raises HostError: it cannot be written (with the free space where that is why).
        """

    async def write_control(self, path: HostPath, text: str) -> None:
        """Write to an existing control file (sysfs, procfs), in place.

        :raises HostError: the kernel refused it.
        """

    async def make_directory(self, path: HostPath, *, mode: int = 0o755) -> None:
        """Make a directory, and those above it that are missing; quiet if it is there.

        :param mode: rights on all that are made, as far as the umask lets them.

        :raises HostError: it cannot be made.
        """

    async def private_directory(self, purpose: str) -> str:
        """Make a new directory of our own, mode 0700, with a short unguessable name.

        Short because a UNIX socket's path holds at most 107 bytes: 60 are left for a
        slash and a name. It is removed if the runner dies; a runner that lives removes it
        itself, also one that closes the host.

        :raises HostError: none can be made.
        :raises SecurityError: the directory above it belongs to somebody else.
        """

    async def passing_directory(self, path: HostPath) -> None:
        """Make a directory of mode 0700, which is removed if the runner dies or closes.

        One that was renamed meanwhile stays under its new name. A runner that lives removes
        it itself.

        :raises HostError: it cannot be made.
        """

    async def sweep(self) -> list[str]:
        """Remove the private directories of runs that are dead; return their paths."""

    async def remove(self, path: HostPath) -> None:
        """Remove a file, or a directory with all in it; quiet if there is none."""

    async def rename(self, old: HostPath, new: HostPath) -> None:
        """Rename within one file system, replacing `new` in one step."""

    async def link(self, old: HostPath, new: HostPath) -> None:
        """Give a file a second name within one file system; it stays as long as it has one."""

    async def free_space(self, path: HostPath) -> int:
        """Return the bytes free to us on the file system of `path`."""

    async def file_system(self, path: HostPath) -> str:
        """Return the file system's type there, as mount(8) names it (``hugetlbfs``, ...)."""

    async def set_affinity(self, thread_id: int, cpus: Sequence[int]) -> None:
        """Pin a thread to host CPUs.

        :raises HostError: there is no such thread or CPU.
        """

    async def affinity(self, thread_id: int) -> tuple[int, ...]:
        """Return the host CPUs that a thread may run on, sorted."""

    async def close(self) -> None:
        """End every process that this host object started. Quiet the second time."""
