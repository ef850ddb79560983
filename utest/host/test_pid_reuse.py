"""The number of a process that has ended is somebody else's: that one is left alone.

In a namespace of its own, where the next number can be chosen.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from utest.host.acting import need_root

ROOT = Path(__file__).parents[2]
SCRIPT = """
import asyncio, os, signal, subprocess, sys, tempfile

os.environ["XDG_RUNTIME_DIR"] = base = tempfile.mkdtemp(dir="/tmp")

from DtsVirtLibrary.host import private
from DtsVirtLibrary.host.identity import is_alive
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.host.protocol import Spawn
from DtsVirtLibrary.host.sweep import sweep

def reuse(pid):
    "Return another process with this number."
    for _ in range(100):
        with open("/proc/sys/kernel/ns_last_pid", "w") as last:
            last.write(str(pid - 1))
        process = subprocess.Popen(["sleep", "1000"])
        if process.pid == pid:
            return process
        process.kill()
        process.wait()
    raise AssertionError("the number was not given again")

async def main():
    host = LocalHost()
    process = await host.spawn(Spawn(["sleep", "1000"], "/dev/null", "/dev/null"))
    directory = await host.private_directory("kept")
    private.mark(directory, process.identity)
    assert is_alive(process.identity)
    assert sweep() == [], "its owner lives"
    process.send_signal(signal.SIGKILL)
    await process.wait()
    # The clock of start times has 100 ticks a second.
    await asyncio.sleep(0.05)
    innocent = reuse(process.identity.pid)
    assert not is_alive(process.identity)
    process.send_signal(signal.SIGKILL)
    assert await process.state() == ""
    assert sweep() == [directory], "its owner is dead"
    await host.close()
    assert innocent.poll() is None, "it was signalled"
    innocent.kill()
    innocent.wait()
    print("left alone")

try:
    asyncio.run(main())
finally:
    import shutil
    shutil.rmtree(base)
"""


@pytest.mark.fault(74)
def test_who_has_the_number_now_is_left_alone() -> None:
    need_root()
    done = subprocess.run(
        [
            "unshare",
            "--pid",
            "--fork",
            "--mount-proc",
            "--kill-child",
            sys.executable,
            "-c",
            SCRIPT,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout == "left alone\n", done.stderr
