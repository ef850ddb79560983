"""What the tests that change the real machine share."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.host.protocol import Completed, HostPath

DEADLINE = 20.0
RUNNER = """
import asyncio, os, sys
from DtsVirtLibrary.host import hugepages, network
from DtsVirtLibrary.host.local import LocalHost

async def main():
    host = LocalHost()
    made = []
    {body}
    task = "/proc/self/task/%d/children" % os.getpid()
    print("ready", open(task).read().split()[0], *made, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def need_root() -> None:
    """Leave a test that changes the machine to root, who must not leave it out in CI."""
    if os.geteuid() != 0:
        reason = "needs root: it makes real interfaces and hugepages of this machine"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


def killed_runner(body: str) -> list[str]:
    """Run `body` with a host in another process, kill that, and wait for its supervisor.

    :returns: what `body` put in the list ``made``.
    """
    with subprocess.Popen(
        [sys.executable, "-c", RUNNER.format(body=body)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as runner:
        assert runner.stdout is not None
        word, supervisor, *made = runner.stdout.readline().split()
        assert word == "ready"
        descriptor = os.pidfd_open(int(supervisor))
        runner.send_signal(signal.SIGKILL)
    try:
        ended, _, _ = select.select([descriptor], [], [], DEADLINE)
        assert ended, f"the supervisor did not end within {DEADLINE} s"
    finally:
        os.close(descriptor)
    return made


class OrdinaryUser(LocalHost):
    """The local host, on which every command runs as the user nobody."""

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
        """Run a command without any right, also where root runs the tests."""
        drop = "setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all"
        return await super().run(
            [*(drop.split() if os.geteuid() == 0 else ()), *argv],
            timeout=timeout,
            stdin=stdin,
            environment=environment,
            directory=directory,
            check=check,
        )
