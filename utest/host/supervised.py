"""What the tests of the supervisor share: real runners, their traces, deadlines."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from DtsVirtLibrary.host.local import LocalHost

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 30.0
NOBODY = 65534
QUIET = "/dev/null"


async def within(awaitable: Awaitable[T]) -> T:
    """Await with a deadline that only a hang can pass."""
    return await asyncio.wait_for(awaitable, DEADLINE)


async def swept(host: LocalHost, base: Path) -> list[str]:
    """Sweep, and return what was removed of ours; others may have left something too."""
    return [path for path in await host.sweep() if path.startswith(f"{base}/")]


def supervisor_pid(host: LocalHost) -> int:
    """Return the process id of the supervisor that stands by."""
    assert host._supervisor is not None
    return host._supervisor.pid


def children_of(pid: int) -> list[int]:
    """Return the children of a single-threaded process."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def processes_with(token: str) -> list[int]:
    """Return the processes with a token in their arguments or environment, but no zombies."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            text = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:  # it has ended meanwhile, or is not ours
            continue
        if token.encode() in text:
            found.append(int(process.name))
    return found


def as_ordinary_user(argv: Sequence[str]) -> list[str]:
    """Return a command line that runs `argv` without root's rights.

    It keeps the right to read any file, for a Python that is installed in root's home.
    """
    if os.geteuid() != 0:
        return list(argv)
    rights = "-all,+dac_read_search"
    user = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    return ["setpriv", *user, f"--inh-caps={rights}", f"--ambient-caps={rights}", *argv]


def runner_command(scene: str, *arguments: str) -> list[str]:
    """Return the command line of a real runner that plays a scene of runner.py."""
    return [sys.executable, "-m", "utest.host.runner", scene, *arguments]


@dataclass
class Runner:
    """A runner in a process of its own, and where it leaves its traces.

    :ivar token: stands in the arguments or environment of each process that it starts.
    :ivar base: directory in which it makes its private ones.
    """

    process: subprocess.Popen[str]
    token: str
    base: Path

    def said(self) -> dict[str, Any]:
        """Return the next thing that it says."""
        assert self.process.stdout is not None
        assert select.select([self.process.stdout], [], [], DEADLINE)[0], "the runner is silent"
        message: dict[str, Any] = json.loads(self.process.stdout.readline())
        return message

    def say(self, line: str) -> None:
        """Let it go on."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")


@contextmanager
def runner(scene: str, *arguments: str, ordinary: bool = False) -> Iterator[Runner]:
    """Start a runner that plays a scene; nothing of it is left at the end."""
    token = f"token-{secrets.token_hex(8)}"
    base = Path(tempfile.mkdtemp(dir="/tmp"))
    command = runner_command(scene, token, *arguments)
    if ordinary and os.geteuid() == 0:
        os.chown(base, NOBODY, NOBODY)
        command = as_ordinary_user(command)
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        cwd=ROOT,
        env={**os.environ, "XDG_RUNTIME_DIR": str(base)},
    )
    try:
        yield Runner(process, token, base)
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            stream.close()
        for pid in processes_with(token):
            os.kill(pid, 9)
        shutil.rmtree(base, ignore_errors=True)


def wait_for_end(pidfd: int) -> None:
    """Wait until a process has ended, and close its pidfd."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    ended = poll.poll(DEADLINE * 1000)
    os.close(pidfd)
    assert ended, "the process did not end"
