"""What is known of a start that failed, added to its error."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from DtsVirtLibrary.errors import AgentTimeout, DtsVirtError, Evidence, HostError
from DtsVirtLibrary.timeline import Timeline, describe_stages
from DtsVirtLibrary.vm.hypervisor import Instance

MORE_TIME = (
    "Give it more time (timeout, or start = wait_seconds=...), or have an image of your own "
    "checked: dtsvirt guest check IMAGE."
)
GIVEN_UP = "given up"
STATUS_SECONDS = 2.0


async def add_state(error: DtsVirtError, instance: Instance) -> None:
    """Add to the error what the process is at, which lives and is about to be ended."""
    try:
        status = await asyncio.wait_for(instance.status(), STATUS_SECONDS)
    except (DtsVirtError, TimeoutError, asyncio.TimeoutError):
        status = "unknown, its monitor does not answer"
    console = "cannot be read"
    with suppress(HostError):
        _, serial = await instance.tails()
        console = "has output" if serial.strip() else "stayed empty"
    known = error.evidence
    advice = [MORE_TIME] if isinstance(error, AgentTimeout) else []
    fact = f"QEMU's state: {status}; accelerator: {instance.accelerator}; serial console {console}"
    error.evidence = replace(known, argv=tuple(instance.argv), facts=[*known.facts, *advice, fact])


def explain(
    error: DtsVirtError,
    vm: str,
    end: Evidence | None,
    timeline: Timeline,
    notes: Sequence[str],
    artifacts: str,
) -> None:
    """Complete the error's evidence.

    :param end: what the process left when it ended; None if it never came so far.
    """
    known = error.evidence
    found = end or known
    before = [stage for stage in timeline.stages if stage.name != GIVEN_UP]
    error.evidence = replace(
        known,
        vm=vm,
        action="Start VM",
        stage=known.stage or (f"after '{before[-1].name}'" if before else "starting QEMU"),
        waited=timeline.elapsed if known.waited is None else known.waited,
        argv=found.argv,
        stderr_tail=found.stderr_tail,
        serial_tail=found.serial_tail,
        facts=[*known.facts, *notes, f"Stages reached: {describe_stages(timeline.stages)}"],
        artifacts=artifacts,
    )
