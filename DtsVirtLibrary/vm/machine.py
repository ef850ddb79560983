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
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.results import GuestSession, Readiness, StopStage, VmInfo, VmStatus
from DtsVirtLibrary.spec import Device, Disk, Nic, VmSpec
from DtsVirtLibrary.timeline import Timeline
from DtsVirtLibrary.vm import conflicts, failed_start, stopping
from DtsVirtLibrary.vm.addresses import with_mac_address, with_mac_addresses
from DtsVirtLibrary.vm.artifacts import StartArtifacts, stages_file
from DtsVirtLibrary.vm.claims import Claims
from DtsVirtLibrary.vm.context import MachineContext
from DtsVirtLibrary.vm.draft import draft
from DtsVirtLibrary.vm.ending import Ending
from DtsVirtLibrary.vm.hypervisor import Instance
from DtsVirtLibrary.vm.passwords import with_passwords
from DtsVirtLibrary.vm.pins import HostKeyPins
from DtsVirtLibrary.vm.process import VmProcess
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
        self._process = VmProcess(name, context.host, self.claims, self._ended)
        self._context = context
        self._running = running
        # How the VM is or was started last.
        self._warm = False

    @property
    def started(self) -> bool:
        """Whether there is a process."""
        return self._process.instance is not None

    @property
    def present(self) -> VmSpec | None:
        """What the process is made of now, what was plugged in included; None without one."""
        instance = self._process.instance
        return None if instance is None else instance.spec

    def info(self) -> VmInfo:
        """Return what is known of the VM now."""
        instance = self._process.instance
        return VmInfo(
            name=self.name,
            status=self.status.value,
            pid=instance.pid if instance else None,
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
        await self._process.given_back()
        deadline = Deadline(spec.timeouts.start if seconds is None else seconds)
        self.timeline = Timeline()
        artifacts = self.artifacts = self._context.artifacts.new_start(self.name)
        self.notes, self.session, self.uses_ssh = [], None, False
        self._process.forget()
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
        if instance is not self._process.instance:
            self._adopt(instance, artifacts)

        async def ready() -> GuestSession:
            session = await wait_until_ready(spec, instance, readiness, deadline, self.timeline)
            await artifacts.keep({**await instance.collect(), **stages_file(self.timeline)})
            return session

        session = await self._process.unless_ended("Start VM", ready(), needs_guest=True)
        if not self.started:
            await self._process.given_back()
            raise self._process.ended_error("Start VM")
        self._note_once(instance)
        if readiness is not Readiness.PROCESS:
            instance.settle()
        self.status = VmStatus.RUNNING
        return session

    def _adopt(self, instance: Instance, artifacts: StartArtifacts) -> None:
        self._process.adopt(instance, artifacts, self.timeline)
        instance.on_reset(lambda: self._context.on_reset(self.name))
        self._note_once(instance)

    def _note_once(self, instance: Instance) -> None:
        """Take over the notes of a process, but none that its template's source had too."""
        self.notes += [note for note in instance.notes if note not in self.notes]

    def _warm_start(
        self, spec: VmSpec, readiness: Readiness, deadline: Deadline, artifacts: StartArtifacts
    ) -> WarmStart:
        owner = Owner(
            hypervisor=self._context.hypervisor,
            note=lambda words: self.notes.append(f"VM '{self.name}': {words}"),
            adopt=lambda source: self._adopt(source, artifacts),
            guard=lambda work, needs_guest: self._process.unless_ended(
                "Start VM", work, needs_guest
            ),
            end=self._end_source,
            claim=self._claim,
        )
        return WarmStart(owner, spec, readiness, deadline, self.timeline, artifacts.keep)

    async def _end_source(self, source: Instance) -> None:
        """End the VM that has become a template; the start goes on with its clone."""
        await self._process.end(lambda instance: stopping.kill(self.name, instance))
        self._process.forget()
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
        self._process.end_expected = True
        if isinstance(error, DtsVirtError):
            error.name_vm(self.name)
        if self.timeline.stages:
            self.timeline.reached(failed_start.GIVEN_UP)
        instance = self._process.instance
        if instance is not None and isinstance(error, DtsVirtError):
            await failed_start.add_state(error, instance)
        if not self.started:
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
        files = stages_file(self.timeline)
        if isinstance(error, DtsVirtError):
            ending = self._process.ending
            end = ending.evidence if ending else None
            kept = str(self.artifacts.directory)
            failed_start.explain(error, self.name, end, self.timeline, self.notes, kept)
            files["error.txt"] = f"{error.whole_text()}\n".encode()
        with suppress(HostError):
            await self.artifacts.keep(files)

    async def _end_abandoned(self) -> None:
        await self._process.end(lambda instance: stopping.kill(self.name, instance))
        await self.claims.retain(None)
        self.status = VmStatus.STOPPED

    def _ended(self, crashed: bool) -> None:
        self.status = VmStatus.CRASHED if crashed else VmStatus.STOPPED

    async def stop(self, guest_seconds: float) -> StopStage:
        """Stop the VM; one that does not run is fine. See :func:`.stopping.stop`."""
        return await self._end(
            lambda instance: stopping.stop(self.name, instance, guest_seconds, self.notes.append)
        )

    async def kill(self) -> StopStage:
        """End the VM at once, without asking the guest."""
        return await self._end(lambda instance: stopping.kill(self.name, instance))

    async def _end(self, how: Callable[[Instance], Awaitable[StopStage]]) -> StopStage:
        stage = await self._process.end(how)
        if stage is StopStage.ALREADY:
            if self.status is VmStatus.CRASHED and self._process.ending is not None:
                self.notes.append(self._process.ending.summary)
            self.status = VmStatus.STOPPED
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
        :raises VmStateError: the VM does not run, or the guest is needed and paused.
        :raises VmDied: the process ended before or meanwhile.
        """
        process = self._process
        if needs_guest:
            await self._require_cpus(action)
        if process.instance is None:
            raise self._not_running(action)
        try:
            result = await process.unless_ended(action, work(process.instance), needs_guest)
        except DtsVirtError as error:
            error.name_vm(self.name)
            raise
        if needs_guest and process.instance is not None:
            process.instance.settle()
        return result

    async def _require_cpus(self, action: str) -> None:
        """Refuse what a paused guest cannot do, instead of waiting for it."""
        paused = self.status is VmStatus.PAUSED and not self.lost
        if paused and await self.ask_status() is VmStatus.PAUSED:
            raise VmStateError(
                f"VM '{self.name}' is paused; '{action}' needs its CPUs to run. Let them run with "
                "'Resume VM' first."
            )

    async def keep(self) -> None:
        """Let the process outlive the run."""
        await self.use("Start VM", lambda instance: instance.keep())

    async def wait_until_stopped(self, seconds: float) -> bool:
        """Return whether the VM has ended within `seconds`."""
        return await self._process.wait_ended(seconds)

    def _not_running(self, action: str) -> DtsVirtError:
        process = self._process
        if process.ending is not None and not process.end_expected:
            return process.ending.error(action)
        return VmStateError(
            f"VM '{self.name}' is {self.status.value}; '{action}' needs it running. "
            "Start it with 'Start VM' first."
        )

    @property
    def lost(self) -> bool:
        """Whether something keeps the guest from going on now, though the process lives."""
        instance = self._process.instance
        return instance is not None and instance.lost

    @property
    def crash(self) -> Ending | None:
        """How the process of the last start ended, if that was a crash."""
        return self._process.crash

    async def take_surprises(self) -> Sequence[str]:
        """Return what befell the running VM unasked since the last call, a line each."""
        instance = self._process.instance
        return () if instance is None else await instance.take_surprises()

    async def ask_status(self) -> VmStatus:
        """Return where the VM is in its life, asking the process if there is one."""
        if self.started and self.status is not VmStatus.STARTING:
            try:
                word = await self.use("Get VM Status", lambda instance: instance.status())
            except VmDied:
                return self.status
            self.status = RUN_STATES.get(word, VmStatus.PAUSED)
        return self.status
