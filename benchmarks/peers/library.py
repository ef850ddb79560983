"""This library and the bare scripts, doing the peers' job."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

# It logs by Robot Framework, which runs no suite here.
logging.getLogger("RobotFramework").addHandler(logging.NullHandler())

from SSHLibrary import SSHLibrary  # noqa: E402

from benchmarks.clone_floor import CloneFloor  # noqa: E402
from benchmarks.floor import measure_floor  # noqa: E402
from benchmarks.peers.guest import write_initramfs  # noqa: E402
from benchmarks.peers.jobs.job import COMMAND, Stopwatch  # noqa: E402
from benchmarks.warm import process  # noqa: E402
from DtsVirtLibrary.assembly import Parts, assemble  # noqa: E402
from DtsVirtLibrary.config import Parameters, entries_from_value  # noqa: E402
from DtsVirtLibrary.guest import ssh  # noqa: E402
from DtsVirtLibrary.keywords.settings import ClosingScope, Settings  # noqa: E402
from DtsVirtLibrary.results import Readiness  # noqa: E402
from DtsVirtLibrary.spec import Accelerator, Login, Origin  # noqa: E402
from DtsVirtLibrary.vm.login import prepare_login  # noqa: E402
from DtsVirtLibrary.vm.templates import make_template  # noqa: E402

PATIENCE = 300.0
NAME, AGENT, SSH = "DtsVirtLibrary", "guest agent", "SSH"
Result = dict[str, float]


@dataclass
class Library:
    """One VM of the library, started cold and warm by turns."""

    qemu: str | None
    directory: Path

    async def prepare(self) -> dict[str, Any]:
        """Make guest and template; return what the peers are told of the guest."""
        ten = timedelta(seconds=10)
        settings = Settings(
            Accelerator.TCG, self.qemu, None, ten, ten, ten, None, ClosingScope.AUTO
        )
        self.parts: Parts = assemble(
            settings, self.directory / "vms", print, "peers", on_reset=lambda *_: None
        )
        self.version = await self.parts.hypervisor.version(self.qemu)
        task, self.login = await self._guest()
        self.vm = self.parts.registry.create("vm0", _parameters(task))
        await self.vm.start(Readiness.AGENT, PATIENCE)
        self.cold_argv = list(process(self.vm).argv)
        await self.vm.kill()
        await make_template(self.vm, PATIENCE)
        (info,) = await self.parts.hypervisor.templates()
        self.template = info.directory
        await self.vm.start(Readiness.AGENT, PATIENCE, warm=True)
        self.warm_argv = list(process(self.vm).argv)
        await self.vm.kill()
        return task

    async def _guest(self) -> tuple[dict[str, Any], Login]:
        """Return what is to be known of the embedded guest, and who logs in to it."""
        embedded = self.parts.registry.create("embedded", Parameters())
        await embedded.start(Readiness.AGENT, PATIENCE)
        argv = list(process(embedded).argv)
        login, _ = await prepare_login(self.parts.host, embedded)
        nic = embedded.specification().control_nic
        await embedded.kill()
        initrd = self.directory / "initrd"
        write_initramfs(Path(_option(argv, "-initrd")), initrd)
        task = {
            "qemu": argv[0],
            "kernel": _option(argv, "-kernel"),
            "initrd": str(initrd),
            "append": _option(argv, "-append"),
            "mac": nic.mac if nic else None,
            "key": login.key,
        }
        return task, login

    async def by_agent(self, *, warm: bool) -> Result:
        """Start, run the command by the agent, stop."""
        watch = Stopwatch()
        await self.vm.start(Readiness.AGENT, PATIENCE, warm=warm)
        watch.lap()
        await self.vm.use("run", lambda instance: instance.agent.run(COMMAND, timeout=PATIENCE))
        watch.lap()
        await self.vm.stop(0)
        watch.lap()
        return watch.result()

    async def by_ssh(self, *, warm: bool) -> Result:
        """Start, log SSHLibrary in, run the command by it, stop."""
        library = SSHLibrary()
        watch = Stopwatch()
        session = await self.vm.start(Readiness.SSH, PATIENCE, warm=warm)
        login, access = await prepare_login(self.parts.host, self.vm)
        trust = ssh.Trust(session, access.host_keys)
        await asyncio.to_thread(ssh.log_in, library, session, login, trust, 60.0)
        watch.lap()
        await asyncio.to_thread(library.execute_command, COMMAND)
        watch.lap()
        library.close_all_connections()
        await self.vm.stop(0)
        watch.lap()
        return watch.result()

    def _cold_floor(self) -> Result:
        return {"ready": measure_floor(self.cold_argv).agent}

    def _cold_banner(self) -> Result:
        return {"ready": measure_floor(self.cold_argv).banner}

    def _warm_floor(self) -> Result:
        with CloneFloor(self.warm_argv, self.template) as floor:
            return {"ready": floor.seconds}

    def _warm_login(self) -> Result:
        with CloneFloor(self.warm_argv, self.template) as floor:
            return {"ready": floor.seconds + floor.log_in(self.login.user, self.login.key)}

    def jobs(self) -> dict[tuple[str, str], Callable[[], Awaitable[Result]]]:
        """Return what there is to do, by name and by what the guest answers with."""
        return {
            ("floor, cold", AGENT): lambda: asyncio.to_thread(self._cold_floor),
            ("floor, cold", "SSH banner"): lambda: asyncio.to_thread(self._cold_banner),
            ("floor, warm", AGENT): lambda: asyncio.to_thread(self._warm_floor),
            ("floor, warm", SSH): lambda: asyncio.to_thread(self._warm_login),
            (f"{NAME}, cold", AGENT): lambda: self.by_agent(warm=False),
            (f"{NAME}, cold", SSH): lambda: self.by_ssh(warm=False),
            (f"{NAME}, warm", AGENT): lambda: self.by_agent(warm=True),
            (f"{NAME}, warm", SSH): lambda: self.by_ssh(warm=True),
        }

    async def close(self) -> None:
        """End what is left."""
        await asyncio.gather(*(machine.kill() for machine in self.parts.registry.running()))
        await self.parts.host.close()


def _parameters(task: dict[str, Any]) -> Parameters:
    """Return a VM with a guest of the tester's own, as a configuration file says it."""
    values: dict[str, Any] = {
        "mem": {"size": "512"},
        "kernel": {
            "kernel_img": task["kernel"],
            "initrd": task["initrd"],
            "append": task["append"],
        },
        "net": [{"type": "nic", "opt_model": "virtio-net-pci", "opt_addr": "1f"}, {"type": "user"}],
        "login": {"user": "root", "key": task["key"]},
    }
    parameters = Parameters()
    for name, value in values.items():
        parameters.set(name, entries_from_value(name, value, Origin("peers")))
    return parameters


def _option(argv: list[str], name: str) -> str:
    return argv[argv.index(name) + 1]
