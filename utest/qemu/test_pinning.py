"""vCPU threads on host CPUs, with real threads of this process."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.qemu.hypervisor import QemuHypervisor
from DtsVirtLibrary.qemu.start.facts import GuestFiles, QemuSettings
from DtsVirtLibrary.qemu.start.pinning import parse_cpu_list, pin, require_cpus
from DtsVirtLibrary.spec import Accelerator, Cpu, Memory, Origin, VmSpec
from DtsVirtLibrary.timeline import Timeline


class Threads:
    """Stands in for a monitor: says which thread runs which vCPU."""

    def __init__(self, threads: Sequence[int]) -> None:
        self._threads = threads

    async def execute(
        self, command: str, arguments: Any = None, *, timeout: float | None = None
    ) -> Any:
        assert command == "query-cpus-fast"
        return [
            {"cpu-index": index, "thread-id": thread} for index, thread in enumerate(self._threads)
        ]


class Machine(LocalHost):
    """The local host with eight CPUs; the affinities are only noted."""

    def __init__(self, kept: tuple[int, ...] | None = None) -> None:
        super().__init__()
        self.pinned: dict[int, tuple[int, ...]] = {}
        self._kept = kept

    async def read_text(self, path: object) -> str:
        assert path == "/sys/devices/system/cpu/online"
        return "0-3,8-11\n"

    async def set_affinity(self, thread_id: int, cpus: Sequence[int]) -> None:
        self.pinned[thread_id] = tuple(cpus)

    async def affinity(self, thread_id: int) -> tuple[int, ...]:
        return self._kept or self.pinned[thread_id]


def spec(*pins: int, number: int = 2) -> VmSpec:
    return VmSpec("vm0", cpu=Cpu(number=number, pins=pins, origin=Origin("a.cfg", 7)))


async def pinned(threads: Sequence[int], *pins: int) -> tuple[Machine, list[str]]:
    machine = Machine()
    notes = await pin(machine, Threads(threads), spec(*pins, number=len(threads)))  # type: ignore[arg-type]
    return machine, notes


@pytest.fixture
def two_threads() -> Iterator[list[int]]:
    stop, ids = threading.Event(), []
    started = threading.Barrier(3)

    def run() -> None:
        ids.append(threading.get_native_id())
        started.wait()
        stop.wait()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    started.wait()
    yield ids
    stop.set()
    for thread in threads:
        thread.join()


async def test_kernel_keeps_threads_where_they_are_pinned(two_threads: list[int]) -> None:
    cpus = sorted(os.sched_getaffinity(0))
    wanted = [cpus[0], cpus[-1]]
    pins = tuple(dict.fromkeys(wanted))
    await pin(LocalHost(), Threads(two_threads), spec(*pins))  # type: ignore[arg-type]
    assert [os.sched_getaffinity(thread) for thread in two_threads] == [{cpu} for cpu in wanted]


@pytest.mark.qemu
async def test_threads_of_a_real_qemu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DTSVIRT_CACHE", str(tmp_path))
    pins = tuple(sorted(os.sched_getaffinity(0)))[-1:]
    vm = replace(spec(*pins), accelerator=Accelerator.TCG, memory=Memory(64), guest_agent=False)
    host = LocalHost()
    hypervisor = QemuHypervisor(host, QemuSettings(), _no_guest)
    try:
        instance = await hypervisor.launch(vm, Deadline(30), Timeline(), _keep_nothing)
        allowed = {
            (task / "comm").read_text().strip(): os.sched_getaffinity(int(task.name))
            for task in Path(f"/proc/{instance.pid}/task").iterdir()
        }
        assert allowed["CPU 0/TCG"] == allowed["CPU 1/TCG"] == set(pins)
        assert any("1 CPUs for 2 vCPUs" in note for note in instance.notes)
        await instance.quit()
        await instance.wait_closed()
        await instance.release()
    finally:
        await host.close()


async def _no_guest(flavour: str) -> GuestFiles:
    raise AssertionError(f"nobody asked for the guest '{flavour}'")


async def _keep_nothing(files: Mapping[str, bytes]) -> None:
    """Take the files of a failed start that nobody reads here."""


async def test_each_vcpu_has_its_own_cpu() -> None:
    machine, notes = await pinned([101, 102], 9, 2)
    assert machine.pinned == {101: (9,), 102: (2,)}
    assert notes == []


async def test_vcpus_beyond_a_short_list_share_it() -> None:
    machine, notes = await pinned([101, 102, 103, 104], 3, 1)
    assert machine.pinned == {101: (3,), 102: (1,), 103: (1, 3), 104: (1, 3)}
    assert notes == [
        "VM 'vm0': 2 CPUs for 4 vCPUs: vCPU 2 and those beyond may run on any of 3, 1."
    ]


async def test_cpus_beyond_the_vcpus_are_not_used() -> None:
    machine, notes = await pinned([101], 3, 1, 8)
    assert machine.pinned == {101: (3,)}
    assert notes == ["VM 'vm0': 3 CPUs for 1 vCPUs: 1, 8 not used."]


async def test_vcpus_in_one_thread_share_their_cpus() -> None:
    machine, notes = await pinned([101, 101], 3, 1)
    assert machine.pinned == {101: (1, 3)}
    assert len(notes) == 1
    assert "runs its 2 vCPUs in 1 thread(s)" in notes[0]


async def test_no_pins_ask_nobody() -> None:
    assert await pin(Machine(), Threads([]), VmSpec("vm0")) == []  # type: ignore[arg-type]


async def test_cpu_that_the_host_lacks() -> None:
    with pytest.raises(HostError, match=r"a\.cfg:7.* CPU 4, 12, which .*online are 0-3,8-11"):
        await require_cpus(Machine(), spec(12, 4, 8))


async def test_cpuset_that_takes_precedence_is_named() -> None:
    with pytest.raises(HostError, match=r"thread 101 was pinned to CPU 3, but .* run on 0, 1"):
        await pin(Machine(kept=(0, 1)), Threads([101]), spec(3, number=1))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "cpus"),
    [("0", {0}), ("0-2", {0, 1, 2}), ("0-1,4,6-7\n", {0, 1, 4, 6, 7}), ("\n", set())],
)
def test_kernel_list_of_cpus(text: str, cpus: set[int]) -> None:
    assert parse_cpu_list(text) == cpus
