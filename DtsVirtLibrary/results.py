"""What a running virtual machine answers: frozen data, no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any

from DtsVirtLibrary.printable import printable


class VmStatus(Enum):
    """Where a VM is in its life."""

    CREATED = "created"
    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    CRASHED = "crashed"


class Readiness(Enum):
    """How far ``Start VM`` waits."""

    PROCESS = "process"
    AGENT = "agent"
    SSH = "ssh"


class StopStage(Enum):
    """The stage of stopping that worked, from gentle to hard."""

    AGENT = "guest agent shutdown"
    POWER_BUTTON = "ACPI power button"
    QUIT = "QMP quit"
    TERMINATE = "SIGTERM"
    KILL = "SIGKILL"
    ALREADY = "already stopped"


@dataclass(frozen=True)
class GuestAddress:
    """An address of a guest's interface: ``10.0.2.15``, prefix length 24, ``ipv4``."""

    address: str
    prefix: int
    family: str


@dataclass(frozen=True)
class GuestInterface:
    """A network interface as the guest agent reports it; `mac` is None where it has none."""

    name: str
    mac: str | None
    addresses: tuple[GuestAddress, ...] = ()

    @property
    def ipv4(self) -> str | None:
        """Its first IPv4 address, None without one."""
        return next((item.address for item in self.addresses if item.family == "ipv4"), None)


@dataclass(frozen=True)
class CommandResult:
    """What a command in the guest did.

    :ivar rc: exit code; negative is the number of the signal that ended it.
    :ivar truncated: the agent cut the output (it keeps 16 MiB of each stream).
    """

    rc: int
    stdout: str
    stderr: str
    truncated: bool = False

    def facts(self) -> list[str]:
        """Return the outputs for a message, made fit for it."""
        return [f"stdout: {printable(self.stdout)}", f"stderr: {printable(self.stderr)}"]


@dataclass(frozen=True)
class PciFunction:
    """A PCI function of the guest.

    :ivar address: ``0000:00:1f.0`` in hexadecimal, with domain, as the guest names it.
    :ivar id: QEMU's id of the device, empty if it has none.
    :ivar vendor_device: ``8086:100e``.
    :ivar class_name: QEMU's words: ``Ethernet controller``.
    :ivar host: address on the host, for a passed-through device; else None.
    """

    address: str
    id: str
    vendor_device: str
    class_name: str
    host: str | None = None


@dataclass(frozen=True)
class Stage:
    """A stage of a start that was reached `at` seconds after the launch."""

    name: str
    at: float


@dataclass(frozen=True)
class GuestAccess:
    """What it takes to log in to a guest by SSH, as its host knows it.

    :ivar key: private key file that opens the guest; None if only its owner has one.
    :ivar host_keys: public keys of the guest's SSH server (``ssh-ed25519 AAAA...``) as the
        guest agent reads them; None if they cannot be read.
    :ivar reset_at: when the guest was reset last, in seconds of the launch.
    """

    key: str | None = None
    host_keys: frozenset[str] | None = None
    reset_at: float = 0.0


@dataclass(frozen=True)
class GuestSession:
    """A guest that is ready to be used; what ``Start VM`` returns.

    :ivar name: the VM's name, which is SSHLibrary's alias too.
    :ivar host: address that SSH connects to; None without a control network card.
    :ivar port: TCP port that SSH connects to; None without one.
    :ivar username: user that is logged in; None if no login was made.
    :ivar key: private key file that the login was made with; None for a password.
    :ivar ip: the guest's own address on ``host_connect``; None if not known.
    :ivar interfaces: the guest's network interfaces by name; empty without the agent.
    :ivar pci_mapping: guest PCI address of every device that has an id, by id.
    :ivar accelerator: ``kvm`` or ``tcg``.
    :ivar stages: the stages of the start in order, with their times.
    """

    name: str
    host: str | None = None
    port: int | None = None
    username: str | None = None
    key: str | None = None
    ip: str | None = None
    interfaces: Mapping[str, GuestInterface] = field(default_factory=lambda: MappingProxyType({}))
    pci_mapping: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    accelerator: str = ""
    stages: tuple[Stage, ...] = ()


@dataclass(frozen=True)
class VmInfo:
    """What is known of a VM; what ``Get VM`` returns.

    :ivar status: ``created``, ``starting``, ``running``, ``paused``, ``stopped``, ``crashed``.
    :ivar pid: process id on the host while it runs, else None.
    :ivar session: the guest session of the last start, None before the first.
    :ivar artifacts: directory of the files of the last start, None before the first.
    """

    name: str
    status: str
    pid: int | None = None
    session: GuestSession | None = None
    artifacts: str | None = None


@dataclass(frozen=True)
class VmDisplay:
    """The VNC display of a VM; what ``Get VM Display`` returns.

    :ivar port: TCP port, 5900 plus the number of the display.
    :ivar password: what a viewer must know, which is never shown; None if it asks for none.
    """

    host: str
    port: int
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class TemplateInfo:
    """A template of warm start.

    :ivar key: digest of all that makes it valid.
    :ivar vm: name of the VM that it was made of.
    :ivar description: what that boots, its memory and its processors, in words.
    :ivar version: QEMU's version.
    :ivar memory_mib: size of the guest's memory in MiB.
    :ivar size: bytes that it takes.
    :ivar saved_at: when it was saved, in seconds since 1970.
    :ivar directory: where it lies on the host.
    """

    key: str
    vm: str
    description: str
    version: str
    memory_mib: int
    size: int
    saved_at: float
    directory: str


@dataclass(frozen=True)
class MonitorEvent:
    """An event of the monitor: QMP's name and data, and its time (seconds since the launch)."""

    name: str
    data: Mapping[str, Any]
    at: float


class LossKind(Enum):
    """What keeps a guest from going on although its process lives."""

    PANIC = "panic"
    IO_ERROR = "I/O error"
    RESET = "reset"


@dataclass(frozen=True)
class GuestLoss:
    """A guest that does not do what it was asked, and what is known of why, a line each."""

    kind: LossKind
    facts: tuple[str, ...] = ()


@dataclass(frozen=True)
class HugepagePool:
    """The hugepages of one size, on one NUMA node or (`node` None) on the whole host.

    :ivar page_size_kib: size of a page in KiB.
    :ivar free: pages that hold nothing, promised ones included.
    :ivar reserved: free pages promised to a process (known for the whole host only).
    :ivar surplus: pages beyond the number asked for, freed when their user ends.
    :ivar growth: surplus pages that the kernel may still make on demand.
    """

    page_size_kib: int
    node: int | None
    total: int
    free: int
    reserved: int = 0
    surplus: int = 0
    growth: int = 0

    @property
    def available(self) -> int:
        """Pages that a process can still get."""
        return max(0, self.free - self.reserved) + self.growth
