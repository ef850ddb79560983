"""No descriptor, process or memory is left: an error that names the limit, and nothing remains.

Each case runs in a process of its own, which alone meets the limit.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from utest.host.supervised import as_ordinary_user

ROOT = Path(__file__).parents[2]
PREAMBLE = """
import asyncio, os, resource, sys
from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.host.protocol import Spawn
from DtsVirtLibrary.host.sockets import connected_sockets

QUIET = "/dev/null"

def fill(free):
    "Leave so many descriptors."
    held = []
    try:
        while True:
            held.append(os.open(QUIET, os.O_RDONLY))
    except OSError:
        for number in held[len(held) - free:]:
            os.close(number)

async def told(work):
    try:
        await work
    except HostError as error:
        print(str(error).replace(chr(10), " | "), flush=True)
    else:
        print("it worked", flush=True)
"""
FILES = """
async def main():
    host = LocalHost()
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
    await asyncio.sleep(0)
    fill({free})
    await told(host.spawn(Spawn(["true"], QUIET, QUIET)))
    await host.close()

asyncio.run(main())
"""
SOCKETS = """
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
fill(1)
async def main(): connected_sockets()
loop_free = main()
try:
    loop_free.send(None)
except HostError as error:
    print(str(error).replace(chr(10), " | "))
"""
PROCESSES = """
async def main():
    host = LocalHost()
    # The supervisor is there; it, too, has the limit.
    process = await host.spawn(Spawn(["sleep", "1000"], QUIET, QUIET))
    resource.prlimit(host._supervisor.pid, resource.RLIMIT_NPROC, (2, 2))
    await told(host.spawn(Spawn(["true"], QUIET, QUIET)))
    await host.close()

asyncio.run(main())
"""


def said(script: str, *, ordinary: bool = False) -> str:
    argv = [sys.executable, "-c", PREAMBLE + script]
    done = subprocess.run(
        as_ordinary_user(argv) if ordinary else argv,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.fault(78)
@pytest.mark.parametrize("free", range(7))
def test_no_descriptor_is_left_for_the_supervisor(free: int) -> None:
    text = said(FILES.format(free=free))
    if free == 0:
        assert text.startswith("Cannot start the supervisor of child processes: Too many open")
    if "it worked" not in text:
        assert "This process may have 100 files open. Raise that limit (ulimit -n)." in text


@pytest.mark.fault(78)
def test_no_descriptor_is_left_for_a_channel() -> None:
    text = said(SOCKETS)
    assert text.startswith("Cannot make a pair of sockets: Too many open files.")
    assert "100 files" in text


@pytest.mark.fault(78)
def test_no_process_is_left() -> None:
    text = said(PROCESSES, ordinary=True)
    assert "Cannot start 'true': no new process can be made: Resource temporarily" in text
    assert "may have" in text
    assert "processes and threads" in text
