"""What control groups and the host tell of kills for want of memory."""

from __future__ import annotations

import os

import pytest

from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.host.memory import MemoryKills, memory_group, memory_kills
from DtsVirtLibrary.host.protocol import HostPath

VERSION_1 = "/sys/fs/cgroup/memory/a/b/memory.oom_control"
VERSION_2 = "/sys/fs/cgroup/a.scope/memory.events"


class HostOfFiles(LocalHost):
    """The local host with other files."""

    def __init__(self, **files: str) -> None:
        super().__init__()
        self.files = files

    async def read_text(self, path: HostPath) -> str:
        """Return a file's text."""
        try:
            return self.files[str(path)]
        except KeyError:
            raise HostError(f"{path} is not there") from None


@pytest.mark.parametrize(
    ("groups", "counter"),
    [
        ("8:pids:/\n4:cpu,memory:/a/b\n0::/\n", VERSION_1),
        ("0::/a.scope\n", VERSION_2),
        ("4:memory:/elsewhere\n0::/elsewhere\n", None),
        ("", None),
    ],
)
async def test_the_group_is_where_the_process_is(groups: str, counter: str | None) -> None:
    files = {VERSION_1: "under_oom 0\noom_kill 2\n", VERSION_2: "oom 7\noom_kill 2\n"}
    host = HostOfFiles(**files, **{"/proc/7/cgroup": groups, "/proc/vmstat": "oom_kill 9\n"})
    assert await memory_group(host, 7) == counter
    assert await memory_kills(host, counter) == MemoryKills(9, 2 if counter else None)


async def test_a_process_that_is_gone_and_a_host_that_does_not_tell() -> None:
    host = HostOfFiles()
    assert await memory_group(host, 7) is None
    assert await memory_kills(host, VERSION_1) == MemoryKills(0, None)


async def test_this_host_counts() -> None:
    host = LocalHost()
    group = await memory_group(host, os.getpid())
    found = await memory_kills(host, group)
    assert found.since(found) == MemoryKills(0, None if found.group is None else 0)
    assert (found.group is None) == (group is None)


def test_a_group_that_does_not_tell_any_more_is_unknown() -> None:
    assert MemoryKills(3, None).since(MemoryKills(2, 1)) == MemoryKills(1, None)
