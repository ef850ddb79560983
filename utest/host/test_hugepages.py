"""Hugepages: the real kernel's, a recorded tree's, and a kernel that has too few."""

from __future__ import annotations

import asyncio
import mmap
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest

from DtsVirtLibrary.errors import ConfigError, HostError
from DtsVirtLibrary.host import hugepages
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.host.protocol import Completed, HostPath
from DtsVirtLibrary.host.sizes import parse_kib, size_text
from utest.host.acting import OrdinaryUser, killed_runner, need_root

SMALL = 2048
MAP_HUGETLB = 0x40000
ANONYMOUS_HUGE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_HUGETLB


@pytest.fixture
async def host() -> AsyncIterator[LocalHost]:
    need_root()
    local = LocalHost()
    yield local
    await local.close()


@pytest.fixture
async def recorded(tmp_path: Path) -> AsyncIterator[RecordedMemory]:
    machine = RecordedMemory(tmp_path)
    yield machine
    await machine.close()


class RecordedMemory(LocalHost):
    """The local host with a recorded tree of two NUMA nodes, each with 8 pages of 2 MiB free.

    :ivar memory: how many pages more the kernel has memory for.
    """

    def __init__(self, sysfs: Path) -> None:
        super().__init__()
        self.sysfs = str(sysfs)
        self.memory = 1000
        pools = {"kernel/mm": 16, "devices/system/node/node0": 8, "devices/system/node/node1": 8}
        for place, pages in pools.items():
            for size, count in ((SMALL, pages), (1048576, 0)):
                pool = sysfs / place / f"hugepages/hugepages-{size}kB"
                pool.mkdir(parents=True)
                for name in ("nr", "free"):
                    (pool / f"{name}_hugepages").write_text(f"{count}\n")
                for name in ("surplus", "resv", "nr_overcommit"):
                    (pool / f"{name}_hugepages").write_text("0\n")

    def number(self, name: str, place: str = "kernel/mm") -> int:
        """Return a number of the 2 MiB pool."""
        path = Path(self.sysfs, place, f"hugepages/hugepages-{SMALL}kB/{name}_hugepages")
        return int(path.read_text())

    def set(self, name: str, number: int) -> None:
        """Set a number of the host's 2 MiB pool."""
        path = Path(self.sysfs, f"kernel/mm/hugepages/hugepages-{SMALL}kB/{name}_hugepages")
        path.write_text(f"{number}\n")

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
        """Change the number as the kernel would: not beyond its memory."""
        change = int(argv[-1])
        given = min(change, self.memory)
        done = await super().run([*argv[:-1], str(given)], timeout=timeout, check=check)
        self.memory -= given
        return done


def pages(node: int | None = None) -> int:
    place = "/sys/kernel/mm" if node is None else f"/sys/devices/system/node/node{node}"
    return int(Path(place, f"hugepages/hugepages-{SMALL}kB/nr_hugepages").read_text())


async def test_kernel_gives_and_takes_back(host: LocalHost) -> None:
    before = pages()
    reservation = await hugepages.reserve(host, pages=3, page_size_kib=SMALL)
    assert pages() == before + 3
    assert reservation.size_mib == 6
    await hugepages.require(host, 6, page_size_kib=SMALL)
    await hugepages.release(host, reservation)
    assert pages() == before


async def test_kernel_gives_on_a_node(host: LocalHost) -> None:
    before = pages(0)
    reservation = await hugepages.reserve(host, size_mib=3, page_size_kib=SMALL, node=0)
    assert pages(0) == before + 2
    found = await hugepages.hugepages(host)
    pool = next(item for item in found if (item.page_size_kib, item.node) == (SMALL, 0))
    assert pool.total == before + 2
    await hugepages.release(host, reservation)
    assert pages(0) == before


async def test_runs_side_by_side_count_their_own(host: LocalHost) -> None:
    before = pages()
    other = LocalHost()
    taken = await asyncio.gather(
        *(hugepages.reserve(each, pages=1, page_size_kib=SMALL) for each in [host, other] * 3)
    )
    assert pages() == before + 6
    await asyncio.gather(
        *(
            hugepages.release(each, item)
            for each, item in zip([host, other] * 3, taken, strict=True)
        )
    )
    assert pages() == before
    await other.close()


async def test_close_gives_back_what_was_not_released(host: LocalHost) -> None:
    before = pages()
    await hugepages.reserve(host, pages=2, page_size_kib=SMALL)
    await host.close()
    assert pages() == before


async def test_killed_runner_gives_back(host: LocalHost) -> None:
    before = pages()
    killed_runner("await hugepages.reserve(host, pages=2, page_size_kib=2048)")
    assert pages() == before


async def test_surplus_pages_do_not_become_permanent(host: LocalHost) -> None:
    pool = Path(f"/sys/kernel/mm/hugepages/hugepages-{SMALL}kB")
    overcommit = pool / "nr_overcommit_hugepages"
    before, allowed = pages(), overcommit.read_text()
    overcommit.write_text(str(int(allowed) + 1))
    try:
        reservation = await hugepages.reserve(host, pages=2, page_size_kib=SMALL)
        free = (await hugepages.hugepages(host))[0].available
        with mmap.mmap(-1, free * SMALL * 1024, flags=ANONYMOUS_HUGE):
            found = (await hugepages.hugepages(host))[0]
            assert (found.surplus, found.available) == (1, 0)
            await hugepages.release(host, reservation)
        assert pages() == before
    finally:
        overcommit.write_text(allowed)


async def test_missing_right_is_named() -> None:
    host = OrdinaryUser()
    with pytest.raises(HostError, match=r"(?s)Permission denied.*It needs root.*echo 2 > /sys/"):
        await hugepages.reserve(host, pages=2, page_size_kib=SMALL)
    await host.close()


async def test_pools_of_the_host_come_before_those_of_the_nodes(recorded: RecordedMemory) -> None:
    recorded.set("resv", 5)
    recorded.set("surplus", 1)
    recorded.set("nr_overcommit", 3)
    found = await hugepages.hugepages(recorded, recorded.sysfs)
    assert [(item.page_size_kib, item.node) for item in found] == [
        (2048, None),
        (1048576, None),
        (2048, 0),
        (1048576, 0),
        (2048, 1),
        (1048576, 1),
    ]
    whole = found[0]
    assert (whole.total, whole.free, whole.reserved, whole.surplus, whole.growth) == (
        16, 16, 5, 1, 2,
    )  # fmt: skip
    assert whole.available == 13


async def test_shortfall_is_given_back_and_explained(recorded: RecordedMemory) -> None:
    recorded.memory = 4
    with pytest.raises(HostError) as caught:
        await hugepages.reserve(recorded, size_mib=20, page_size_kib=SMALL, sysfs=recorded.sysfs)
    assert recorded.number("nr") == 16
    text = str(caught.value)
    assert "10 more hugepages of 2 MiB were asked for on localhost" in text
    assert "has contiguous memory for 4" in text
    assert "16 are free of 16, which are enough: no reservation is needed." in text
    pool = f"{recorded.sysfs}/kernel/mm/hugepages/hugepages-2048kB"
    assert f"To get more, as root: echo 26 > {pool}/nr_hugepages" in text
    # It is this keyword that could not.
    assert "or the keyword" not in text
    await recorded.close()
    assert recorded.number("nr") == 16


async def test_requirement_that_is_met_is_quiet(recorded: RecordedMemory) -> None:
    await hugepages.require(recorded, 32, page_size_kib=SMALL, sysfs=recorded.sysfs)
    await hugepages.require(recorded, 16, 1, page_size_kib=SMALL, sysfs=recorded.sysfs)


@pytest.mark.fault(33)
async def test_requirement_that_is_not_met_says_how_to_get_more(recorded: RecordedMemory) -> None:
    recorded.set("resv", 6)
    with pytest.raises(HostError) as caught:
        await hugepages.require(recorded, 31, page_size_kib=SMALL, sysfs=recorded.sysfs)
    text = str(caught.value)
    assert text.startswith(
        "16 hugepages of 2 MiB (31 MiB) are needed on localhost, 10 are free of 16."
    )
    pool = f"{recorded.sysfs}/kernel/mm/hugepages/hugepages-2048kB"
    assert f"To get more, as root: echo 22 > {pool}/nr_hugepages" in text
    assert "Reserve Host Hugepages" in text
    with pytest.raises(HostError, match=r"(?s)on NUMA node 1 of localhost, 8 .*node1/hugepages"):
        await hugepages.require(recorded, 18, 1, page_size_kib=SMALL, sysfs=recorded.sysfs)


@pytest.mark.fault(33)
async def test_node_and_size_that_the_host_lacks(recorded: RecordedMemory) -> None:
    with pytest.raises(HostError, match="no NUMA node 2; its nodes: 0, 1"):
        await hugepages.require(recorded, 2, 2, page_size_kib=SMALL, sysfs=recorded.sysfs)
    with pytest.raises(HostError, match="no hugepages of 16 MiB; its sizes: 2 MiB, 1 GiB"):
        await hugepages.require(recorded, 2, page_size_kib=16384, sysfs=recorded.sysfs)


async def test_reservation_of_nothing_is_refused(recorded: RecordedMemory) -> None:
    with pytest.raises(HostError, match="A reservation of 0 hugepages is none"):
        await hugepages.reserve(recorded, size_mib=0, page_size_kib=SMALL, sysfs=recorded.sysfs)


async def test_mounts_are_told_apart_by_page_size(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 1 kB\nHugepagesize:       2048 kB\n")
    (tmp_path / "mounts").write_text(
        "proc /proc proc rw 0 0\n"
        "huge /mnt/huge\\0401G hugetlbfs rw,relatime,pagesize=1024M 0 0\n"
        "hugetlbfs /dev/hugepages hugetlbfs rw,relatime,pagesize=2M 0 0\n"
    )
    host = LocalHost()
    proc = str(tmp_path)
    assert await hugepages.hugetlbfs_mount(host, proc=proc) == "/dev/hugepages"
    assert await hugepages.hugetlbfs_mount(host, 1048576, proc) == "/mnt/huge 1G"
    assert await hugepages.hugetlbfs_mount(host, 16384, proc) is None


async def test_kernel_without_hugepages(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 1 kB\n")
    with pytest.raises(HostError, match="has no hugepages"):
        await hugepages.default_page_size(LocalHost(), str(tmp_path))
    assert await hugepages.hugetlbfs_mount(LocalHost(), proc=str(tmp_path)) is None


@pytest.mark.parametrize(
    ("text", "kib"),
    [("512", 524288), ("2M", 2048), ("2048K", 2048), ("1G", 1048576), ("2 MiB", 2048)],
)
def test_sizes_are_read(text: str, kib: int) -> None:
    assert parse_kib(text) == kib


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5G", "2X", "many"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a size"):
        parse_kib(text)


def test_sizes_are_shown_in_the_largest_unit() -> None:
    shown = [size_text(size) for size in (4, 2048, 3072, 1048576)]
    assert shown == ["4 KiB", "2 MiB", "3 MiB", "1 GiB"]


async def test_nobody_else_can_hold_the_change_up(host: LocalHost) -> None:
    need_root()
    reserved = await hugepages.reserve(host, pages=1)
    locks = list(Path("/run").glob("dtsvirt-hugepages-*.lock"))
    await hugepages.release(host, reserved)
    assert locks
    assert {lock.stat().st_mode & 0o777 for lock in locks} == {0o600}
