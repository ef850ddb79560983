"""Starting a VM warm: as a clone of its template, which is made first where it is missing.

Whatever prevents that, the VM boots cold, and one line says why.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from DtsVirtLibrary.errors import TemplateError, TemplateMissing
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.results import Readiness
from DtsVirtLibrary.spec import VmSpec
from DtsVirtLibrary.timeline import Timeline

from .hypervisor import Hypervisor, Instance, Keep


class WarmStart:
    """One warm start.

    :param note: takes a line for the log.
    :param make: lets a fresh source become ready, saves it and ends it; returns whether it
        was saved. One that was not saved runs on, and is the VM then.
    """

    def __init__(
        self,
        hypervisor: Hypervisor,
        spec: VmSpec,
        deadline: Deadline,
        keep: Keep,
        note: Callable[[str], None],
        make: Callable[[Instance], Awaitable[bool]],
    ) -> None:
        self._hypervisor = hypervisor
        self._spec = spec
        self._deadline = deadline
        self._keep = keep
        self._note = note
        self._make = make

    async def launch(self, timeline: Timeline) -> Instance:
        """Return the VM's process, whose CPUs run; see :meth:`Hypervisor.launch`."""
        try:
            return await self._clone(timeline)
        except TemplateMissing:
            pass
        except TemplateError as error:
            self._note(error.summary)
        try:
            source = await self._hypervisor.launch_source(
                self._spec, self._deadline, timeline, self._keep
            )
            if source is not None and not await self._make(source):
                return source
            return await self._clone(timeline)
        except TemplateError as error:
            self._note(f"boots cold: {error.summary}")
        return await self._hypervisor.launch(self._spec, self._deadline, timeline, self._keep)

    async def _clone(self, timeline: Timeline) -> Instance:
        return await self._hypervisor.launch_clone(self._spec, self._deadline, timeline, self._keep)


def readiness_of_source(spec: VmSpec, wanted: Readiness) -> Readiness:
    """Return how far a guest must be before it is saved, so that it serves all later starts."""
    if spec.boot.guest is not None and spec.control_nic is not None:
        return Readiness.SSH
    return Readiness.AGENT if wanted is Readiness.PROCESS else wanted
