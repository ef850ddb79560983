"""Putting the parts together: the one place that knows which hypervisor and host there are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from DtsVirtLibrary.cache import cache_directory
from DtsVirtLibrary.guest.image import GUEST_APPEND, embedded_guest, login_key
from DtsVirtLibrary.host.ledger import HostResources
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.host.named_locks import NamedLocks
from DtsVirtLibrary.host.protocol import Host
from DtsVirtLibrary.keywords.configs import Configs
from DtsVirtLibrary.keywords.settings import Settings
from DtsVirtLibrary.keywords.suite import suite_name
from DtsVirtLibrary.qemu.hypervisor import QemuHypervisor
from DtsVirtLibrary.qemu.inside.access import LoginKey
from DtsVirtLibrary.qemu.start.facts import GuestFiles, QemuSettings
from DtsVirtLibrary.vm.artifacts import ArtifactStore
from DtsVirtLibrary.vm.context import MachineContext
from DtsVirtLibrary.vm.hypervisor import Hypervisor
from DtsVirtLibrary.vm.registry import Registry


@dataclass(frozen=True)
class Parts:
    """The parts of a library at work.

    :ivar runner: the machine that Robot Framework runs on; its files are the suite's.
    :ivar host: the machine that VMs run on.
    """

    runner: Host
    host: Host
    hypervisor: Hypervisor
    registry: Registry
    configs: Configs
    resources: HostResources

    async def close(self, *, keep_vms: bool) -> None:
        """End every VM at once and give back what was taken from the host.

        :param keep_vms: leave the VMs alone, and what was taken for them until they end.
        """
        if not keep_vms:
            running = self.registry.running()
            await asyncio.gather(*(machine.kill() for machine in running), return_exceptions=True)
            with suppress(Exception):
                await self.resources.give_back_all()
        await self.host.close()


def assemble(
    settings: Settings,
    artifacts: Path,
    progress: Callable[[str], None],
    seed: str,
    on_reset: Callable[[str], None],
) -> Parts:
    """Make the parts for QEMU on the local machine.

    :param artifacts: directory for the files kept of VMs.
    :param progress: called with a line on each step of a long preparation.
    :param seed: tells this run from others that share the host.
    :param on_reset: called on the loop with a VM's name when its guest was reset or panicked.
    """
    host = LocalHost()

    async def guest_files(flavour: str) -> GuestFiles:
        cache = await cache_directory(host)
        image = await embedded_guest(host, cache, flavour=flavour, progress=progress)
        append = f"{GUEST_APPEND} authorized_key={image.authorized_key}"
        return GuestFiles(image.kernel, image.initrd, append)

    async def own_key() -> LoginKey:
        key = await login_key(host, await cache_directory(host), progress=progress)
        return LoginKey(key.path, key.public)

    hypervisor = QemuHypervisor(
        host,
        QemuSettings(settings.qemu, settings.accelerator, settings.monitor_timeout.total_seconds()),
        guest_files,
        own_key,
    )
    store = ArtifactStore(host, artifacts)
    registry = Registry(MachineContext(hypervisor, host, store, seed, on_reset, suite_name))
    locks = NamedLocks(host, lambda: cache_directory(host), "keywords", suite_name)
    return Parts(host, host, hypervisor, registry, Configs(host), HostResources(host, locks))
