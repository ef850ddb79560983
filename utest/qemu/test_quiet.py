"""Knowing when a guest is quiet, by what its processors' threads took."""

from __future__ import annotations

from typing import Any, cast

import pytest

from DtsVirtLibrary.host.protocol import Host
from DtsVirtLibrary.qemu.qmp.monitor import Monitor
from DtsVirtLibrary.qemu.templates import quiet

LOOK = 0.01
LOOK_NS = round(LOOK * 1e9)


class Processors:
    """A host on which each look finds that the two threads took so much more."""

    def __init__(self, *taken: int) -> None:
        self.taken = list(taken)
        self.looks = 0
        self.total = 0
        self.paths: set[str] = set()
        self.counted = True

    async def status(self, path: str) -> object:
        return object() if self.counted else None

    async def read_text(self, path: str) -> str:
        self.paths.add(path)
        if path.endswith("/21/schedstat"):
            self.looks += 1
            self.total += self.taken.pop(0) if self.taken else 0
            return f"0 {self.total} 5\n"
        return "1000 0 7\n"

    async def execute(self, command: str) -> Any:
        assert command == "query-cpus-fast"
        return [{"thread-id": 21}, {"thread-id": 22}]


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet, "LOOK_SECONDS", LOOK)


async def wait(processors: Processors) -> None:
    await quiet.wait_until_quiet(cast(Host, processors), cast(Monitor, processors), 17)


async def test_it_waits_while_a_processor_is_busy_or_wants_to_be() -> None:
    processors = Processors(0, LOOK_NS, LOOK_NS // 10, LOOK_NS // 100)
    await wait(processors)
    assert processors.looks == 4
    assert processors.paths == {f"/proc/17/task/{task}/schedstat" for task in (21, 22)}


async def test_it_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet, "PATIENCE", 5 * LOOK)
    processors = Processors(*[LOOK_NS] * 1000)
    await wait(processors)
    assert 2 <= processors.looks < 10


async def test_where_nobody_counts_it_does_not_wait() -> None:
    processors = Processors()
    processors.counted = False
    await wait(processors)
    assert processors.looks == 0
