"""QEMU as a hypervisor: from a specification to a running instance."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from DtsVirtLibrary.errors import (
    HostError,
    MonitorError,
    StartError,
    TemplateError,
    TemplateMissing,
)
from DtsVirtLibrary.host.protocol import Host
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.qemu.command_line.build import shell_text
from DtsVirtLibrary.qemu.command_line.identity import identified
from DtsVirtLibrary.qemu.command_line.placement import AGENT_ENDPOINT, MONITOR_ENDPOINT, Placement
from DtsVirtLibrary.qemu.inside.access import LoginKey
from DtsVirtLibrary.qemu.instance import QemuInstance
from DtsVirtLibrary.qemu.launch import Keep, launch
from DtsVirtLibrary.qemu.start import preflight
from DtsVirtLibrary.qemu.start.account import hand_over, let_in
from DtsVirtLibrary.qemu.start.facts import FactFinder, GuestFiles, QemuSettings
from DtsVirtLibrary.qemu.start.images import ImageCheck
from DtsVirtLibrary.qemu.start.prepared import PreparedStart
from DtsVirtLibrary.qemu.start.resources import StartResources, tap_names
from DtsVirtLibrary.qemu.templates.clones import clone_spec, for_clone, load
from DtsVirtLibrary.qemu.templates.draft import TemplateDraft, for_source, lock
from DtsVirtLibrary.qemu.templates.key import (
    anonymous,
    anonymous_placement,
    describe,
    key_of,
    split,
)
from DtsVirtLibrary.qemu.templates.running_vm import save_running
from DtsVirtLibrary.qemu.templates.store import TemplateStore
from DtsVirtLibrary.results import TemplateInfo
from DtsVirtLibrary.spec import VmSpec
from DtsVirtLibrary.timeline import Timeline


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
        self._facts = FactFinder(host, settings, guest_files)
        self._login_key = login_key
        self._templates = TemplateStore(host)
        self._images = ImageCheck(host)

    async def version(self, binary: str | None) -> str:
        """Return QEMU's version, such as ``7.2.22``."""
        return (await self._facts.binary(binary)).version_text

    async def command_line(self, spec: VmSpec) -> tuple[Sequence[str], str]:
        """Return the command line, and the same as shell text that can be pasted."""
        spec = identified(spec)
        line = (await self._facts.of(spec)).by_hand(spec)
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
        resources = StartResources(self._host)

        async def placed(placement: Placement) -> Placement:
            return await for_clone(self._host, placement, template, spec, resources)

        async def restore(instance: QemuInstance) -> None:
            await load(instance, self._templates, template)
            await instance.come_from(template.manifest.guest, parts.later)

        try:
            core = await clone_spec(self._templates, parts.core, template, resources)
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
        facts = await self._facts.of(spec)
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
        try:
            start = await self._prepare(spec, resources, placed)
            return await launch(start, deadline, timeline, keep, before_cpus)
        except BaseException:
            await resources.give_back()
            raise

    async def _prepare(
        self,
        spec: VmSpec,
        resources: StartResources,
        placed: Callable[[Placement], Awaitable[Placement]] | None,
    ) -> PreparedStart:
        placement = Placement(
            "/run/dtsvirt",
            MONITOR_ENDPOINT,
            AGENT_ENDPOINT,
            taps=tap_names(spec),
        )
        # Built once before anything is made, so that bad input leaves no trace.
        facts = await self._facts.of(spec)
        facts.line(spec, placement)
        await preflight.check(self._host, spec, self._images)
        handover = await hand_over(self._host, spec, facts.binary.path, facts.host, placement.taps)
        resources.owner = handover.account
        if placed is not None:
            placement = await placed(placement)
        placement = replace(placement, directory=await resources.directory(spec.name))
        if handover.account is not None:
            placement = await let_in(self._host, handover, placement)
        await resources.prepare(spec, placement)
        return PreparedStart(
            spec,
            self._host,
            placement,
            replace(facts, host=handover.seen(facts.host)).line(spec, placement),
            facts.host.accelerator,
            resources,
            shell_text(facts.by_hand(spec)),
            self._settings.monitor_seconds,
            handover,
            self._login_key,
        )
