"""This library and the bare scripts, doing the peers' job."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.clone_floor import CloneFloor
from benchmarks.floor import measure_floor
from benchmarks.peers.jobs.job import COMMAND, Stopwatch
from DtsVirtLibrary.assembly import Parts, assemble
from DtsVirtLibrary.config import Parameters
from DtsVirtLibrary.keywords.settings import ClosingScope, Settings
from DtsVirtLibrary.results import Readiness
from DtsVirtLibrary.spec import Accelerator
from DtsVirtLibrary.vm.operations import prepare_login
from DtsVirtLibrary.vm.templates import make_template

PATIENCE = 300.0
Result = dict[str, float]


@dataclass
class Library:
    """One VM of the library, started cold and warm by turns."""

    qemu: str | None
    directory: Path

    async def prepare(self) -> dict[str, Any]:
        """Make the template; return what the peers are told of the guest."""
        ten = timedelta(seconds=10)
        settings = Settings(
            Accelerator.TCG, self.qemu, None, ten, ten, ten, None, ClosingScope.AUTO
        )
        self.parts: Parts = assemble(
            settings, self.directory / "vms", print, "peers", on_reset=lambda *_: None
        )
        self.vm = self.parts.registry.create("vm0", Parameters())
        await self.vm.start(Readiness.SSH, PATIENCE)
        self.cold_argv = self._argv()
        login, _ = await prepare_login(self.parts.host, self.vm)
        nic = self.vm.specification().control_nic
        await self.vm.kill()
        await make_template(self.vm, PATIENCE)
        (info,) = await self.parts.hypervisor.templates()
        self.template = info.directory
        await self.vm.start(Readiness.AGENT, PATIENCE, warm=True)
        self.warm_argv = self._argv()
        await self.vm.kill()
        return {
            "qemu": self.cold_argv[0],
            "kernel": self._option("-kernel"),
            "initrd": self._option("-initrd"),
            "append": self._option("-append"),
            "mac": nic.mac if nic else None,
            "key": login.key,
        }

    def _argv(self) -> list[str]:
        assert self.vm.artifacts is not None
        return shlex.split((self.vm.artifacts.directory / "command-line.txt").read_text())

    def _option(self, name: str) -> str:
        return self.cold_argv[self.cold_argv.index(name) + 1]

    async def do(self, *, warm: bool) -> Result:
        """Start, run the command by the agent, stop."""
        watch = Stopwatch()
        await self.vm.start(Readiness.AGENT, PATIENCE, warm=warm)
        watch.lap()
        await self.vm.use("run", lambda instance: instance.agent.run(COMMAND, timeout=PATIENCE))
        watch.lap()
        await self.vm.stop(0)
        watch.lap()
        return watch.result()

    def _cold_floor(self) -> Result:
        return {"ready": measure_floor(self.cold_argv).agent}

    def _warm_floor(self) -> Result:
        with CloneFloor(self.warm_argv, self.template) as floor:
            return {"ready": floor.seconds}

    def jobs(self) -> dict[str, Callable[[], Awaitable[Result]]]:
        """Return what there is to do, by name."""
        return {
            "floor, cold": lambda: asyncio.to_thread(self._cold_floor),
            "floor, warm": lambda: asyncio.to_thread(self._warm_floor),
            "DtsVirtLibrary, cold": lambda: self.do(warm=False),
            "DtsVirtLibrary, warm": lambda: self.do(warm=True),
        }

    async def close(self) -> None:
        """End what is left."""
        await self.vm.kill()
        await self.parts.host.close()


async def run_peer(python: str, script: Path, task: dict[str, Any], log: Path) -> Result:
    """Run a peer's job in its own environment.

    :raises RuntimeError: it failed; the text is the last line that it said.
    """
    started = time.monotonic()
    # Some find programs of theirs by it.
    path = f"{Path(python).parent}:{os.environ['PATH']}"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            python, str(script), json.dumps(task),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=output,
            start_new_session=True, env={**os.environ, "PATH": path},
        )  # fmt: skip
        try:
            out, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
        except asyncio.TimeoutError:
            process.kill()
            await process.wait()
            took = time.monotonic() - started
            raise RuntimeError(f"did not end within {took:.0f} s") from None
    if process.returncode != 0:
        said = [line for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
        raise RuntimeError(said[-1] if said else f"exit code {process.returncode}")
    result: Result = json.loads(out.splitlines()[-1])
    return result
