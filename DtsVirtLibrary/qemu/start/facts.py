"""What the command line of a start depends on besides the VM, and where that is found out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from DtsVirtLibrary.cache import cache_directory
from DtsVirtLibrary.host.hugepages import hugetlbfs_mount
from DtsVirtLibrary.host.protocol import Host
from DtsVirtLibrary.qemu.binary.accelerator import AcceleratorFacts, choose, probe_accelerator
from DtsVirtLibrary.qemu.binary.facts import BinaryFacts
from DtsVirtLibrary.qemu.binary.probe import probe
from DtsVirtLibrary.qemu.command_line.build import CommandLine, command_line
from DtsVirtLibrary.qemu.command_line.host_facts import HostFacts
from DtsVirtLibrary.qemu.command_line.placement import Placement, SocketPath
from DtsVirtLibrary.qemu.start.resources import tap_names
from DtsVirtLibrary.spec import Accelerator, VmSpec

VHOST_NET = "/dev/vhost-net"


@dataclass(frozen=True)
class QemuSettings:
    """What holds for every VM of a library where the VM says nothing else.

    :ivar binary: QEMU binary; None for the one on PATH.
    :ivar accelerator: used where the VM says AUTO.
    :ivar monitor_seconds: how long one answer of the monitor may take.
    """

    binary: str | None = None
    accelerator: Accelerator = Accelerator.AUTO
    monitor_seconds: float = 10.0


@dataclass(frozen=True)
class GuestFiles:
    """What an embedded guest is booted from.

    :ivar append: words for its kernel command line.
    """

    kernel: str
    initrd: str
    append: str = ""


@dataclass(frozen=True)
class StartFacts:
    """What the command lines of one start depend on, besides specification and places.

    :ivar append: words for the kernel command line of the embedded guest.
    """

    binary: BinaryFacts
    host: HostFacts
    append: str = ""

    def line(self, spec: VmSpec, placement: Placement) -> CommandLine:
        """Return the command line of a VM at a place.

        :raises ConfigError: something cannot be had with this binary or host.
        """
        placed = replace(placement, append=self.append)
        return command_line(spec, self.binary, self.host, placed)

    def by_hand(self, spec: VmSpec) -> CommandLine:
        """Return a command line whose channels are paths; nothing is made there.

        :raises ConfigError: something cannot be had with this binary or host.
        """
        directory = f"/tmp/dtsvirt-{spec.name}"
        placement = Placement(
            directory,
            SocketPath(f"{directory}/qmp.sock"),
            SocketPath(f"{directory}/agent.sock"),
            taps=tap_names(spec),
        )
        return self.line(spec, placement)


class FactFinder:
    """Finds out what starts on one host depend on, as little as possible of it twice.

    :param guest_files: finds the embedded guest of a flavour, making it if need be.
    """

    def __init__(
        self,
        host: Host,
        settings: QemuSettings,
        guest_files: Callable[[str], Awaitable[GuestFiles]],
    ) -> None:
        self._host = host
        self._settings = settings
        self._guest_files = guest_files
        self._binaries: dict[str | None, BinaryFacts] = {}
        self._accelerators: dict[str, AcceleratorFacts] = {}

    async def of(self, spec: VmSpec) -> StartFacts:
        """Return what the command lines of a start of `spec` depend on.

        :raises HypervisorMissing: there is no such QEMU binary.
        :raises AcceleratorError: KVM was demanded and cannot be used.
        """
        binary = await self.binary(spec.binary)
        wanted = spec.accelerator
        if wanted is Accelerator.AUTO:
            wanted = self._settings.accelerator
        found = await self._accelerator(binary.path)
        facts = HostFacts(
            accelerator=choose(wanted, found),
            accelerator_reason=found.reason or f"asked for by accelerator={wanted.value}",
            hugepages=await hugetlbfs_mount(self._host),
            vhost_net=await self._host.status(VHOST_NET) is not None,
            working_directory=await self._host.real_path("."),
        )
        if spec.boot.guest is None:
            return StartFacts(binary, facts)
        files = await self._guest_files(spec.boot.guest)
        facts = replace(facts, kernel=files.kernel, initrd=files.initrd)
        return StartFacts(binary, facts, files.append)

    async def binary(self, path: str | None) -> BinaryFacts:
        """Return what a QEMU binary can do; None for the one of the settings."""
        path = path or self._settings.binary
        if path not in self._binaries:
            cache = await cache_directory(self._host)
            self._binaries[path] = await probe(self._host, path, cache)
        return self._binaries[path]

    async def _accelerator(self, binary: str) -> AcceleratorFacts:
        if binary not in self._accelerators:
            self._accelerators[binary] = await probe_accelerator(self._host, binary)
        return self._accelerators[binary]
