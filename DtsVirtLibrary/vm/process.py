"""The process that a VM is, or was last: watched to its end, which is then known."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from DtsVirtLibrary.errors import HostError, VmDied
from DtsVirtLibrary.host.memory import memory_group, memory_kills
from DtsVirtLibrary.host.protocol import Host
from DtsVirtLibrary.results import StopStage
from DtsVirtLibrary.timeline import Timeline
from DtsVirtLibrary.vm.artifacts import StartArtifacts, stages_file
from DtsVirtLibrary.vm.claims import Claims
from DtsVirtLibrary.vm.ending import Ending, describe_ending
from DtsVirtLibrary.vm.guarded import Ended, guarded
from DtsVirtLibrary.vm.hypervisor import Instance

T = TypeVar("T")


class VmProcess:
    """Watches the process of one VM, start by start.

    :param claims: what the VM has of the host; given back when the process has ended.
    :param on_end: called when a process has ended, True if that was a crash.
    :ivar instance: the process; None as long as there is none.
    :ivar ending: how the last one ended; None while that is not known.
    :ivar end_expected: its end was asked for.
    """

    def __init__(self, vm: str, host: Host, claims: Claims, on_end: Callable[[bool], None]) -> None:
        self.instance: Instance | None = None
        self.ending: Ending | None = None
        self.end_expected = False
        self._vm = vm
        self._host = host
        self._claims = claims
        self._on_end = on_end
        self._artifacts: StartArtifacts | None = None
        self._watch: asyncio.Task[None] | None = None

    async def given_back(self) -> None:
        """Return when the last process, if it has ended, has given back what it took."""
        if self._watch is not None:
            await asyncio.wait({self._watch})

    def forget(self) -> None:
        """Forget how the last one ended: another is about to be launched."""
        self.ending, self.end_expected = None, False

    def adopt(self, instance: Instance, artifacts: StartArtifacts, timeline: Timeline) -> None:
        """Watch a process that was launched; `artifacts` get the files that it leaves."""
        self.instance, self._artifacts = instance, artifacts
        self._watch = asyncio.create_task(self._watch_end(instance, artifacts, timeline))

    async def _watch_end(
        self, instance: Instance, artifacts: StartArtifacts, timeline: Timeline
    ) -> None:
        """Note how the process ended, keep its artifacts and give back what it took."""
        group = await memory_group(self._host, instance.pid)
        before = await memory_kills(self._host, group)
        try:
            await instance.wait_closed()
        except HostError:
            return  # it was kept, and outlives this run
        kills = (await memory_kills(self._host, group)).since(before)
        directory = str(artifacts.directory)
        self.ending = await describe_ending(self._vm, instance, directory, kills)
        self._on_end(self.crash is not None)
        self.instance = None
        try:
            await artifacts.keep({**await instance.collect(), **stages_file(timeline)})
        finally:
            await instance.release()
            await self._claims.retain(None)

    @property
    def crash(self) -> Ending | None:
        """How the last process ended, if that was a crash."""
        ending = self.ending
        return None if ending is None or self.end_expected or ending.orderly else ending

    async def end(self, how: Callable[[Instance], Awaitable[StopStage]]) -> StopStage:
        """End the process and return when what it took has been given back.

        :raises CleanupError: it did not end.
        """
        instance, watch = self.instance, self._watch
        if instance is None or watch is None:
            if watch is not None:
                # The process has ended, but its artifacts may still be on their way.
                await watch
            return StopStage.ALREADY
        self.end_expected = True
        stage = await how(instance)
        await watch
        return stage

    async def wait_ended(self, seconds: float) -> bool:
        """Return whether the process has ended within `seconds`."""
        if self._watch is None:
            return True
        await asyncio.wait({self._watch}, timeout=seconds)
        return self._watch.done()

    async def unless_ended(self, action: str, work: Coroutine[Any, Any, T], needs_guest: bool) -> T:
        """Return what `work` returns, as long as the process lives; see :func:`.guarded`.

        :raises VmDied: it ended first.
        """
        watch, instance, artifacts = self._watch, self.instance, self._artifacts
        assert watch is not None
        assert instance is not None
        assert artifacts is not None
        place = str(artifacts.directory)
        try:
            return await guarded(action, instance, watch, place, work, needs_guest=needs_guest)
        except Ended:
            raise self.ended_error(action) from None

    def ended_error(self, action: str) -> VmDied:
        """Return the error for an action that needed the process, which has ended."""
        assert self.ending is not None
        return self.ending.error(action)
