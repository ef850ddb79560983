"""One virtual machine through its life."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from DtsVirtLibrary.config import Parameters, build_spec
from DtsVirtLibrary.errors import DtsVirtError, VmStateError
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.results import GuestSession, Readiness, Stage, StopStage, VmInfo, VmStatus
from DtsVirtLibrary.spec import VmSpec
from DtsVirtLibrary.timeline import Timeline

from . import stopping
from .addresses import with_mac_addresses
from .artifacts import ArtifactStore, StartArtifacts
from .ending import Ended, Ending, describe_ending, unless_ended
from .hypervisor import Hypervisor, Instance
from .readiness import wait_until_ready

T = TypeVar("T")


@dataclass(frozen=True)
class MachineContext:
    """What all VMs of a run share.

    :ivar seed: makes the MAC addresses of this run differ from those of another.
    """

    hypervisor: Hypervisor
    artifacts: ArtifactStore
    seed: str


class Machine:
    """A VM: what it shall be, and the process that it currently is.

    All coroutines run on the library's loop.
    """

    def __init__(self, name: str, parameters: Parameters, context: MachineContext) -> None:
        build_spec(name, parameters)
        self.name = name
        self.parameters = parameters
        self.status = VmStatus.CREATED
        self.session: GuestSession | None = None
        self.artifacts: StartArtifacts | None = None
        self.timeline = Timeline()
        self.notes: list[str] = []
        self._context = context
        self._instance: Instance | None = None
        self._watch: asyncio.Task[None] | None = None
        self._ending: Ending | None = None
        self._end_expected = False
        self._plugged = 0

    @property
    def started(self) -> bool:
        """Whether there is a process."""
        return self._instance is not None

    def next_plug_id(self) -> str:
        """Return an id for a device that is plugged in without one."""
        self._plugged += 1
        return f"plug{self._plugged}"

    def info(self) -> VmInfo:
        """Return what is known of the VM now."""
        return VmInfo(
            name=self.name,
            status=self.status.value,
            pid=self._instance.pid if self._instance else None,
            session=self.session,
            artifacts=str(self.artifacts.directory) if self.artifacts else None,
        )

    def specification(self) -> VmSpec:
        """Return what the parameters say, checked and with every MAC address filled in.

        :raises ConfigError: a parameter is wrong.
        """
        return with_mac_addresses(build_spec(self.name, self.parameters), self._context.seed)

    def change(self, parameters: Parameters) -> None:
        """Take other parameters for the next start.

        :raises ConfigError: a parameter is wrong; the former ones stay.
        :raises VmStateError: the VM runs.
        """
        if self.started:
            raise VmStateError(
                f"VM '{self.name}' is {self.status.value}; its parameters can be changed only "
                "while it is not. Stop it first."
            )
        build_spec(self.name, parameters)
        self.parameters = parameters

    async def start(self, readiness: Readiness, seconds: float | None) -> GuestSession:
        """Start the VM and wait as far as `readiness` says.

        :param seconds: deadline counted from the launch; None for the configured one.
        :raises VmStateError: it runs already.
        :raises DtsVirtError: it did not come up; it is stopped then, its artifacts are kept.
        """
        if self.started or self.status is VmStatus.STARTING:
            raise VmStateError(
                f"VM '{self.name}' is already {self.status.value}. "
                "Stop it before starting it again."
            )
        spec = self.specification()
        deadline = Deadline(spec.timeouts.start if seconds is None else seconds)
        timeline = self.timeline = Timeline()
        self.artifacts = self._context.artifacts.new_start(self.name)
        self.notes, self.session, self._ending, self._end_expected = [], None, None, False
        self.status = VmStatus.STARTING
        try:
            instance = await self._context.hypervisor.launch(spec, deadline, timeline)
            self._instance = instance
            self._watch = asyncio.create_task(self._watch_end(instance, self.artifacts))
            self.notes += instance.notes
            ready = wait_until_ready(spec, instance, readiness, deadline, timeline)
            self.session = await self._unless_ended("Start VM", ready)
            await self.artifacts.keep(await instance.collect())
        except BaseException as error:
            await asyncio.shield(self._abandon())
            if isinstance(error, DtsVirtError):
                error.evidence = replace(
                    error.evidence,
                    vm=self.name,
                    action="Start VM",
                    facts=[*error.evidence.facts, _reached(timeline)],
                    artifacts=str(self.artifacts.directory),
                )
                await self._add_ending(error)
            raise
        self.status = VmStatus.RUNNING
        return self.session

    def logged_in(self, user: str) -> None:
        """Note that the session has a login now."""
        assert self.session is not None
        self.timeline.reached("SSH login done")
        self.session = replace(self.session, username=user, stages=self.timeline.stages)

    async def _abandon(self) -> None:
        """End what a failed start left; the watch keeps its artifacts."""
        self._end_expected = True
        if self._instance is not None and self._watch is not None:
            await stopping.kill(self.name, self._instance)
            await self._watch
        self.status = VmStatus.STOPPED

    async def _add_ending(self, error: DtsVirtError) -> None:
        if self._ending is None:
            return
        found = self._ending.evidence
        evidence = replace(
            error.evidence,
            argv=found.argv,
            stderr_tail=found.stderr_tail,
            serial_tail=found.serial_tail,
        )
        error.evidence = evidence
        assert self.artifacts is not None
        await self.artifacts.keep({"error.txt": f"{error}\n".encode()})

    async def _watch_end(self, instance: Instance, artifacts: StartArtifacts) -> None:
        """Note how the process ended, keep its artifacts and give back what it took."""
        await instance.wait_closed()
        self._ending = await describe_ending(self.name, instance, str(artifacts.directory))
        orderly = self._end_expected or self._ending.orderly
        self.status = VmStatus.STOPPED if orderly else VmStatus.CRASHED
        self._instance = None
        try:
            await artifacts.keep(await instance.collect())
        finally:
            await instance.release()

    async def stop(self, guest_seconds: float) -> StopStage:
        """Stop the VM; one that does not run is fine. See :func:`.stopping.stop`."""
        return await self._end(
            lambda instance: stopping.stop(self.name, instance, guest_seconds, self.notes.append)
        )

    async def kill(self) -> StopStage:
        """End the VM at once, without asking the guest."""
        return await self._end(lambda instance: stopping.kill(self.name, instance))

    async def _end(self, how: Callable[[Instance], Awaitable[StopStage]]) -> StopStage:
        instance, watch = self._instance, self._watch
        if instance is None or watch is None:
            if watch is not None:
                # The process has ended, but its artifacts may still be on their way.
                await watch
            self.status = VmStatus.STOPPED
            return StopStage.ALREADY
        self._end_expected = True
        stage = await how(instance)
        await watch
        return stage

    async def use(self, action: str, work: Callable[[Instance], Coroutine[Any, Any, T]]) -> T:
        """Do something with the running process.

        :param action: the keyword's name, for messages.
        :raises VmStateError: the VM was not started, or was stopped.
        :raises VmDied: the process ended before or meanwhile.
        """
        if self._instance is None:
            raise self._not_running(action)
        return await self._unless_ended(action, work(self._instance))

    async def wait_until_stopped(self, seconds: float) -> bool:
        """Return whether the VM has ended within `seconds`."""
        if self._watch is None:
            return True
        await asyncio.wait({self._watch}, timeout=seconds)
        return self._watch.done()

    def _not_running(self, action: str) -> DtsVirtError:
        if self._ending is not None and not self._end_expected:
            return self._ending.error(action)
        return VmStateError(
            f"VM '{self.name}' is {self.status.value}; '{action}' needs it running. "
            "Start it with 'Start VM' first."
        )

    async def _unless_ended(self, action: str, work: Coroutine[Any, Any, T]) -> T:
        assert self._watch is not None
        try:
            return await unless_ended(self._watch, work)
        except Ended:
            assert self._ending is not None
            raise self._ending.error(action) from None


def _reached(timeline: Timeline) -> str:
    return f"Stages reached: {describe_stages(timeline.stages) or 'none'}"


def describe_stages(stages: tuple[Stage, ...]) -> str:
    """Return the stages in one line: ``launched 0.01 s, QMP answered 0.04 s``."""
    return ", ".join(f"{stage.name} {stage.at:.2f} s" for stage in stages)
