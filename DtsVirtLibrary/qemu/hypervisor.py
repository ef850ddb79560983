"""QEMU as a hypervisor: from a specification to a running instance."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from DtsVirtLibrary.cache import cache_directory
from DtsVirtLibrary.errors import (
    HostError,
    MonitorError,
    StartError,
    TemplateError,
    TemplateMissing,
)
from DtsVirtLibrary.host.hugepages import hugetlbfs_mount
from DtsVirtLibrary.host.protocol import Host
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.qemu.binary.accelerator import AcceleratorFacts, choose, probe_accelerator
from DtsVirtLibrary.qemu.binary.facts import BinaryFacts
from DtsVirtLibrary.qemu.binary.probe import probe
from DtsVirtLibrary.qemu.command_line.build import CommandLine, command_line, shell_text
from DtsVirtLibrary.qemu.command_line.host_facts import HostFacts
from DtsVirtLibrary.qemu.command_line.identity import identified
from DtsVirtLibrary.qemu.command_line.placement import Descriptor, Placement, SocketPath
from DtsVirtLibrary.qemu.inside.access import LoginKey
from DtsVirtLibrary.qemu.instance import QemuInstance
from DtsVirtLibrary.qemu.launch import AGENT_DESCRIPTOR, MONITOR_DESCRIPTOR, Keep, launch
from DtsVirtLibrary.qemu.start import preflight
from DtsVirtLibrary.qemu.start.account import hand_over, let_in
from DtsVirtLibrary.qemu.start.images import ImageCheck
from DtsVirtLibrary.qemu.start.prepared import PreparedStart
from DtsVirtLibrary.qemu.start.resources import StartResources, tap_names
from DtsVirtLibrary.qemu.templates.key import (
    anonymous,
    anonymous_placement,
    describe,
    key_of,
    split,
)
from DtsVirtLibrary.qemu.templates.running_vm import save_running
from DtsVirtLibrary.qemu.templates.store import TemplateStore
from DtsVirtLibrary.qemu.templates.warm import (
    TemplateDraft,
    clone_spec,
    for_clone,
    for_source,
    load,
    lock,
)
from DtsVirtLibrary.results import TemplateInfo
from DtsVirtLibrary.spec import Accelerator, VmSpec
from DtsVirtLibrary.timeline import Timeline

VHOST_NET = "/dev/vhost-net"


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


async def _no_key() -> LoginKey:
    raise AssertionError("A guest is logged in to where nobody was to log in.")


class QemuHypervisor:
    """Starts QEMU on one host.

    :param guest_files: finds the embedded guest of a flavour, making it if need be.
    :param login_key: finds the key that opens guests which the library made.
    """

    def __init__(
        self,
        host: Host,
        settings: QemuSettings,
        guest_files: Callable[[str], Awaitable[GuestFiles]],
        login_key: Callable[[], Awaitable[LoginKey]] = _no_key,
    ) -> None:
        self._host = host
        self._settings = settings
        self._guest_files = guest_files
        self._login_key = login_key
        self._templates = TemplateStore(host)
        self._images = ImageCheck(host)
        self._binaries: dict[str | None, BinaryFacts] = {}
        self._accelerators: dict[str, AcceleratorFacts] = {}

    async def version(self, binary: str | None) -> str:
        """Return QEMU's version, such as ``7.2.22``."""
        return (await self._binary(binary)).version_text

    async def command_line(self, spec: VmSpec) -> tuple[Sequence[str], str]:
        """Return the command line, and the same as shell text that can be pasted."""
        spec = identified(spec)
        line = _by_hand(spec, await self._facts(spec))
        return list(line.argv), shell_text(line)

    async def launch(
        self, spec: VmSpec, deadline: Deadline, timeline: Timeline, keep: Keep
    ) -> QemuInstance:
        """Start QEMU and return once its CPUs run; nothing stays behind if that fails.

        :raises ConfigError: the specification does not fit the binary or the host.
        :raises StartError: QEMU ended at once; the text has its stderr.
        :raises StartTimeout: QEMU did not answer in time; the text says what it waits for.
        """
        resources = StartResources(self._host)
        return await self._start(identified(spec), deadline, timeline, keep, resources)

    async def launch_clone(
        self, spec: VmSpec, deadline: Deadline, timeline: Timeline, keep: Keep
    ) -> QemuInstance:
        """Start a clone of the specification's template and return once its CPUs run.

        :raises TemplateMissing: there is none yet, or none can be made; then the source says why.
        :raises TemplateError: the one there is cannot serve.
        """
        spec = identified(spec)
        if spec.run_as is not None:
            raise TemplateMissing("A VM with run_as has no template.")
        try:
            parts = split(spec)
        except TemplateError as error:
            raise TemplateMissing(error.summary) from error
        key, _ = await self._key(parts.core)
        template = await self._templates.find(key)
        core = clone_spec(parts.core, template)
        resources = StartResources(self._host)

        async def placed(placement: Placement) -> Placement:
            return await for_clone(self._host, placement, template, spec, resources)

        async def restore(instance: QemuInstance) -> None:
            await load(instance, self._templates, template)
            await instance.come_from(template.manifest.guest, parts.later)

        try:
            return await self._start(core, deadline, timeline, keep, resources, placed, restore)
        except (StartError, MonitorError, HostError) as error:
            if isinstance(error, (StartError, MonitorError)):
                await self._templates.discard(template)
            raise TemplateError(f"its template {key} cannot serve: {error.summary}") from error

    async def launch_source(
        self, spec: VmSpec, deadline: Deadline, timeline: Timeline, keep: Keep
    ) -> QemuInstance | None:
        """Boot a VM that can be saved as the specification's template.

        Returns None if somebody else has made the template meanwhile.

        :raises TemplateError: no template can be made; the text says why.
        """
        core = split(identified(spec)).core
        resources = StartResources(self._host)
        draft = await self._draft(core, resources, deadline, missing_only=True)
        if draft is None:
            return None

        async def placed(placement: Placement) -> Placement:
            return for_source(placement, draft.directory, core)

        instance = await self._start(core, deadline, timeline, keep, resources, placed)
        instance.draft = draft
        return instance

    async def save_running(self, spec: VmSpec, instance: QemuInstance, deadline: Deadline) -> None:
        """Save a running VM, as it is now, as its template; see :func:`.save_running`."""
        core = split(identified(spec)).core
        resources = StartResources(self._host)
        draft = await self._draft(core, resources, deadline, missing_only=False)
        assert draft is not None

        async def placed(placement: Placement) -> Placement:
            return for_source(placement, draft.directory, core)

        async def nowhere(files: Mapping[str, bytes]) -> None:
            """Keep no files of a QEMU that is no VM of the tester's."""

        async def launch_other(
            other: VmSpec, receive: Callable[[QemuInstance], Awaitable[None]]
        ) -> QemuInstance:
            own = StartResources(self._host)
            return await self._start(other, deadline, Timeline(), nowhere, own, placed, receive)

        try:
            await save_running(instance, core, draft, launch_other)
        finally:
            await resources.give_back()

    async def _draft(
        self, core: VmSpec, resources: StartResources, deadline: Deadline, *, missing_only: bool
    ) -> TemplateDraft | None:
        """Begin a template while nobody else can, till the resources are given back.

        :param missing_only: return None if there is one, made by somebody else meanwhile.
        :raises TemplateError: none can be made; the text says why.
        """
        if core.run_as is not None:
            raise TemplateError("with run_as it could not reach a template, which is the run's own")
        key, version = await self._key(core)
        try:
            await lock(self._host, self._templates, key, resources, deadline)
            if missing_only and await self._templates.exists(key):
                await resources.give_back()
                return None
            directory = await self._templates.draft(core.memory.size_mib)
            resources.remove_later(directory)
        except HostError as error:
            await resources.give_back()
            raise TemplateError(f"no template can be made: {error.summary}") from error
        except BaseException:
            await resources.give_back()
            raise
        return TemplateDraft(self._host, self._templates, directory, key, version, describe(core))

    async def templates(self) -> tuple[TemplateInfo, ...]:
        """Return the templates that are stored, the one used last first."""
        return await self._templates.infos()

    async def remove_template(self, spec: VmSpec) -> bool:
        """Remove the specification's template; return whether there was one."""
        try:
            key, _ = await self._key(split(identified(spec)).core)
        except TemplateError:
            return False
        return await self._templates.remove(key)

    async def _key(self, core: VmSpec) -> tuple[str, str]:
        """Return the key of a specification's template, and QEMU's version."""
        spec = anonymous(core)
        facts = await self._facts(spec)
        line = facts.line(spec, anonymous_placement(spec))
        key = await key_of(self._host, core, facts.binary, facts.host, line.argv)
        return key, facts.binary.version_text

    async def _start(
        self,
        spec: VmSpec,
        deadline: Deadline,
        timeline: Timeline,
        keep: Keep,
        resources: StartResources,
        placed: Callable[[Placement], Awaitable[Placement]] | None = None,
        before_cpus: Callable[[QemuInstance], Awaitable[None]] | None = None,
    ) -> QemuInstance:
        """Start QEMU; see :meth:`launch`.

        :param placed: moves a part of the VM to other places than those of a cold start.
        """
        placement = Placement(
            "/run/dtsvirt",
            Descriptor(MONITOR_DESCRIPTOR),
            Descriptor(AGENT_DESCRIPTOR),
            taps=tap_names(spec),
        )
        try:
            # Built once before anything is made, so that bad input leaves no trace.
            facts = await self._facts(spec)
            facts.line(spec, placement)
            await preflight.check(self._host, spec, self._images)
            handover = await hand_over(
                self._host, spec, facts.binary.path, facts.host, placement.taps
            )
            resources.owner = handover.account
            if placed is not None:
                placement = await placed(placement)
            placement = replace(placement, directory=await resources.directory(spec.name))
            if handover.account is not None:
                placement = await let_in(self._host, handover, placement)
            await resources.prepare(spec, placement)
            start = PreparedStart(
                spec,
                self._host,
                placement,
                replace(facts, host=handover.seen(facts.host)).line(spec, placement),
                facts.host.accelerator,
                resources,
                shell_text(_by_hand(spec, facts)),
                self._settings.monitor_seconds,
                handover,
                self._login_key,
            )
            return await launch(start, deadline, timeline, keep, before_cpus)
        except BaseException:
            await resources.give_back()
            raise

    async def _facts(self, spec: VmSpec) -> StartFacts:
        """Return the facts that the command line of a start is made from."""
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
        if spec.boot.guest is None:
            return StartFacts(binary, facts)
        files = await self._guest_files(spec.boot.guest)
        facts = replace(facts, kernel=files.kernel, initrd=files.initrd)
        return StartFacts(binary, facts, files.append)

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


def _by_hand(spec: VmSpec, facts: StartFacts) -> CommandLine:
    """Return a command line whose channels are paths; nothing is made there."""
    directory = f"/tmp/dtsvirt-{spec.name}"
    placement = Placement(
        directory,
        SocketPath(f"{directory}/qmp.sock"),
        SocketPath(f"{directory}/agent.sock"),
        taps=tap_names(spec),
    )
    return facts.line(spec, placement)
