"""One virtual machine through its life."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from DtsVirtLibrary.config import Parameters, build_spec
from DtsVirtLibrary.errors import (
    DtsVirtError,
    HostError,
    VmDied,
    VmStateError,
)
from DtsVirtLibrary.host.memory import out_of_memory_kills
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.results import GuestSession, Readiness, StopStage, VmInfo, VmStatus
from DtsVirtLibrary.spec import Device, Disk, Nic, VmSpec
from DtsVirtLibrary.timeline import Timeline
from DtsVirtLibrary.vm import conflicts, failed_start, stopping
from DtsVirtLibrary.vm.addresses import with_mac_address, with_mac_addresses
from DtsVirtLibrary.vm.artifacts import StartArtifacts
from DtsVirtLibrary.vm.claims import Claims
from DtsVirtLibrary.vm.context import MachineContext
from DtsVirtLibrary.vm.draft import draft
from DtsVirtLibrary.vm.ending import Ending, describe_ending
from DtsVirtLibrary.vm.guarded import Ended, guarded
from DtsVirtLibrary.vm.hypervisor import Instance
from DtsVirtLibrary.vm.passwords import with_passwords
from DtsVirtLibrary.vm.pins import HostKeyPins
from DtsVirtLibrary.vm.readiness import require_channel, wait_until_ready
from DtsVirtLibrary.vm.warm import Owner, WarmStart

T = TypeVar("T")

# The hypervisor's words for a VM whose process lives; any other means that its CPUs stand.
RUN_STATES = {
    "running": VmStatus.RUNNING,
    "guest-panicked": VmStatus.CRASHED,
    "internal-error": VmStatus.CRASHED,
    "shutdown": VmStatus.STOPPED,
}


class Machine:
    """A VM: what it shall be, and the process that it currently is.

    All coroutines run on the library's loop.

    :param running: tells what the VMs of the run are that have a process now.
    """

    def __init__(
        self,
        name: str,
        parameters: Parameters,
        context: MachineContext,
        running: Callable[[], Sequence[VmSpec]] = tuple,
    ) -> None:
        draft(name, parameters)
        self.name = name
        self.parameters = parameters
        self.status = VmStatus.CREATED
        self.session: GuestSession | None = None
        # Whether SSHLibrary was logged in since the start; it shall be again after a reboot.
        self.uses_ssh = False
        self.artifacts: StartArtifacts | None = None
        self.timeline = Timeline()
        self.notes: list[str] = []
        self.host_keys = HostKeyPins()
        self.claims = Claims(context.host, name, context.suite())
        self._context = context
        self._running = running
        self._instance: Instance | None = None
        self._watch: asyncio.Task[None] | None = None
        self._ending: Ending | None = None
        self._end_expected = False
        # How often the kernel had killed for want of memory before the launch.
        self._memory_kills = 0
        # How the VM is or was started last.
        self._warm = False

    @property
    def started(self) -> bool:
        """Whether there is a process."""
        return self._instance is not None

    @property
    def present(self) -> VmSpec | None:
        """What the process is made of now, what was plugged in included; None without one."""
        return self._instance.spec if self._instance is not None else None

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
        spec = build_spec(self.name, self.parameters)
        return with_mac_addresses(spec, self._context.seed, alike=self._warm)

    def addressed(self, device: Device | Disk) -> Device | Disk:
        """Return a device to be plugged in; a network card without a MAC address gets one."""
        if isinstance(device, Nic) and self.present is not None:
            return with_mac_address(device, self.present, self._context.seed)
        return device

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
        draft(self.name, parameters)
        self.parameters = parameters

    async def start(
        self,
        readiness: Readiness,
        seconds: float | None,
        *,
        warm: bool | None = None,
        fresh_identity: bool | None = None,
    ) -> GuestSession:
        """Start the VM and wait as far as `readiness` says.

        :param seconds: deadline counted from the launch; None for the configured one.
        :param warm: start it from a template; None for what its configuration says.
        :param fresh_identity: renew a clone's keys and ids; None for what the configuration says.
        :raises VmStateError: it runs already.
        :raises ConfigError: the agent is to be waited for, and the VM has no channel for it.
        :raises DtsVirtError: it did not come up; it is stopped then, its artifacts are kept.
        """
        if self.started or self.status is VmStatus.STARTING:
            raise VmStateError(
                f"VM '{self.name}' is already {self.status.value}. "
                "Stop it before starting it again."
            )
        self._warm = self.specification().warm if warm is None else warm
        spec = await with_passwords(self._context.host, self.specification())
        if fresh_identity is not None:
            spec = replace(spec, fresh_identity=fresh_identity)
        require_channel(spec, readiness)
        if self._watch is not None:
            # What the process before took may be on its way back.
            await asyncio.wait({self._watch})
        deadline = Deadline(spec.timeouts.start if seconds is None else seconds)
        self.timeline = Timeline()
        artifacts = self.artifacts = self._context.artifacts.new_start(self.name)
        self.notes, self.session, self._ending, self._end_expected = [], None, None, False
        self.uses_ssh = False
        self._memory_kills = await out_of_memory_kills(self._context.host)
        self.host_keys.forget()
        self.status = VmStatus.STARTING
        try:
            self.session = await self._come_up(spec, readiness, deadline, artifacts)
        except BaseException as error:
            await self.give_up(error)
            raise
        return self.session

    async def _come_up(
        self, spec: VmSpec, readiness: Readiness, deadline: Deadline, artifacts: StartArtifacts
    ) -> GuestSession:
        if self._warm:
            instance = await self._warm_start(spec, readiness, deadline, artifacts).launch()
        else:
            await self._claim(spec)
            instance = await self._context.hypervisor.launch(
                spec, deadline, self.timeline, artifacts.keep
            )
        if instance is not self._instance:
            self._adopt(instance, artifacts)

        async def ready() -> GuestSession:
            session = await wait_until_ready(spec, instance, readiness, deadline, self.timeline)
            await artifacts.keep({**await instance.collect(), **self._stages_file()})
            return session

        session = await self._unless_ended("Start VM", ready(), needs_guest=True)
        if self._instance is None:
            assert self._watch is not None
            await self._watch
            raise self._ended_error("Start VM")
        self.notes += [note for note in instance.notes if note not in self.notes]
        if readiness is not Readiness.PROCESS:
            instance.settle()
        self.status = VmStatus.RUNNING
        return session

    def _adopt(self, instance: Instance, artifacts: StartArtifacts) -> None:
        self._instance = instance
        self._watch = asyncio.create_task(self._watch_end(instance, artifacts))
        instance.on_reset(lambda: self._context.on_reset(self.name))
        self.notes += instance.notes

    def _warm_start(
        self, spec: VmSpec, readiness: Readiness, deadline: Deadline, artifacts: StartArtifacts
    ) -> WarmStart:
        owner = Owner(
            hypervisor=self._context.hypervisor,
            note=lambda words: self.notes.append(f"VM '{self.name}': {words}"),
            adopt=lambda source: self._adopt(source, artifacts),
            guard=lambda work, needs_guest: self._unless_ended("Start VM", work, needs_guest),
            end=self._end_source,
            claim=self._claim,
        )
        return WarmStart(owner, spec, readiness, deadline, self.timeline, artifacts.keep)

    async def _end_source(self, source: Instance) -> None:
        """End the VM that has become a template; the start goes on with its clone."""
        assert self._watch is not None
        self._end_expected = True
        await stopping.kill(self.name, source)
        await self._watch
        self._ending, self._end_expected = None, False
        self.status = VmStatus.STARTING
        await self.claims.take(source.spec)

    async def _claim(self, spec: VmSpec) -> None:
        """Take what the VM is to be launched with, in the place of what it had."""
        await self.claims.retain(None)
        await self.check_conflicts(spec)

    async def check_conflicts(self, spec: VmSpec) -> None:
        """Refuse what another VM has, of this run or another one; see :mod:`.conflicts`."""
        await conflicts.check(self._context.host, spec, self._running())
        await self.claims.take(spec)

    def logged_in(self, user: str, key: str | None) -> None:
        """Note that the session has a login now."""
        assert self.session is not None
        self.uses_ssh = True
        self.timeline.reached("SSH login done")
        stages = self.timeline.stages
        self.session = replace(self.session, username=user, key=key, stages=stages)

    async def give_up(self, error: BaseException) -> None:
        """End a VM that did not become usable, and add to the error what is known of it.

        It ends even if this is interrupted; its artifacts are kept.
        """
        self._end_expected = True
        if self.timeline.stages:
            self.timeline.reached(failed_start.GIVEN_UP)
        if self._instance is not None and isinstance(error, DtsVirtError):
            await failed_start.add_state(error, self._instance)
        if self._instance is None:
            self.status = VmStatus.STOPPED
        try:
            await asyncio.shield(self._end_abandoned())
        except DtsVirtError as problem:
            # What came first is the one to report.
            self.notes.append(problem.summary)
        if self.artifacts is None or not (self.artifacts.kept or self.started):
            # Nothing was launched, so there is nothing to keep or to explain.
            self.artifacts = None
            return
        files = self._stages_file()
        if isinstance(error, DtsVirtError):
            end = self._ending.evidence if self._ending else None
            kept = str(self.artifacts.directory)
            failed_start.explain(error, self.name, end, self.timeline, self.notes, kept)
            files["error.txt"] = f"{error.whole_text()}\n".encode()
        with suppress(HostError):
            await self.artifacts.keep(files)

    async def _end_abandoned(self) -> None:
        if self._instance is not None:
            await stopping.kill(self.name, self._instance)
        if self._watch is not None:
            await self._watch
        await self.claims.retain(None)
        self.status = VmStatus.STOPPED

    def _stages_file(self) -> dict[str, bytes]:
        lines = [f"{stage.at:.3f} s {stage.name}\n" for stage in self.timeline.stages]
        return {"stages.txt": "".join(lines).encode()}

    async def _watch_end(self, instance: Instance, artifacts: StartArtifacts) -> None:
        """Note how the process ended, keep its artifacts and give back what it took."""
        try:
            await instance.wait_closed()
        except HostError:
            return  # it was kept, and outlives this run
        kills = await out_of_memory_kills(self._context.host)
        self._ending = await describe_ending(
            self.name,
            instance,
            str(artifacts.directory),
            out_of_memory=kills > self._memory_kills,
        )
        orderly = self._end_expected or self._ending.orderly
        self.status = VmStatus.STOPPED if orderly else VmStatus.CRASHED
        self._instance = None
        try:
            await artifacts.keep({**await instance.collect(), **self._stages_file()})
        finally:
            await instance.release()
            await self.claims.retain(None)

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
            if self.status is VmStatus.CRASHED and self._ending is not None:
                self.notes.append(self._ending.summary)
            self.status = VmStatus.STOPPED
            return StopStage.ALREADY
        self._end_expected = True
        stage = await how(instance)
        await watch
        return stage

    async def use(
        self,
        action: str,
        work: Callable[[Instance], Coroutine[Any, Any, T]],
        *,
        needs_guest: bool = False,
    ) -> T:
        """Do something with the running process.

        :param action: the keyword's name, for messages.
        :param needs_guest: the guest must do it, so a panic ends it.
        :raises VmStateError: the VM was not started, or was stopped.
        :raises VmDied: the process ended before or meanwhile.
        """
        if self._instance is None:
            raise self._not_running(action)
        result = await self._unless_ended(action, work(self._instance), needs_guest)
        if needs_guest and self._instance is not None:
            self._instance.settle()
        return result

    async def keep(self) -> None:
        """Let the process outlive the run."""
        await self.use("Start VM", lambda instance: instance.keep())

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

    async def _unless_ended(
        self, action: str, work: Coroutine[Any, Any, T], needs_guest: bool
    ) -> T:
        watch, instance, artifacts = self._watch, self._instance, self.artifacts
        assert watch is not None
        assert instance is not None
        assert artifacts is not None
        place = str(artifacts.directory)
        try:
            return await guarded(action, instance, watch, place, work, needs_guest=needs_guest)
        except Ended:
            raise self._ended_error(action) from None

    @property
    def lost(self) -> bool:
        """Whether something keeps the guest from going on now, though the process lives."""
        return self._instance is not None and self._instance.lost

    @property
    def crash(self) -> Ending | None:
        """How the process of the last start ended, if that was a crash."""
        ending = self._ending
        return None if ending is None or self._end_expected or ending.orderly else ending

    async def take_surprises(self) -> Sequence[str]:
        """Return what befell the running VM unasked since the last call, a line each."""
        return await self._instance.take_surprises() if self._instance is not None else ()

    async def ask_status(self) -> VmStatus:
        """Return where the VM is in its life, asking the process if there is one."""
        if self._instance is not None and self.status is not VmStatus.STARTING:
            try:
                word = await self.use("Get VM Status", lambda instance: instance.status())
            except VmDied:
                return self.status
            self.status = RUN_STATES.get(word, VmStatus.PAUSED)
        return self.status

    def _ended_error(self, action: str) -> VmDied:
        assert self._ending is not None
        return self._ending.error(action)
