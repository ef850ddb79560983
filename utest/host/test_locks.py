"""Lock files are held for the runner, and freed with it."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.host.protocol import Spawn
from utest.host.supervised import QUIET, supervisor_pid, within


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lock"


async def test_a_lock_is_held_by_one_and_tells_the_others_who(host: LocalHost, path: Path) -> None:
    other = LocalHost()
    assert await host.lock(path, "mine") is None
    assert path.stat().st_mode & 0o777 == 0o600
    assert await other.lock(path, "theirs") == "mine"
    assert await other.lock(path, "theirs", shared=True) == "mine"
    await host.unlock(path)
    assert await other.lock(path, "theirs") is None
    assert path.read_text() == "theirs"
    await within(other.close())


async def test_those_who_read_share_it(host: LocalHost, path: Path) -> None:
    other = LocalHost()
    assert await host.lock(path, "one", shared=True) is None
    assert await other.lock(path, "two", shared=True) is None
    await host.unlock(path)
    assert path.exists(), "the other holds it"
    assert await host.lock(path, "three") == "two"
    await within(other.close())
    assert await host.lock(path, "three") is None


async def test_nothing_is_left_of_it(host: LocalHost, path: Path) -> None:
    await host.lock(path, "mine")
    await host.unlock(path)
    await host.unlock(path)
    assert not path.exists()


async def test_a_lock_of_the_dead_is_taken_over(host: LocalHost, path: Path) -> None:
    dying = LocalHost()
    await dying.lock(path, "of the dead")
    os.kill(supervisor_pid(dying), signal.SIGKILL)
    await within(dying.close())
    assert path.read_text() == "of the dead"
    assert await host.lock(path, "mine") is None
    assert path.read_text() == "mine"


async def test_a_lock_stays_with_what_is_kept(host: LocalHost, path: Path) -> None:
    leaving = LocalHost()
    await leaving.lock(path, "of the kept")
    kept = await leaving.spawn(Spawn(["sleep", "1000"], QUIET, QUIET))
    pid = kept.identity.pid
    await kept.keep()
    await within(leaving.close())
    assert await host.lock(path, "mine") == "of the kept"
    os.kill(pid, signal.SIGKILL)
    while await host.lock(path, "mine") is not None:
        await asyncio.sleep(0.01)


async def test_a_link_is_not_followed(host: LocalHost, path: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    path.symlink_to(victim)
    with pytest.raises(HostError, match=r"Cannot take the lock '.*/lock': Too many levels"):
        await host.lock(path, "mine")
    assert victim.read_text() == "precious"
