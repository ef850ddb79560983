"""Who may start VMs: claims, waiting for others, and what is never to be had."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.host.admission import CLAIM, MEMORY, RESERVE_MIB, Need, admitted
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.host.protocol import HostPath
from DtsVirtLibrary.loop import Deadline

TOTAL_MIB = 8192
PATIENCE = 30.0


class SmallHost(LocalHost):
    """The local host with a memory of its own.

    :ivar available: MiB to be had now.
    """

    def __init__(self) -> None:
        super().__init__()
        self.available = 1000 + RESERVE_MIB

    async def read_text(self, path: HostPath) -> str:
        if path == MEMORY:
            return (
                f"MemTotal: {TOTAL_MIB << 10} kB\nMemAvailable: {self.available << 10} kB\n"
                "Hugepagesize: 2048 kB\n"
            )
        return await super().read_text(path)


@pytest.fixture
async def small() -> AsyncIterator[SmallHost]:
    host = SmallHost()
    yield host
    await host.close()


def claims(base: Path) -> list[Path]:
    """Return the claims that lie there."""
    return list(base.glob(f"*/{CLAIM}"))


async def refused(host: SmallHost, need: Need, seconds: float = 0.0) -> str:
    """Ask for what is not to be had and return the message."""
    with pytest.raises(HostError) as caught:
        async with admitted(host, need, Deadline(seconds), lambda _: None):
            pass
    return caught.value.summary


async def test_what_is_free_can_be_had_and_the_claim_ends(small: SmallHost, base: Path) -> None:
    async with admitted(small, Need(1000), Deadline(0), pytest.fail):
        assert len(claims(base)) == 1
    assert list(base.iterdir()) == []


async def test_what_others_are_starting_is_not_free(small: SmallHost, base: Path) -> None:
    other = SmallHost()
    async with admitted(other, Need(600), Deadline(0), pytest.fail):
        words = await refused(small, Need(401))
        async with admitted(small, Need(400), Deadline(0), pytest.fail):
            pass
    await other.close()
    assert words == (
        "Nothing was started, waited 0 s: 401 MiB of memory are needed, and 1512 MiB are "
        "available on localhost, of which VMs that are starting need 600 MiB; 512 MiB are left "
        "to the host. Start fewer VMs at once, give them less memory, or start them warm."
    )
    assert claims(base) == []


async def test_one_that_waits_begins_when_the_other_is_up(small: SmallHost) -> None:
    reasons: list[str] = []
    order = []
    waiting = asyncio.Event()

    def told(reason: str) -> None:
        reasons.append(reason)
        waiting.set()

    async def second() -> None:
        async with admitted(small, Need(600), Deadline(PATIENCE), told):
            order.append("second")

    async with admitted(small, Need(600), Deadline(0), pytest.fail):
        task = asyncio.create_task(second())
        await asyncio.wait_for(waiting.wait(), PATIENCE)
        order.append("first")
    await asyncio.wait_for(task, PATIENCE)
    assert order == ["first", "second"]
    assert len(reasons) == 1


async def test_never_do_two_count_on_the_same_memory(small: SmallHost) -> None:
    claimed = most = 0

    async def start() -> None:
        nonlocal claimed, most
        async with admitted(small, Need(400), Deadline(PATIENCE), lambda _: None):
            claimed += 400
            most = max(most, claimed)
            await asyncio.sleep(0)
            claimed -= 400

    await asyncio.gather(*(start() for _ in range(6)))
    assert most in (400, 800)


@pytest.mark.fault(32)
async def test_what_the_host_never_has_is_refused_at_once(small: SmallHost) -> None:
    words = await refused(small, Need(TOTAL_MIB), seconds=3600)
    assert words.startswith("Nothing was started: 8192 MiB of memory are needed, and 1512 MiB")
    assert words.endswith("localhost has 8192 MiB in all. Give the VMs less memory.")


async def test_a_claim_that_says_nothing_claims_nothing(small: SmallHost) -> None:
    for text in (b"", b"{}", b'["x", []]', b"[1]", b"[99999, 7]"):
        directory = await small.private_directory("claim")
        await small.write_bytes(f"{directory}/{CLAIM}", text)
    async with admitted(small, Need(1000), Deadline(0), pytest.fail):
        pass


async def test_an_interrupted_start_claims_nothing_any_more(small: SmallHost, base: Path) -> None:
    small.available = 0
    waiting = asyncio.Event()

    async def start() -> None:
        async with admitted(small, Need(1), Deadline(PATIENCE), lambda _: waiting.set()):
            pass

    task = asyncio.create_task(start())
    await asyncio.wait_for(waiting.wait(), PATIENCE)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert claims(base) == []
