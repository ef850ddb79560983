"""Stopping a VM, from gentle to hard, each stage with a deadline of its own."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from DtsVirtLibrary.errors import AgentError, CleanupError, Evidence, MonitorError
from DtsVirtLibrary.results import LossKind, StopStage
from DtsVirtLibrary.vm.ending import describe_ending
from DtsVirtLibrary.vm.hypervisor import Instance

# A monitor and a guest agent that live answer in milliseconds.
ANSWER_SECONDS = 5.0
QUIT_SECONDS = 10.0
SIGNAL_SECONDS = 5.0


@dataclass(frozen=True)
class _Rung:
    stage: StopStage
    act: Callable[[], Awaitable[None]]
    seconds: float


async def stop(
    vm: str, instance: Instance, guest_seconds: float, note: Callable[[str], None]
) -> StopStage:
    """End the VM and return the stage that worked.

    :param guest_seconds: deadline of each of the two stages in which the guest shuts
        itself down; 0 leaves them out.
    :param note: called with a line on each stage that did not work.
    :raises CleanupError: not even SIGKILL ended the process.
    """
    if instance.exit_code is not None:
        return StopStage.ALREADY
    if instance.lost and (await instance.wait_lost()).kind is LossKind.PANIC:
        found = await describe_ending(vm, instance, "")
        note(f"the guest's kernel had panicked{found.panic_reason}")
    for rung in await _ladder(instance, guest_seconds, note):
        if await _climb(instance, rung, note):
            return rung.stage
    raise await _survivor(vm, instance, "Stop VM")


async def kill(vm: str, instance: Instance) -> StopStage:
    """End the VM by SIGKILL."""
    rung = _signal(instance, StopStage.KILL, signal.SIGKILL)
    if instance.exit_code is None and not await _climb(instance, rung, lambda _: None):
        raise await _survivor(vm, instance, "Kill VM")
    return StopStage.KILL


async def _survivor(vm: str, instance: Instance, action: str) -> CleanupError:
    return CleanupError(
        f"VM '{vm}': process {instance.pid} did not end, not even by SIGKILL; it waits in the "
        "kernel for a device or a file system. The host may need a restart.",
        Evidence(
            vm=vm,
            action=action,
            argv=tuple(instance.argv),
            facts=[
                f"Its process is in state {await instance.process_state()}.",
                "Left: that process with its memory, its private directory, its images and what "
                "it took from the host; all is given back when it ends.",
            ],
        ),
    )


async def _ladder(
    instance: Instance, guest_seconds: float, note: Callable[[str], None]
) -> list[_Rung]:
    signals = [
        _signal(instance, StopStage.TERMINATE, signal.SIGTERM),
        _signal(instance, StopStage.KILL, signal.SIGKILL),
    ]
    rungs = []
    if guest_seconds > 0:
        try:
            status = await asyncio.wait_for(instance.status(), ANSWER_SECONDS)
        except (MonitorError, asyncio.TimeoutError):
            # Who does not answer this will not answer `quit` either.
            note("the monitor does not answer, so only signals are left")
            return signals
        guest_runs = status == "running"
        if guest_runs and instance.agent_connected:
            rungs.append(_Rung(StopStage.AGENT, _agent_shutdown(instance), guest_seconds))
        if guest_runs:
            rungs.append(_Rung(StopStage.POWER_BUTTON, instance.power_button, guest_seconds))
    return [*rungs, _Rung(StopStage.QUIT, instance.quit, QUIT_SECONDS), *signals]


def _agent_shutdown(instance: Instance) -> Callable[[], Awaitable[None]]:
    async def act() -> None:
        # Success has no answer, so whether anybody listens is asked first.
        await instance.agent.ping(timeout=ANSWER_SECONDS)
        await instance.agent.shutdown("powerdown", timeout=ANSWER_SECONDS)

    return act


def _signal(instance: Instance, stage: StopStage, number: signal.Signals) -> _Rung:
    async def act() -> None:
        instance.send_signal(number)

    return _Rung(stage, act, SIGNAL_SECONDS)


async def _climb(instance: Instance, rung: _Rung, note: Callable[[str], None]) -> bool:
    try:
        await rung.act()
    except (AgentError, MonitorError) as error:
        if instance.exit_code is None:
            note(f"{rung.stage.value} failed: {error.summary}")
            # A connection that closed under `quit` is the quit at work.
            if rung.stage is not StopStage.QUIT:
                return False
    end = asyncio.ensure_future(instance.wait_closed())
    await asyncio.wait({end}, timeout=rung.seconds)
    if end.done():
        return True
    end.cancel()
    note(f"{rung.stage.value} did not end the VM within {rung.seconds:g} s")
    return False
