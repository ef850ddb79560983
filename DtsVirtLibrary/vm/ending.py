"""How a VM's process ended, and doing something only as long as it has not."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from DtsVirtLibrary.errors import (
    AgentClosed,
    Evidence,
    GuestPanic,
    GuestShutdown,
    MonitorClosed,
    VmDied,
)

from .hypervisor import Instance

T = TypeVar("T")

# A closed channel is seen a moment before the end of the process behind it.
END_GRACE = 2.0
# Reasons by which a guest ends that nobody needs to be told of as a crash.
ORDERLY_REASONS = ("guest-shutdown", "guest-reset", "host-qmp-quit", "host-signal", "host-ui")


@dataclass(frozen=True)
class Ending:
    """How a process ended: the hypervisor's reason if it gave one, and what it left."""

    reason: str | None
    evidence: Evidence

    @property
    def orderly(self) -> bool:
        """Whether the guest or a request ended it, and not a fault."""
        return self.evidence.exit_code == 0 and self.reason in ORDERLY_REASONS

    def error(self, action: str) -> VmDied:
        """Return the error for an action that needed the process."""
        vm = self.evidence.vm
        if self.reason == "guest-panicked":
            return GuestPanic(
                f"VM '{vm}': the guest's kernel panicked; '{action}' needs it running.",
                self.evidence,
            )
        if self.reason in ("guest-shutdown", "guest-reset"):
            return GuestShutdown(
                f"VM '{vm}': the guest shut itself down; '{action}' needs it running.",
                self.evidence,
            )
        return VmDied(
            f"VM '{vm}': its process ended; '{action}' needs it running.{self._hint()}",
            self.evidence,
        )

    def _hint(self) -> str:
        if self.evidence.exit_code == -9:
            return (
                " It was killed from outside; if not by hand, look for the kernel's "
                "out-of-memory killer in dmesg."
            )
        return ""


async def describe_ending(vm: str, instance: Instance, artifacts: str) -> Ending:
    """Read what an ended process left, before its directory is removed."""
    stderr, serial = await instance.tails()
    return Ending(
        instance.end_reason,
        Evidence(
            vm=vm,
            argv=tuple(instance.argv),
            exit_code=instance.exit_code,
            stderr_tail=stderr,
            serial_tail=serial,
            artifacts=artifacts,
        ),
    )


class Ended(Exception):
    """The process ended before the work was done."""


async def unless_ended(end: asyncio.Task[None], work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` returns, as long as the task `end` is not done.

    :raises Ended: it was done first, or a channel closed because of it.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task, end}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Ended
        try:
            return task.result()
        except (MonitorClosed, AgentClosed):
            await asyncio.wait({end}, timeout=END_GRACE)
            if end.done():
                raise Ended from None
            raise
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
