"""What a virtual machine is: frozen data, no behaviour.

The .cfg file, YAML, keywords and Python all end here, and the command line is made from
here alone. Names are those of the configuration vocabulary; units are in the names or
said beside them. Where something came from is kept as an :class:`Origin`, so that a
problem found late can still name the file and line; it takes no part in comparison.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from DtsVirtLibrary.accelerators import Accelerator as Accelerator

NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Origin:
    """Where an entry was written: ``conf/a.cfg``, line 7. `source` may be a keyword's name."""

    source: str
    line: int | None = None

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"


@dataclass(frozen=True)
class Cpu:
    """vCPUs.

    :ivar model: QEMU CPU model; None for ``host`` under KVM and ``max`` under TCG.
    :ivar number: vCPUs; with a topology it equals sockets x cores x threads.
    :ivar pins: host CPUs, one for each vCPU in order; empty for no pinning.
    """

    model: str | None = None
    number: int = 1
    sockets: int | None = None
    cores: int | None = None
    threads: int | None = None
    pins: tuple[int, ...] = ()
    origin: Origin | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Memory:
    """Guest memory.

    :ivar size_mib: size in MiB.
    :ivar hugepage: back it by the host's hugepages.
    :ivar node: host NUMA node to take it from; None for any.
    """

    size_mib: int = 512
    hugepage: bool = False
    node: int | None = None
    origin: Origin | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Disk:
    """A disk.

    :ivar file: path of the image on the host.
    :ivar format: ``qcow2``, ``raw``, ...; never probed from the content.
    :ivar interface: ``virtio``, ``ide``, ``scsi`` or ``none``.
    :ivar media: ``disk`` or ``cdrom``.
    :ivar overlay: write to a throw-away overlay, so that the image stays as it is.
    """

    file: str
    format: str = "raw"
    interface: str = "virtio"
    index: int | None = None
    media: str = "disk"
    overlay: bool = False
    id: str | None = None
    origin: Origin | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class HostForward:
    """A port of the host led to a port of the guest; host port 0 lets QEMU pick one."""

    protocol: str = "tcp"
    host_address: str = "127.0.0.1"
    host_port: int = 0
    guest_address: str = ""
    guest_port: int = 22


@dataclass(frozen=True)
class UserBackend:
    """QEMU's user mode network stack (10.0.2.0/24, DHCP from 10.0.2.2)."""

    forwards: tuple[HostForward, ...] = ()
    restrict: bool = False
    origin: Origin | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class TapBackend:
    """A tap interface of the host.

    :ivar interface: its name (at most 15 bytes); None for one the library names and makes.
    :ivar bridge: bridge that it joins; None for none.
    :ivar script: program that configures it, ``no`` and None for none.
    :ivar vhost: move packets in the host's kernel (needs /dev/vhost-net).
    """

    interface: str | None = None
    bridge: str | None = None
    script: str | None = None
    downscript: str | None = None
    vhost: bool = False
    origin: Origin | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class BridgeBackend:
    """A tap interface on a bridge, both made by the library where they are missing."""

    bridge: str = "br0"
    origin: Origin | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class VhostUserBackend:
    """A vhost-user back end behind a UNIX socket.

    :ivar path: path of the socket on the host.
    :ivar server: QEMU listens and the back end connects; else the other way round.
    :ivar reconnect_seconds: how often a lost connection is tried anew; None for never.
    """

    path: str
    server: bool = False
    queues: int = 1
    reconnect_seconds: int | None = None
    origin: Origin | None = field(default=None, compare=False, repr=False)


Backend = UserBackend | TapBackend | BridgeBackend | VhostUserBackend


@dataclass(frozen=True)
class Nic:
    """A network card of the guest and the back end that it is paired with.

    :ivar driver: QEMU device: ``e1000``, ``virtio-net-pci``, ...
    :ivar backend: what it is connected to; None if `netdev` names one made elsewhere
        (or the card has none).
    :ivar mac: ``52:54:00:...`` in lower case; None lets the library derive one.
    :ivar address: slot on the guest's PCI bus, ``1f`` or ``1f.0``; None lets QEMU choose.
    :ivar control: this card carries the SSH connection and is named host_connect.
    :ivar settings: further properties of the device, checked against the binary.
    """

    driver: str = "e1000"
    backend: Backend | None = None
    netdev: str | None = None
    id: str | None = None
    mac: str | None = None
    bus: str | None = None
    address: str | None = None
    vectors: int | None = None
    control: bool = False
    settings: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    origin: Origin | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class HostPciDevice:
    """A PCI function of the host, passed through with vfio-pci.

    :ivar host: full address ``0000:07:10.0`` on the host.
    :ivar id: ``pt_0``, ``pt_1``, ... in order of appearance.
    """

    host: str
    id: str
    bus: str | None = None
    address: str | None = None
    settings: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    origin: Origin | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class CryptoDevice:
    """A virtio-crypto device with a vhost-user back end (`path`) or QEMU's built-in one."""

    id: str
    path: str | None = None
    origin: Origin | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class OtherDevice:
    """Any other ``-device`` of the binary, by its own name and properties."""

    driver: str
    properties: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    id: str | None = None
    origin: Origin | None = field(default=None, compare=False, repr=False)


Device = Nic | HostPciDevice | CryptoDevice | OtherDevice


@dataclass(frozen=True)
class Boot:
    """What the machine boots when not from its disks.

    :ivar guest: flavour of the guest that the library builds (``default``, ...); None
        boots `kernel`, else the firmware in `pflash` or QEMU's own, which boots a disk.
    """

    guest: str | None = None
    kernel: str | None = None
    initrd: str | None = None
    append: str | None = None
    pflash: tuple[str, ...] = ()
    origin: Origin | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Login:
    """Who logs in to the guest. `password` is never shown; `key` is a private key file."""

    user: str = "root"
    password: str | None = field(default=None, repr=False)
    key: str | None = None
    prompt: str | None = None
    origin: Origin | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Vnc:
    """A VNC display.

    :ivar display: its number, the port less 5900; None lets QEMU pick a free one.
    :ivar password: what a viewer must know; None for a random one, empty for none.
    """

    display: int | None = None
    address: str = "127.0.0.1"
    password: str | None = field(default=None, repr=False)
    origin: Origin | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Serial:
    """How the first serial port is offered besides its log file.

    :ivar kind: ``file`` (the log only), ``socket`` or ``telnet``.
    :ivar port: TCP port on 127.0.0.1 for telnet; 0 lets QEMU pick one.
    """

    kind: str = "file"
    port: int = 0
    origin: Origin | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Incoming:
    """The VM waits for a migration at `uri` (``defer``, ``tcp:127.0.0.1:4444``, ...)."""

    uri: str = "defer"
    origin: Origin | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Timeouts:
    """Deadlines in seconds: `start` to the ready guest, `login` to the SSH login."""

    start: float = 120.0
    login: float = 60.0


@dataclass(frozen=True)
class GuestDriver:
    """The driver that tests bind the guest's ports to (DTS's def_driver)."""

    name: str = "vfio-pci"
    no_iommu: bool = False


@dataclass(frozen=True)
class VmSpec:
    """One virtual machine, whole.

    :ivar control: the channel by which the guest is driven: ``qga``, ``telnet`` or ``socket``.
    :ivar user_commands: raw arguments for QEMU, in order, put last.
    :ivar run_as: user that QEMU runs as; None for the run's own.
    :ivar warm: start it from a template, which its first start makes.
    :ivar fresh_identity: a clone gets SSH host keys, a machine id and a seed of its own.
    :ivar monitor_path: UNIX socket of an additional human monitor; None for none.
    """

    name: str
    accelerator: Accelerator = Accelerator.AUTO
    binary: str | None = None
    machine: str | None = None
    machine_options: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    cpu: Cpu = field(default_factory=Cpu)
    memory: Memory = field(default_factory=Memory)
    disks: tuple[Disk, ...] = ()
    devices: tuple[Device, ...] = ()
    boot: Boot = field(default_factory=Boot)
    login: Login = field(default_factory=Login)
    vnc: Vnc | None = None
    serial: Serial = field(default_factory=Serial)
    guest_agent: bool = True
    incoming: Incoming | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)
    guest_driver: GuestDriver | None = None
    monitor_path: str | None = None
    pid_file: str | None = None
    control: str = "qga"
    user_commands: tuple[str, ...] = ()
    run_as: str | None = None
    warm: bool = False
    fresh_identity: bool = False

    @property
    def nics(self) -> tuple[Nic, ...]:
        """The network cards, in order."""
        return tuple(device for device in self.devices if isinstance(device, Nic))

    @property
    def control_nic(self) -> Nic | None:
        """The card that SSH comes in by, if there is one."""
        return next((nic for nic in self.nics if nic.control), None)
