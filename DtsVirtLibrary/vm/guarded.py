"""Doing something with a VM only as long as its process lives and its guest goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, TypeVar

from DtsVirtLibrary.errors import AgentClosed, DtsVirtError, MonitorClosed, MonitorTimeout
from DtsVirtLibrary.results import GuestLoss
from DtsVirtLibrary.vm.ending import describe_ending
from DtsVirtLibrary.vm.hypervisor import Instance

T = TypeVar("T")

# A closed channel is seen a moment before the end of the process behind it, or the reset.
END_GRACE = 2.0


class Ended(Exception):
    """The process ended before the work was done."""


class Lost(Exception):
    """The guest stopped going on before the work was done."""

    def __init__(self, loss: GuestLoss) -> None:
        super().__init__(loss.kind)
        self.loss = loss


async def unless_ended(
    end: asyncio.Task[None],
    work: Coroutine[Any, Any, T],
    losing: Coroutine[Any, Any, GuestLoss] | None = None,
) -> T:
    """Return what `work` returns, as long as the task `end` is not done.

    :param losing: ends when the guest does not go on, for work that needs the guest.
    :raises Ended: `end` was done first, or a channel closed because of it.
    :raises Lost: `losing` was done first, or a channel closed because of it.
    """
    task = asyncio.ensure_future(work)
    lost = None if losing is None else asyncio.ensure_future(losing)
    watches: set[asyncio.Future[Any]] = {end} if lost is None else {end, lost}
    try:
        await asyncio.wait({task, *watches}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            try:
                return task.result()
            except (MonitorClosed, AgentClosed):
                await asyncio.wait(watches, timeout=END_GRACE, return_when=asyncio.FIRST_COMPLETED)
                if not any(watch.done() for watch in watches):
                    raise
        if end.done() or lost is None:
            raise Ended
        raise Lost(lost.result())
    finally:
        started = [task] if lost is None else [task, lost]
        for item in started:
            item.cancel()
        await asyncio.gather(*started, return_exceptions=True)


async def guarded(
    action: str,
    instance: Instance,
    end: asyncio.Task[None],
    artifacts: str,
    work: Coroutine[Any, Any, T],
    *,
    needs_guest: bool,
) -> T:
    """Return what `work` returns, as long as the task `end` is not done.

    :param artifacts: directory of the VM's artifacts, for messages.
    :param needs_guest: the guest must go on, too.
    :raises Ended: the process ended first.
    :raises GuestPanic: the guest panicked first.
    :raises GuestIoError: the guest was stopped first, as its disk failed.
    :raises GuestRebooted: the guest was reset first, and nobody had asked for that.
    """
    if needs_guest and instance.lost:
        work.close()
        raise await _loss_error(action, instance, artifacts, await instance.wait_lost())
    try:
        return await unless_ended(end, work, instance.wait_lost() if needs_guest else None)
    except Lost as lost:
        raise await _loss_error(action, instance, artifacts, lost.loss) from None
    except MonitorTimeout as error:
        fact = f"Its process {instance.pid} is in state {await instance.process_state()}."
        error.evidence = replace(error.evidence, facts=[*error.evidence.facts, fact])
        raise


async def _loss_error(
    action: str, instance: Instance, artifacts: str, loss: GuestLoss
) -> DtsVirtError:
    found = await describe_ending(instance.spec.name, instance, artifacts)
    return found.lost(action, loss)
