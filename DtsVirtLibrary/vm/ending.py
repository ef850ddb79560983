"""How a VM's process ended, or why its guest does not go on, and the errors that say so."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from DtsVirtLibrary.errors import (
    SANDBOX_VIOLATED,
    DtsVirtError,
    Evidence,
    GuestIoError,
    GuestPanic,
    GuestRebooted,
    GuestShutdown,
    VmDied,
    describe_exit,
)
from DtsVirtLibrary.host.memory import MemoryKills
from DtsVirtLibrary.results import GuestLoss, LossKind
from DtsVirtLibrary.vm.hypervisor import Instance

# What the kernel of a Linux guest says of its end on the console.
PANIC_REASON = re.compile(r"Kernel panic - not syncing: *(.*\S)")
LONGEST_REASON = 120

# What is raised, and said, where the guest does not go on though its process lives.
LOSSES: Mapping[LossKind, tuple[type[DtsVirtError], str]] = MappingProxyType(
    {
        LossKind.PANIC: (
            GuestPanic,
            "the guest's kernel panicked{reason}{needed}. Its CPUs are stopped; reset or stop "
            "the VM.",
        ),
        LossKind.IO_ERROR: (
            GuestIoError,
            "the host cannot read or write a disk of the guest{needed}. Its CPUs are stopped; make "
            "room and resume the VM ('Resume VM'), or stop it.",
        ),
        LossKind.RESET: (
            GuestRebooted,
            "the guest was reset within '{action}', and what that had begun in it is lost. "
            "Wait for the new boot: 'Wait Until Guest Is Ready'.",
        ),
    }
)

# Reasons by which a guest ends that nobody needs to be told of as a crash.
ORDERLY_REASONS = ("guest-shutdown", "guest-reset", "host-qmp-quit", "host-ui")


@dataclass(frozen=True)
class Ending:
    """How a process ended, or how far it is.

    :ivar reason: the hypervisor's, if it gave one.
    :ivar evidence: what the process left.
    :ivar memory_kills: how often the kernel has killed for want of memory since the launch.
    """

    reason: str | None
    evidence: Evidence
    memory_kills: MemoryKills | None = None

    @property
    def orderly(self) -> bool:
        """Whether the guest or a request ended it, and not a fault."""
        return self.evidence.exit_code == 0 and self.reason in ORDERLY_REASONS

    def error(self, action: str) -> VmDied:
        """Return the error for an action that needed the process."""
        vm = self.evidence.vm
        if self.reason == "guest-panicked":
            return GuestPanic(
                f"VM '{vm}': {self._words(LOSSES[LossKind.PANIC][1], action)}", self.evidence
            )
        if self.reason in ("guest-shutdown", "guest-reset"):
            return GuestShutdown(
                f"VM '{vm}': the guest shut itself down ({self.reason}){_needed(action)}.",
                self.evidence,
            )
        return VmDied(
            f"VM '{vm}': its process ended{_needed(action)}.{self._hint()}",
            self.evidence,
        )

    def lost(self, action: str, loss: GuestLoss) -> DtsVirtError:
        """Return the error for an action that needed the guest, whose process lives."""
        kind, words = LOSSES[loss.kind]
        facts = [*loss.facts, *self.evidence.facts]
        return kind(
            f"VM '{self.evidence.vm}': {self._words(words, action)}",
            replace(self.evidence, action=action, facts=facts),
        )

    def _words(self, words: str, action: str) -> str:
        return words.format(action=action, needed=_needed(action), reason=self.panic_reason)

    @property
    def panic_reason(self) -> str:
        """What the guest's console says of the last panic, in brackets; empty if nothing."""
        found = PANIC_REASON.findall(self.evidence.serial_tail)
        return f" ({found[-1][:LONGEST_REASON]})" if found else ""

    @property
    def summary(self) -> str:
        """How it ended, in one line for the log."""
        code = self.evidence.exit_code
        how = "" if code is None else f" with {describe_exit(code)}"
        reason = f" ({self.reason})" if self.reason else ""
        return f"its process had ended by itself{how}{reason}"

    def _hint(self) -> str:
        if self.evidence.exit_code == -signal.SIGSYS:
            return f" {SANDBOX_VIOLATED}"
        if self.evidence.exit_code != -signal.SIGKILL:
            return ""
        return f" {_who_killed(self.memory_kills or MemoryKills())}"


def _who_killed(kills: MemoryKills) -> str:
    """Return what is known of who sent SIGKILL, for it was not this library."""
    remedy = "Give the VM less memory (mem = size=...), or start fewer at a time."
    if kills.group:
        return (
            "The kernel killed it for want of memory (its out-of-memory killer struck in the "
            f"VM's control group meanwhile). {remedy}"
        )
    if kills.host and kills.group is None:
        return (
            "Perhaps the kernel killed it for want of memory: its out-of-memory killer struck on "
            "the host meanwhile, and the VM's control group does not tell whether there. If it "
            f"did: {remedy[0].lower()}{remedy[1:]}"
        )
    where = ", but not in the control group that the VM was started in" if kills.host else ""
    has = "has struck since the start" if kills.host else "has not struck since the start"
    return (
        "It was killed from outside: this library did not send that signal, and the kernel's "
        f"out-of-memory killer {has}{where}."
    )


def _needed(action: str) -> str:
    """Say what the action has to do with it: it needs the VM, or is an assertion on it."""
    if " Should " in action:
        return f", as '{action}' found"
    return f"; '{action}' needs it running"


async def describe_ending(
    vm: str, instance: Instance, artifacts: str, memory_kills: MemoryKills | None = None
) -> Ending:
    """Read what a process says or left, before its directory is removed."""
    stderr, serial = await instance.tails()
    events = instance.last_events
    return Ending(
        instance.end_reason,
        Evidence(
            vm=vm,
            argv=tuple(instance.argv),
            exit_code=instance.exit_code,
            stderr_tail=stderr,
            serial_tail=serial,
            artifacts=artifacts,
            facts=[f"Last events: {events}"] if events else [],
        ),
        memory_kills,
    )
