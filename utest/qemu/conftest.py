"""Real programs that the tests of this room talk to."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

# What would change the machine that the tests run on.
BLOCKED = (
    "guest-shutdown,guest-set-time,guest-suspend-disk,guest-suspend-ram,guest-suspend-hybrid,"
    "guest-fsfreeze-freeze,guest-fsfreeze-freeze-list,guest-fstrim,guest-set-user-password,"
    "guest-set-vcpus,guest-set-memory-blocks,guest-ssh-add-authorized-keys,"
    "guest-ssh-remove-authorized-keys"
)


# With systemd's socket activation the agent takes over a socket that listens already, so
# that nobody has to wait for it.
ACTIVATED = 'exec 3<&0 </dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"'


@pytest.fixture
def agent_socket(tmp_path: Path) -> Iterator[socket.socket]:
    """Yield a connection to a real qemu-ga that runs on this machine."""
    program = shutil.which("qemu-ga", path="/usr/sbin:/usr/bin:/sbin:/bin")
    assert program, "qemu-ga is missing: apt-get install qemu-guest-agent"
    argv = [program, "--method=unix-listen", f"--statedir={tmp_path}", "-b", BLOCKED]
    argv += [f"--pidfile={tmp_path}/qga.pid"]
    connection = socket.socket(socket.AF_UNIX)
    with socket.socket(socket.AF_UNIX) as listener, (tmp_path / "qga.log").open("w") as log:
        listener.bind(bytes(tmp_path / "qga.sock"))
        listener.listen(1)
        connection.connect(bytes(tmp_path / "qga.sock"))
        process = subprocess.Popen(
            ["/bin/sh", "-c", ACTIVATED, "sh", *argv], stdin=listener.fileno(), stderr=log
        )
    with connection:
        try:
            yield connection
        finally:
            process.kill()
            process.wait()


@dataclass(frozen=True)
class RunningQemu:
    """A real QEMU and our end of its monitor, to which nobody has spoken yet."""

    monitor: socket.socket
    process: subprocess.Popen[bytes]


@pytest.fixture
def start_qemu(tmp_path: Path) -> Iterator[Callable[..., RunningQemu]]:
    """Return what starts a real QEMU with these arguments; all are ended after the test."""
    started: list[RunningQemu] = []

    def start(*arguments: str) -> RunningQemu:
        ours, theirs = socket.socketpair()
        argv = ["qemu-system-x86_64", "-accel", "tcg", "-nodefaults", "-display", "none"]
        argv += ["-m", "32", "-chardev", f"socket,id=monitor,fd={theirs.fileno()}"]
        argv += ["-mon", "chardev=monitor,mode=control", *arguments]
        with theirs, (tmp_path / "stderr.log").open("ab") as stderr:
            process = subprocess.Popen(argv, pass_fds=[theirs.fileno()], stderr=stderr)
        started.append(RunningQemu(ours, process))
        return started[-1]

    yield start
    for qemu in started:
        qemu.process.kill()
        qemu.process.wait()
        qemu.monitor.close()
