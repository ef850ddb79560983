"""Every error that the library raises on purpose.

::

    DtsVirtError
    ├── ConfigError             what the tester wrote is wrong; nothing was started
    ├── HostError               the machine that QEMU runs on lacks or refuses something
    │   ├── CommandError        a command on the host failed
    │   ├── HypervisorMissing   QEMU is not installed, not executable or too old
    │   ├── AcceleratorError    KVM was demanded and cannot be used
    │   ├── ImageError          a disk image is missing, truncated or of another format
    │   │   └── ImageInUse      another process holds the image
    │   ├── PortInUse           a port, display or address the tester fixed is taken
    │   ├── BackendError        a vhost-user back end is missing or misbehaves
    │   ├── SecurityError       a directory or file belongs to somebody else
    │   └── CleanupError        something of ours could not be ended or removed
    ├── VmStateError            the VM is not in the state that the action needs
    ├── TemplateError           a template cannot be made, or cannot serve: the VM boots cold
    │   └── TemplateMissing     ... since there is none yet
    ├── StartError              the VM did not come up
    │   └── StartTimeout        ... within its deadline
    ├── VmDied                  the VM's process ended while it was needed
    │   ├── GuestShutdown       ... because the guest powered off
    │   └── GuestPanic          ... or its kernel panicked
    ├── GuestRebooted           the guest was reset while it was needed
    ├── GuestIoError            the guest stands still, since its disk failed on the host
    ├── MonitorError            QMP or the human monitor
    │   ├── MonitorTimeout      no answer in time: the outcome is unknown
    │   ├── MonitorClosed       the connection ended, as QEMU has or soon will
    │   └── MonitorCommandError QEMU refused the command
    ├── AgentError              the guest agent
    │   ├── AgentTimeout        no answer in time
    │   ├── AgentClosed         the connection ended, or the guest was reset meanwhile
    │   ├── AgentCommandError   the agent refused the command
    │   └── AgentProtocolError  the agent's answer is not one
    ├── SshError                the guest's SSH server
    │   ├── SshTimeout          no banner, or no answer, in time
    │   ├── SshAuthError        the login was refused
    │   └── HostKeyError        ... or it is not the guest that answers there
    ├── ApplicationError        a console application
    │   ├── ApplicationTimeout  it did not print what was waited for
    │   └── ApplicationDied     it ended while it was needed
    ├── TrafficError            packets could not be sent or captured
    │   └── PacketMismatch      other packets arrived than expected, or none
    ├── GuestCommandFailed      a command in the guest returned another exit code than expected
    └── WaitTimeout             a state that was waited for did not come

A class says what the caller wanted and did not get; ``__cause__`` keeps the root.
The first line of the text is whole in itself; what was found follows on the lines
after it, and every part of it is an attribute of :class:`Evidence` too.
"""

from __future__ import annotations

import shlex
import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, ClassVar

# What a message shows of the tails, in lines of this many characters.
MESSAGE_WIDTH = 78
STDERR_LINES = 8
SERIAL_LINES = 16

SANDBOX_VIOLATED = (
    "The kernel ended it by SIGSYS: it tried what QEMU's sandbox (seccomp) denies, such as "
    "starting a program or taking on another user. If the test needs that, give QEMU a sandbox "
    "of your own: usercmd=cmd=-sandbox on,spawn=allow."
)


@dataclass(frozen=True)
class Evidence:
    """What was found about a failure, gathered where it was seen.

    ``waited`` is in seconds. ``exit_code`` follows :mod:`subprocess`: negative is the
    number of the signal that ended the process. The tails are the last lines of text
    files, already cut and made printable.
    """

    vm: str | None = None
    action: str | None = None
    stage: str | None = None
    waited: float | None = None
    argv: Sequence[str] = ()
    exit_code: int | None = None
    stderr_tail: str = ""
    serial_tail: str = ""
    artifacts: str | None = None
    facts: Sequence[str] = field(default=())

    def lines(self, *, whole: bool = False) -> Iterable[str]:
        """Yield the evidence for people, a fact a line, empty ones left out.

        Robot Framework takes the middle out of a message that has more than 40 lines of 78
        characters, so only the ends of the tails are shown, and the command line is left
        to the artifacts if there are any.

        :param whole: leave nothing out.
        """
        if self.stage:
            yield f"Stage: {self.stage}"
        if self.waited is not None:
            yield f"Waited: {self.waited:.1f} s"
        if self.exit_code is not None:
            yield f"Process ended: {describe_exit(self.exit_code)}"
        yield from self.facts
        yield from _titled("QEMU's stderr, last lines", self.stderr_tail, whole, STDERR_LINES)
        yield from _titled("Serial console, last lines", self.serial_tail, whole, SERIAL_LINES)
        if self.argv and (whole or not self.artifacts):
            yield f"Command line: {shlex.join(self.argv)}"
        if self.artifacts:
            yield f"Artifacts: {self.artifacts}"


class DtsVirtError(Exception):
    """Base of all errors of this library.

    :ivar evidence: what was found, each part under its own name.
    """

    # Robot Framework then shows the text alone, without the name of the class.
    ROBOT_SUPPRESS_NAME: ClassVar[bool] = True

    def __init__(self, summary: str, evidence: Evidence | None = None) -> None:
        super().__init__(summary)
        self.summary = summary
        self.evidence = evidence or Evidence()

    def __str__(self) -> str:
        return "\n".join([self.summary, *self.evidence.lines()])

    def name_vm(self, vm: str) -> None:
        """Say which VM this is about, where the first line does not."""
        if f"'{vm}'" not in self.summary:
            self.summary = f"VM '{vm}': {self.summary}"

    def whole_text(self) -> str:
        """Return the text with all that was found, however long."""
        return "\n".join([self.summary, *self.evidence.lines(whole=True)])


class ConfigError(DtsVirtError):
    """What the tester wrote is wrong: file and line if known, the text, what is allowed."""


class HostError(DtsVirtError):
    """The machine that the VM runs on lacks or refuses something."""


class CommandError(HostError):
    """A command on the host failed, could not be run, or took too long."""


class HypervisorMissing(HostError):
    """The QEMU binary is missing, not executable or too old."""


class AcceleratorError(HostError):
    """The accelerator that was demanded cannot be used on this host."""


class ImageError(HostError):
    """A disk image is missing, truncated or of another format than was said."""


class ImageInUse(ImageError):
    """Another process, or another VM of this run, holds the disk image."""


class PortInUse(HostError):
    """A port or display that the tester fixed is taken."""


class BackendError(HostError):
    """A vhost-user back end is missing, silent or gone."""


class SecurityError(HostError):
    """A file or directory that must be ours belongs to somebody else."""


class CleanupError(HostError):
    """Something of ours could not be ended or removed; the text lists what is left."""


class VmStateError(DtsVirtError):
    """The VM is not in the state that the action needs."""


class TemplateError(DtsVirtError):
    """A template cannot be made, or cannot serve this VM; its text says why."""


class TemplateMissing(TemplateError):
    """There is no template of this specification yet."""


class StartError(DtsVirtError):
    """The VM did not come up."""


class StartTimeout(StartError):
    """The VM did not come up within its deadline."""


class VmDied(DtsVirtError):
    """The VM's process ended while it was needed."""


class GuestShutdown(VmDied):
    """The guest powered off while it was needed."""


class GuestPanic(VmDied):
    """The guest's kernel panicked."""


class GuestRebooted(DtsVirtError):
    """The guest was reset while it was needed; what was under way in it is lost."""


class GuestIoError(DtsVirtError):
    """The guest's CPUs were stopped, since the host cannot read or write its disk."""


class MonitorError(DtsVirtError):
    """The monitor (QMP or HMP) failed."""


class MonitorTimeout(MonitorError):
    """The monitor did not answer in time, so the outcome of the command is unknown."""


class MonitorClosed(MonitorError):
    """The connection to the monitor ended, so the process has ended or soon will."""


class MonitorCommandError(MonitorError):
    """The monitor refused a command.

    :ivar error_class: QMP's error class, such as ``GenericError``.
    """

    def __init__(
        self, summary: str, evidence: Evidence | None = None, *, error_class: str = "GenericError"
    ) -> None:
        super().__init__(summary, evidence)
        self.error_class = error_class


class AgentError(DtsVirtError):
    """The guest agent failed."""


class AgentTimeout(AgentError):
    """The guest agent did not answer in time."""


class AgentClosed(AgentError):
    """The connection to the guest agent ended, or the guest was reset meanwhile."""


class AgentCommandError(AgentError):
    """The guest agent refused a command."""


class AgentProtocolError(AgentError):
    """What the guest agent sent is not an answer."""


class SshError(DtsVirtError):
    """The guest's SSH server could not be used."""


class SshTimeout(SshError):
    """The guest's SSH server did not answer in time."""


class SshAuthError(SshError):
    """The guest's SSH server refused the login."""


class HostKeyError(SshError):
    """Another SSH server answers than the guest's own, by its host key."""


class ApplicationError(DtsVirtError):
    """A console application could not be started, used or ended."""


class ApplicationTimeout(ApplicationError):
    """A console application did not print in time what was waited for."""


class ApplicationDied(ApplicationError):
    """A console application ended while it was needed."""


class TrafficError(DtsVirtError):
    """Packets could not be sent or captured."""


class PacketMismatch(TrafficError):
    """Other packets arrived than the test expects, or none."""


class GuestCommandFailed(DtsVirtError):
    """A command in the guest returned another exit code than the test expects."""


class WaitTimeout(DtsVirtError):
    """A state that was waited for did not come in time."""


def describe_exit(exit_code: int) -> str:
    """Say how a process ended: ``exit code 1`` or ``signal SIGKILL (9)``."""
    if exit_code >= 0:
        return f"exit code {exit_code}"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = "unknown"
    return f"signal {name} ({-exit_code})"


def nearest(name: str, known: Iterable[Any]) -> str:
    """Return `` Did you mean 'x'?`` for the known name nearest to `name`, else nothing."""
    matches = get_close_matches(name, [str(item) for item in known], n=1, cutoff=0.6)
    return f" Did you mean '{matches[0]}'?" if matches else ""


def _titled(title: str, text: str, whole: bool, limit: int) -> Iterable[str]:
    if text.strip():
        yield f"{title}:"
        lines = text.rstrip().splitlines()
        yield from (f"    {line}" for line in (lines if whole else _last(lines, limit)))


def _last(lines: Sequence[str], limit: int) -> list[str]:
    """Return the last lines that fit into `limit` lines of a message, at least one."""
    shown: list[str] = []
    used = 0
    for line in reversed(lines):
        used += 1 + (len(line) + 4) // MESSAGE_WIDTH
        if used > limit and shown:
            break
        shown.insert(0, line)
    return shown
