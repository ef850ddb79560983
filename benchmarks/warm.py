#!/usr/bin/env python3
"""Measure warm start against bare scripts, in one run: ``benchmarks/warm.py [--rounds N]``.

Each figure has its floor, a script that does the same with nothing checked, kept or logged.
Floor and library take turns, so that a busy machine weighs on both alike.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from SSHLibrary import SSHLibrary  # noqa: E402

from benchmarks.clone_floor import CloneFloor  # noqa: E402
from benchmarks.floor import measure_floor  # noqa: E402
from benchmarks.warm_report import Name, Samples, write_report  # noqa: E402
from DtsVirtLibrary.assembly import Parts, assemble  # noqa: E402
from DtsVirtLibrary.config import Parameters  # noqa: E402
from DtsVirtLibrary.guest import ssh  # noqa: E402
from DtsVirtLibrary.keywords.settings import ClosingScope, Settings  # noqa: E402
from DtsVirtLibrary.results import Readiness  # noqa: E402
from DtsVirtLibrary.spec import Accelerator  # noqa: E402
from DtsVirtLibrary.vm import snapshots  # noqa: E402
from DtsVirtLibrary.vm.login import prepare_login  # noqa: E402
from DtsVirtLibrary.vm.machine import Machine  # noqa: E402
from DtsVirtLibrary.vm.templates import make_template  # noqa: E402

PATIENCE = 300.0


def main() -> int:
    """Measure, print the table and write it with a chart; 1 if a goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--many", type=int, default=8, help="VMs that are started at once")
    parser.add_argument("--alive", type=int, default=50, help="warm VMs to have alive together")
    parser.add_argument("--qemu", help="the binary; default: the one on PATH")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dtsvirt-warm-", dir="/dev/shm") as directory:
        os.environ["DTSVIRT_TEMPLATES"] = f"{directory}/templates"
        session = Session(arguments, Path(directory))
        version = asyncio.run(session.measure())
    return write_report(session.samples, session.facts, version)


class Session:
    """One QEMU's measurements.

    :ivar samples: the library's and the floor's samples by what was measured.
    :ivar facts: further findings in words.
    """

    def __init__(self, arguments: argparse.Namespace, directory: Path) -> None:
        self.arguments = arguments
        self.directory = directory
        self.samples: dict[Name, Samples] = defaultdict(Samples)
        self.facts: dict[str, str] = {}

    async def measure(self) -> str:
        """Measure everything and return QEMU's version."""
        ten = timedelta(seconds=10)
        qemu = self.arguments.qemu
        settings = Settings(Accelerator.TCG, qemu, None, ten, ten, ten, None, ClosingScope.AUTO)
        self.parts: Parts = assemble(
            settings, self.directory / "vms", print, "bench", on_reset=lambda *_: None
        )
        try:
            version = await self.parts.hypervisor.version(qemu)
            self.vm = self.parts.registry.create("vm0", Parameters())
            await self._template()
            for number in range(self.arguments.rounds):
                say(f"QEMU {version}: round {number + 1} of {self.arguments.rounds}")
                await self._cold(library_first=number % 2 == 0)
                await self._agent(library_first=number % 2 == 0)
                await self._login()
                await self._snapshot()
            say(f"QEMU {version}: {self.arguments.many} at once")
            for _ in range(3):
                await self._at_once()
            say(f"QEMU {version}: {self.arguments.alive} alive")
            await self._alive()
            return version
        finally:
            running = self.parts.registry.running()
            await asyncio.gather(*(machine.kill() for machine in running))
            await self.parts.host.close()

    async def _template(self) -> None:
        """Make the template, and learn the command lines of cold and warm VMs."""
        await self.vm.start(Readiness.AGENT, PATIENCE)
        self.cold_argv = list(process(self.vm).argv)
        await self.vm.kill()
        await make_template(self.vm, PATIENCE)
        (info,) = await self.parts.hypervisor.templates()
        self.template = info.directory
        self.facts["a template takes, where it lies"] = f"{info.size / 1e6:.0f} MB"
        await self.vm.start(Readiness.AGENT, PATIENCE, warm=True)
        self.warm_argv = list(process(self.vm).argv)
        place = Path(process(self.vm).placement.directory)
        taken = sum(file.stat().st_blocks * 512 for file in place.rglob("*"))
        self.facts["a clone takes on disk"] = f"{taken / 1e3:.0f} kB"
        await self.vm.kill()

    async def _started(self, readiness: Readiness, *, warm: bool) -> float:
        start = time.monotonic()
        await self.vm.start(readiness, PATIENCE, warm=warm)
        return time.monotonic() - start

    async def _cold(self, *, library_first: bool) -> None:
        # The first boot after a snapshot takes a tenth more processor time than the second one,
        # whoever does it: the host has to find fresh memory for it.
        turns = (self._cold_library, self._cold_floor)
        for turn in turns if library_first else turns[::-1]:
            await turn()

    async def _cold_library(self) -> None:
        self.samples[Name.COLD].library.append(await self._started(Readiness.AGENT, warm=False))
        await self.vm.kill()

    async def _cold_floor(self) -> None:
        times = await asyncio.to_thread(measure_floor, self.cold_argv)
        self.samples[Name.COLD].floor.append(times.agent)

    async def _agent(self, *, library_first: bool) -> None:
        turns = (self._agent_library, self._agent_floor)
        for turn in turns if library_first else turns[::-1]:
            await turn()

    async def _agent_library(self) -> None:
        took = await self._started(Readiness.AGENT, warm=True)
        self.samples[Name.STARTED].library.append(took)
        self.samples[Name.AGENT].library.append(took - since_agent(self.vm))
        used = processor_seconds(process(self.vm).pid)
        self.samples[Name.PROCESSOR].library.append(used)
        await self.vm.kill()

    async def _agent_floor(self) -> None:
        with CloneFloor(self.warm_argv, self.template) as floor:
            used = processor_seconds(floor.process.pid)
        self.samples[Name.PROCESSOR].floor.append(used)
        for name in (Name.AGENT, Name.STARTED):
            self.samples[name].floor.append(floor.seconds)

    async def _login(self) -> None:
        both = self.samples[Name.LOGIN]
        library = SSHLibrary()
        start = time.monotonic()
        session = await self.vm.start(Readiness.SSH, PATIENCE, warm=True)
        login, access = await prepare_login(self.parts.host, self.vm)
        trust = ssh.Trust(session, access.host_keys)
        await asyncio.to_thread(ssh.log_in, library, session, login, trust, 60.0)
        both.library.append(time.monotonic() - start)
        library.close_all_connections()
        await self.vm.kill()
        with CloneFloor(self.warm_argv, self.template) as floor:
            took = await asyncio.to_thread(floor.log_in, login.user, login.key)
        both.floor.append(floor.seconds + took)

    async def _snapshot(self) -> None:
        await self.vm.start(Readiness.AGENT, PATIENCE, warm=True)
        for name, work in ((Name.SAVE, snapshots.save), (Name.RESTORE, snapshots.restore)):
            start = time.monotonic()
            await work(self.vm, "clean", PATIENCE)
            self.samples[name].library.append(time.monotonic() - start)
        await self.vm.kill()
        with CloneFloor(self.warm_argv, self.template) as floor:
            self.samples[Name.RESTORE].floor.append(await asyncio.to_thread(floor.snapshot))

    def _machines(self, name: str, number: int) -> list[Machine]:
        registry = self.parts.registry
        return [registry.create(f"{name}{index}", Parameters()) for index in range(number)]

    async def _at_once(self) -> None:
        """Start several side by side and see what memory each has of its own."""
        number = self.arguments.many
        machines = self._machines("many", number)
        start = time.monotonic()
        await asyncio.gather(*(vm.start(Readiness.AGENT, PATIENCE, warm=True) for vm in machines))
        self.samples[Name.AT_ONCE].library.append(time.monotonic() - start)
        self.samples[Name.MEMORY].library += [memory_mb(process(vm).pid) for vm in machines]
        await asyncio.gather(*(vm.kill() for vm in machines))
        for vm in machines:
            self.parts.registry.forget(vm)
        await asyncio.to_thread(self._floors_at_once, number)

    def _floors_at_once(self, number: int) -> None:
        floors = [CloneFloor(self.warm_argv, self.template) for _ in range(number)]
        with ExitStack() as stack, ThreadPoolExecutor(number) as pool:
            start = time.monotonic()
            for floor in pool.map(stack.enter_context, floors):
                stack.push(floor)
            self.samples[Name.AT_ONCE].floor.append(time.monotonic() - start)
            pids = [floor.process.pid for floor in floors]
            self.samples[Name.MEMORY].floor += [memory_mb(pid) for pid in pids]

    async def _alive(self) -> None:
        """Have many warm VMs together and ask the agent of each."""
        machines = self._machines("alive", self.arguments.alive)
        start = time.monotonic()
        for vm in machines:
            await vm.start(Readiness.AGENT, PATIENCE, warm=True)
        took = time.monotonic() - start
        for vm in machines:
            await vm.use("ping", lambda instance: instance.agent.ping(timeout=PATIENCE))
        total = sum(memory_mb(process(vm).pid) for vm in machines) / 1000
        self.facts[f"{len(machines)} warm VMs alive"] = (
            f"all answer; started one after the other in {took:.0f} s, {total:.2f} GB of memory "
            f"(PSS) for {len(machines) * 0.512:.0f} GB of guest memory"
        )
        await asyncio.gather(*(vm.kill() for vm in machines))


def process(vm: Machine) -> Any:
    """Return the VM's process."""
    assert vm._process.instance is not None
    return vm._process.instance


def since_agent(vm: Machine) -> float:
    """Return the seconds since the agent answered."""
    (at,) = (stage.at for stage in vm.timeline.stages if stage.name == "agent answered")
    return vm.timeline.elapsed - at


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process has had, which no other process adds to."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    """Return the memory of a process, shared pages in parts."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    assert found
    return int(found[1]) * 1024 / 1e6


def say(words: str) -> None:
    """Show progress."""
    print(f"[{time.strftime('%H:%M:%S')}] {words}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
