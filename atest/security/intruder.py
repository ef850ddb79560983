"""What another user of the host may try on a running VM: reads facts as JSON, tells what worked.

Run it as that user, with an interpreter that the user may run; it needs the standard library
only. Each attempt has a name; standard output is a JSON object: ``tried`` has the names of
all, ``worked`` the names of those that succeeded, with a word on how.

The facts: ``directories`` and ``files`` that belong to the VM, ``sockets`` (paths),
``processes`` (numbers), ``secrets`` that no command line may hold, and ``gentle``, which
leaves out what would end the VM if it worked.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Iterator

LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE_ATTACH, PTRACE_DETACH = 16, 17
PIDFD_GETFD = 438
WORD = 8

Attempt = tuple[str, Callable[[], object]]


def attempts_on_directory(path: str, gentle: bool) -> Iterator[Attempt]:
    """Yield what can be tried on a directory."""
    mine = f"{path}/intruder"
    yield f"list {path}", lambda: os.listdir(path)
    yield f"enter {path}", lambda: os.chdir(path)
    yield f"make a file in {path}", lambda: _make(mine)
    yield f"make a link in {path}", lambda: _linked(os.symlink, "/etc/passwd", mine)
    if not gentle:
        yield f"open {path} to all", lambda: os.chmod(path, 0o777)
        yield f"move {path}", lambda: os.rename(path, f"{path}-moved")
        yield f"remove {path}", lambda: os.rmdir(path)


def attempts_on_file(path: str, gentle: bool) -> Iterator[Attempt]:
    """Yield what can be tried on a file."""
    yield f"read {path}", lambda: _opened(path, os.O_RDONLY | os.O_NONBLOCK)
    yield f"write to {path}", lambda: _opened(path, os.O_WRONLY | os.O_NONBLOCK)
    yield f"lock {path}", lambda: _locked(path)
    yield f"take a hard link to {path}", lambda: _linked(os.link, path, "/tmp/intruder-link")
    if not gentle:
        yield f"open {path} to all", lambda: os.chmod(path, 0o666)
        yield f"replace {path}", lambda: os.rename(path, f"{path}-old")
        yield f"remove {path}", lambda: os.unlink(path)


def attempts_on_process(pid: int, secrets: list[str], gentle: bool) -> Iterator[Attempt]:
    """Yield what can be tried on a process."""
    for name in ("environ", "maps", "mem", "auxv", "stack"):
        yield f"read /proc/{pid}/{name}", lambda name=name: _read(f"/proc/{pid}/{name}")
    for name in ("fd", "cwd", "root", "map_files"):
        yield f"look into /proc/{pid}/{name}", lambda name=name: os.listdir(f"/proc/{pid}/{name}/")
    yield f"write to the memory of {pid}", lambda: _opened(f"/proc/{pid}/mem", os.O_WRONLY)
    yield f"trace {pid}", lambda: _trace(pid)
    yield f"take a descriptor of {pid}", lambda: _descriptor_of(pid)
    yield f"find a secret in the command line of {pid}", lambda: _secret(pid, secrets)
    yield f"read the memory of {pid} by a call", lambda: _read_memory(pid)
    yield f"enter the namespaces of {pid}", lambda: _opened(f"/proc/{pid}/ns/net", os.O_RDONLY)
    yield (
        f"let the kernel kill {pid} first",
        lambda: _opened(f"/proc/{pid}/oom_score_adj", os.O_WRONLY),
    )
    yield f"have {pid} dump all", lambda: _opened(f"/proc/{pid}/coredump_filter", os.O_WRONLY)
    yield f"signal {pid} by its descriptor", lambda: _signal_by_descriptor(pid)
    yield f"set a limit of {pid}", lambda: _set_limit(pid)
    yield f"move {pid} to other processors", lambda: _set_affinity(pid)
    yield f"change the priority of {pid}", lambda: _set_priority(pid)
    yield f"signal {pid}", lambda: os.kill(pid, 0)
    if not gentle:
        for name in ("SIGSTOP", "SIGTERM", "SIGKILL"):
            yield f"send {name} to {pid}", lambda name=name: os.kill(pid, signal.Signals[name])


def _make(path: str) -> None:
    _opened(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    os.unlink(path)


def _opened(path: str, flags: int) -> None:
    os.close(os.open(path, flags))


def _linked(how: Callable[[str, str], None], target: str, path: str) -> None:
    how(target, path)
    os.unlink(path)


def _read(path: str) -> None:
    """Open a file and read it, for which procfs may ask again; where memory is, need not work."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        if not path.endswith("/mem"):
            os.read(descriptor, 1)
    finally:
        os.close(descriptor)


def _locked(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        pass  # it could have been waited for
    finally:
        os.close(descriptor)


def _trace(pid: int) -> None:
    if LIBC.ptrace(PTRACE_ATTACH, pid, None, None) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")
    os.waitpid(pid, 0)
    LIBC.ptrace(PTRACE_DETACH, pid, None, None)


def _descriptor_of(pid: int) -> None:
    pidfd = os.pidfd_open(pid)
    try:
        taken = LIBC.syscall(PIDFD_GETFD, pidfd, 2, 0)
        if taken < 0:
            raise OSError(ctypes.get_errno(), "pidfd_getfd")
        os.close(taken)
    finally:
        os.close(pidfd)


def _read_memory(pid: int) -> None:
    local = ctypes.create_string_buffer(WORD)
    vectors = (ctypes.c_size_t * 4)(ctypes.addressof(local), WORD, WORD, WORD)
    there = ctypes.byref(vectors, 2 * ctypes.sizeof(ctypes.c_size_t))
    read = LIBC.process_vm_readv(pid, vectors, 1, there, 1, 0)
    # Nothing lies at that address; who is told so was let in.
    if read < 0 and ctypes.get_errno() != errno.EFAULT:
        raise OSError(ctypes.get_errno(), "process_vm_readv")


def _signal_by_descriptor(pid: int) -> None:
    pidfd = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(pidfd, 0)
    finally:
        os.close(pidfd)


def _secret(pid: int, secrets: list[str]) -> None:
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        line = file.read()
    if not any(secret.encode() in line for secret in secrets):
        raise PermissionError("none is there")


def _set_limit(pid: int) -> None:
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)


def _set_affinity(pid: int) -> None:
    os.sched_setaffinity(pid, os.sched_getaffinity(pid))


def _set_priority(pid: int) -> None:
    os.setpriority(os.PRIO_PROCESS, pid, os.getpriority(os.PRIO_PROCESS, pid))


def _connect(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(path)


def all_attempts(facts: dict[str, list[str]], gentle: bool) -> Iterator[Attempt]:
    """Yield every attempt; what would end the VM comes last."""
    for path in facts["files"]:
        yield from attempts_on_file(path, gentle)
    for path in facts["sockets"]:
        yield f"connect to {path}", lambda path=path: _connect(path)
    for path in facts["directories"]:
        yield from attempts_on_directory(path, gentle)
    for pid in map(int, facts["processes"]):
        yield from attempts_on_process(pid, facts["secrets"], gentle)


def main() -> None:
    """Try everything and tell what worked."""
    facts = json.load(sys.stdin)
    tried, worked = [], {}
    for name, attempt in all_attempts(facts, bool(facts["gentle"])):
        tried.append(name)
        try:
            result = attempt()
        except OSError:
            continue
        worked[name] = repr(result)[:100]
    json.dump({"tried": tried, "worked": worked}, sys.stdout)


if __name__ == "__main__":
    main()
