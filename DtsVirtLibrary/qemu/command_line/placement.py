"""Where the files and channels of one start are: what the command line needs to know of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True)
class Descriptor:
    """A connected socket that QEMU inherits under this number."""

    number: int


@dataclass(frozen=True)
class SocketPath:
    """A UNIX socket that QEMU listens on, for a command line that is pasted by hand."""

    path: str


Endpoint = Descriptor | SocketPath
# Where QEMU finds the sockets that the library holds the other ends of.
NAME_ENDPOINT, MONITOR_ENDPOINT, AGENT_ENDPOINT = Descriptor(9), Descriptor(10), Descriptor(11)


@dataclass(frozen=True)
class MemoryFile:
    """A file that holds the guest's memory.

    :ivar shared: what the guest writes goes into the file; else the file stays as it is and
        the guest's writes are its own.
    """

    path: str
    shared: bool


@dataclass(frozen=True)
class Placement:
    """The places of one start.

    :ivar directory: private directory of the start on the host.
    :ivar monitor: QMP.
    :ivar agent: the guest agent's channel.
    :ivar name: channel on which a clone's embedded guest is told its name; None for none.
    :ivar taps: name of the host's tap interface, by the id of the NIC that uses it.
    :ivar tap_descriptors: descriptor of a tap that QEMU inherits open instead of opening it, by
        the id of the NIC that uses it.
    :ivar append: words added to the kernel command line of the embedded guest.
    :ivar of_template: a template is made of the VM, or it is made of one.
    :ivar memory: file of such a VM's memory; None for memory of the process's own.
    :ivar storage: directory of such a VM's overlays; None for `directory`.
    :ivar restored: the VM is not booted, its state is loaded.
    """

    directory: str
    monitor: Endpoint
    agent: Endpoint
    name: Endpoint | None = None
    taps: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    tap_descriptors: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    append: str = ""
    of_template: bool = False
    memory: MemoryFile | None = None
    storage: str | None = None
    restored: bool = False

    @property
    def serial_log(self) -> str:
        """File that the serial console is logged to."""
        return f"{self.directory}/serial.log"

    @property
    def serial_socket(self) -> str:
        """UNIX socket that the serial console is offered on, where one is asked for."""
        return f"{self.directory}/serial.sock"

    @property
    def stderr(self) -> str:
        """File that QEMU's standard error goes to."""
        return f"{self.directory}/stderr.log"

    def overlay(self, disk_id: str) -> str:
        """File of the throw-away overlay of a disk."""
        return f"{self.storage or self.directory}/{disk_id}.qcow2"
