"""The local host as a whole: what it is, threads on CPUs, an ordinary user."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.host.protocol import Host
from utest.host.supervised import NOBODY, ROOT, runner

HOST: Host = LocalHost()


async def test_what_it_says_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_VARIABLE", "value")
    assert HOST.name == "localhost"
    assert await HOST.user_id() == os.geteuid()
    assert await HOST.environment("SOME_VARIABLE") == "value"
    assert await HOST.environment("NO_SUCH_VARIABLE") is None


async def test_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")  # the system's directories are searched all the same
    found = await HOST.which("sh")
    assert found is not None
    assert os.access(found, os.X_OK)
    assert await HOST.which("no-such-program") is None
    (tmp_path / "program").write_text("")
    assert await HOST.which(str(tmp_path / "program")) is None
    (tmp_path / "program").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    assert await HOST.which("./program") == str(tmp_path / "program")


async def test_thread_is_pinned() -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait, name="to be pinned")
    thread.start()  # returns when it runs
    try:
        assert thread.native_id is not None
        cpus = await HOST.affinity(thread.native_id)
        await HOST.set_affinity(thread.native_id, [cpus[-1]])
        assert await HOST.affinity(thread.native_id) == (cpus[-1],)
        assert await HOST.affinity(threading.get_native_id()) == cpus
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("cpus", [[4000], [], [-1]])
async def test_cpu_that_is_not_there(cpus: list[int]) -> None:
    thread = threading.get_native_id()
    with pytest.raises(HostError, match=rf"Cannot pin thread {thread} to .* has the CPUs 0"):
        await HOST.set_affinity(thread, cpus)


async def test_thread_that_is_not_there() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    with pytest.raises(HostError, match=f"There is no thread {ended.pid}"):
        await HOST.set_affinity(ended.pid, [0])
    with pytest.raises(HostError, match=f"There is no thread {ended.pid}"):
        await HOST.affinity(ended.pid)


def test_import_loads_nothing_heavy() -> None:
    script = (
        "import asyncio, sys; before = set(sys.modules)\n"
        "import DtsVirtLibrary.host.supervisor, DtsVirtLibrary.host.local\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    # The package itself may load what it likes: an empty one stands in for it.
    stand_in = (
        "import sys, types; package = types.ModuleType('DtsVirtLibrary')\n"
        "package.__path__ = ['DtsVirtLibrary']; sys.modules['DtsVirtLibrary'] = package\n"
    )
    loaded = subprocess.check_output(
        [sys.executable, "-c", stand_in + script], cwd=ROOT, text=True
    ).split()
    heavy = {"shutil", "tempfile", "ctypes", "robot", "yaml", "qemu", "multiprocessing"}
    assert heavy & {name.partition(".")[0] for name in loaded} == set()


def test_ordinary_user_can_do_everything_here() -> None:
    with runner("everything", ordinary=True) as run:
        said = run.said()
        uid = os.geteuid() or NOBODY
        assert said["uid"] == uid
        assert said["exit_code"] == 0
        assert said["spawned"] == said["ran"] == f"{uid}\n"
        assert Path(said["directory"]).parent == run.base
        assert "Permission denied (as user " in said["refusal"]
        assert f"({uid}))." in said["refusal"]
        assert run.process.wait() == 0
        assert os.listdir(run.base) == []
