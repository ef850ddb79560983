"""Starting a VM warm: as a clone of its template, which is made first where it is missing.

Whatever prevents that, the VM boots cold, and one line says why.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

from DtsVirtLibrary.errors import TemplateError, TemplateMissing
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.results import Readiness
from DtsVirtLibrary.spec import VmSpec
from DtsVirtLibrary.timeline import Timeline
from DtsVirtLibrary.vm.hypervisor import Hypervisor, Instance, Keep
from DtsVirtLibrary.vm.readiness import wait_until_ready


@dataclass(frozen=True)
class Owner:
    """What a warm start asks of the machine that it is for.

    :ivar note: takes a line for the log.
    :ivar adopt: makes a process the machine's, so that its end is seen.
    :ivar guard: awaits something that fails if that process ends, or (True) its guest panics.
    :ivar end: ends that process.
    :ivar claim: takes what a VM names of the host, or refuses that.
    """

    hypervisor: Hypervisor
    note: Callable[[str], None]
    adopt: Callable[[Instance], None]
    guard: Callable[[Coroutine[Any, Any, Any], bool], Awaitable[Any]]
    end: Callable[[Instance], Awaitable[None]]
    claim: Callable[[VmSpec], Awaitable[None]]


def with_overlays(spec: VmSpec) -> VmSpec:
    """Return a VM as it is when it is started warm: it writes to none of its images."""
    return replace(spec, disks=tuple(replace(disk, overlay=True) for disk in spec.disks))


class WarmStart:
    """One warm start."""

    def __init__(
        self,
        owner: Owner,
        spec: VmSpec,
        readiness: Readiness,
        deadline: Deadline,
        timeline: Timeline,
        keep: Keep,
    ) -> None:
        self._owner = owner
        self._hypervisor = owner.hypervisor
        self._spec = spec
        self._readiness = readiness
        self._deadline = deadline
        self._timeline = timeline
        self._keep = keep

    async def launch(self) -> Instance:
        """Return the VM's process, whose CPUs run; see :meth:`.Hypervisor.launch`.

        A source that could not be saved is the VM, and its owner has adopted it already.
        """
        await self._owner.claim(with_overlays(self._spec))
        try:
            return await self._clone()
        except TemplateMissing:
            pass
        except TemplateError as error:
            self._owner.note(error.summary)
        try:
            source = await self._hypervisor.launch_source(
                self._spec, self._deadline, self._timeline, self._keep
            )
            if source is not None and not await self._make(source):
                return source
            return await self._clone()
        except TemplateError as error:
            self._owner.note(f"boots cold: {error.summary}")
        await self._owner.claim(self._spec)
        return await self._hypervisor.launch(self._spec, self._deadline, self._timeline, self._keep)

    async def _clone(self) -> Instance:
        try:
            return await self._hypervisor.launch_clone(
                self._spec, self._deadline, self._timeline, self._keep
            )
        except TemplateError:
            # What the clone reached is no part of the start that comes in its place.
            self._timeline.clear()
            raise

    async def _make(self, source: Instance) -> bool:
        """Let the source become ready, save it and end it; False for one that runs on."""
        self._owner.adopt(source)
        readiness = self._readiness_of_source()
        ready = wait_until_ready(self._spec, source, readiness, self._deadline, self._timeline)
        await self._owner.guard(ready, True)
        answered = readiness is Readiness.SSH and source.forward is not None
        try:
            await self._owner.guard(source.save_template(serves_ssh=answered), False)
        except TemplateError as error:
            self._owner.note(f"stays as it booted: {error.summary}")
            return False
        seconds = self._deadline.elapsed
        self._owner.note(f"its template was made in {seconds:.1f} s, and it is a clone of that")
        await self._owner.end(source)
        self._timeline.clear()
        return True

    def _readiness_of_source(self) -> Readiness:
        """Return how far the guest must be before it is saved, to serve all later starts."""
        if self._spec.boot.guest is not None and self._spec.control_nic is not None:
            return Readiness.SSH
        return Readiness.AGENT if self._readiness is Readiness.PROCESS else self._readiness
