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
    describe_exit,
)
from DtsVirtLibrary.vm.hypervisor import Instance

T = TypeVar("T")

# A closed channel is seen a moment before the end of the process behind it.
END_GRACE = 2.0
# Reasons by which a guest ends that nobody needs to be told of as a crash.
ORDERLY_REASONS = ("guest-shutdown", "guest-reset", "host-qmp-quit", "host-ui")


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
            return self.panic(action)
        if self.reason in ("guest-shutdown", "guest-reset"):
            return GuestShutdown(
                f"VM '{vm}': the guest shut itself down; '{action}' needs it running.",
                self.evidence,
            )
        return VmDied(
            f"VM '{vm}': its process ended; '{action}' needs it running.{self._hint()}",
            self.evidence,
        )

    def panic(self, action: str) -> GuestPanic:
        """Return the error for an action that needed the guest, whose kernel panicked."""
        return GuestPanic(
            f"VM '{self.evidence.vm}': the guest's kernel panicked; '{action}' needs it running. "
            "Its CPUs are stopped; reset or stop the VM.",
            self.evidence,
        )

    @property
    def summary(self) -> str:
        """How it ended, in one line for the log."""
        code = self.evidence.exit_code
        how = "" if code is None else f" with {describe_exit(code)}"
        reason = f" ({self.reason})" if self.reason else ""
        return f"its process had ended by itself{how}{reason}"

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


class Panicked(Exception):
    """The guest's kernel panicked before the work was done."""


async def unless_ended(
    end: asyncio.Task[None],
    work: Coroutine[Any, Any, T],
    panic: Coroutine[Any, Any, None] | None = None,
) -> T:
    """Return what `work` returns, as long as the task `end` is not done.

    :param panic: ends when the guest panics, for work that needs the guest.
    :raises Ended: `end` was done first, or a channel closed because of it.
    :raises Panicked: `panic` was done first.
    """
    task = asyncio.ensure_future(work)
    watches: set[asyncio.Future[Any]] = {end}
    panicked = None
    if panic is not None:
        panicked = asyncio.ensure_future(panic)
        watches.add(panicked)
    try:
        await asyncio.wait({task, *watches}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Ended if end.done() else Panicked
        try:
            return task.result()
        except (MonitorClosed, AgentClosed):
            await asyncio.wait({end}, timeout=END_GRACE)
            if end.done():
                raise Ended from None
            raise
    finally:
        started = [task] if panicked is None else [task, panicked]
        for item in started:
            item.cancel()
        await asyncio.gather(*started, return_exceptions=True)
