"""QEMU as a hypervisor: from a specification to a running instance."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from DtsVirtLibrary.cache import cache_directory
from DtsVirtLibrary.host.hugepages import hugetlbfs_mount
from DtsVirtLibrary.host.protocol import Host
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.spec import Accelerator, VmSpec
from DtsVirtLibrary.timeline import Timeline

from . import preflight
from .accelerator import AcceleratorFacts, choose, probe_accelerator
from .binary import probe
from .cmdline import CommandLine, command_line, shell_text
from .facts import BinaryFacts
from .hostfacts import HostFacts
from .identity import identified
from .instance import QemuInstance
from .launch import AGENT_DESCRIPTOR, MONITOR_DESCRIPTOR, Keep, launch
from .placement import Descriptor, Placement, SocketPath
from .resources import StartResources, tap_names

VHOST_NET = "/dev/vhost-net"


@dataclass(frozen=True)
class GuestFiles:
    """The kernel and initrd of an embedded guest, and words for its kernel command line."""

    kernel: str
    initrd: str
    append: str = ""


@dataclass(frozen=True)
class QemuSettings:
    """What holds for every VM of a library where the VM says nothing else.

    :ivar binary: QEMU binary; None for the one on PATH.
    :ivar accelerator: used where the VM says AUTO.
    """

    binary: str | None = None
    accelerator: Accelerator = Accelerator.AUTO


class QemuHypervisor:
    """Starts QEMU on one host.

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

    async def version(self, binary: str | None) -> str:
        """Return QEMU's version, such as ``7.2.22``."""
        return (await self._binary(binary)).version_text

    async def command_line(self, spec: VmSpec) -> tuple[Sequence[str], str]:
        """Return the command line, and the same as shell text that can be pasted."""
        line = await self._by_hand(identified(spec))
        return list(line.argv), shell_text(line)

    async def launch(
        self, spec: VmSpec, deadline: Deadline, timeline: Timeline, keep: Keep
    ) -> QemuInstance:
        """Start QEMU and return once its CPUs run; nothing stays behind if that fails.

        :raises ConfigError: the specification does not fit the binary or the host.
        :raises StartError: QEMU ended at once; the text has its stderr.
        :raises StartTimeout: QEMU did not answer in time; the text says what it waits for.
        """
        spec = identified(spec)
        placement = Placement(
            "/run/dtsvirt",
            Descriptor(MONITOR_DESCRIPTOR),
            Descriptor(AGENT_DESCRIPTOR),
            taps=tap_names(spec),
        )
        # Built once before anything is made, so that bad input leaves no trace.
        await self._line(spec, placement)
        await preflight.check(self._host, spec)
        resources = StartResources(self._host)
        try:
            placement = replace(placement, directory=await resources.directory(spec.name))
            line, accelerator = await self._line(spec, placement)
            await resources.prepare(spec, placement)
            by_hand = shell_text(await self._by_hand(spec))
            return await launch(
                spec,
                self._host,
                placement,
                line,
                accelerator,
                resources,
                by_hand,
                deadline,
                timeline,
                keep,
            )
        except BaseException:
            await resources.give_back()
            raise

    async def _by_hand(self, spec: VmSpec) -> CommandLine:
        """Return a command line whose channels are paths; nothing is made there."""
        directory = f"/tmp/dtsvirt-{spec.name}"
        placement = Placement(
            directory,
            SocketPath(f"{directory}/qmp.sock"),
            SocketPath(f"{directory}/agent.sock"),
            taps=tap_names(spec),
        )
        line, _ = await self._line(spec, placement)
        return line

    async def _line(self, spec: VmSpec, placement: Placement) -> tuple[CommandLine, str]:
        """Return the command line and the accelerator in it."""
        binary = await self._binary(spec.binary)
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
        if spec.boot.guest is not None:
            files = await self._guest_files(spec.boot.guest)
            facts = replace(facts, kernel=files.kernel, initrd=files.initrd)
            placement = replace(placement, append=files.append)
        return command_line(spec, binary, facts, placement), facts.accelerator

    async def _binary(self, path: str | None) -> BinaryFacts:
        path = path or self._settings.binary
        if path not in self._binaries:
            cache = await cache_directory(self._host)
            self._binaries[path] = await probe(self._host, path, cache)
        return self._binaries[path]

    async def _accelerator(self, binary: str) -> AcceleratorFacts:
        if binary not in self._accelerators:
            self._accelerators[binary] = await probe_accelerator(self._host, binary)
        return self._accelerators[binary]
