"""The part of the table about devices: ``device`` and its drivers, and ``crypto``."""

from __future__ import annotations

from dataclasses import replace

from DtsVirtLibrary.config.definitions import (
    NEEDS_VFIO,
    NEEDS_VHOST_NET,
    Option,
    Parameter,
    Status,
    Variant,
)
from DtsVirtLibrary.config.option_types import (
    FLAG,
    HOST_PCI,
    IDENTIFIER,
    MAC,
    PATH,
    SERVER,
    SETTINGS,
    SLOT,
    TEXT,
    choice,
    number,
)

LATER, NEW = Status.LATER, Status.NEW

MAC_OPTION = Option(
    "opt_mac", MAC, "MAC address", qemu="`mac=`", remark="default: the library derives one"
)
ID_OPTION = Option("opt_id", IDENTIFIER, "id", NEW, qemu="`id=`", remark="default: nic0, nic1, ...")
BUS_OPTION = Option("opt_bus", TEXT, "PCI bus of the guest", NEW, qemu="`bus=`")
ADDR_OPTION = Option("opt_addr", SLOT, "slot on the guest's PCI bus", NEW, qemu="`addr=`")
SETTINGS_OPTION = Option(
    "opt_settings",
    SETTINGS,
    "further properties; they win over the rest",
    LATER,
    qemu="they themselves",
    remark='in text, quote them: opt_settings="csum=off,gso=off"; a doubled comma is a comma of '
    "the value",
)
LEGACY_OPTION = Option(
    "opt_legacy",
    FLAG,
    "on: legacy virtio only",
    LATER,
    qemu="`disable-modern=on` or `off`",
)
VIRTIO_OPTIONS = (BUS_OPTION, ADDR_OPTION, LEGACY_OPTION, SETTINGS_OPTION)

VFIO_PCI = Variant(
    name="vfio-pci",
    doc="A PCI function of the host, passed through.",
    status=LATER,
    qemu="`-device vfio-pci,host=,id=pt_N`",
    tried=NEEDS_VFIO,
    options=(
        Option(
            "opt_host",
            HOST_PCI,
            "address on the host",
            required=True,
            qemu="`host=`",
            tried=NEEDS_VFIO,
        ),
        replace(ADDR_OPTION, status=Status.SEED),
        BUS_OPTION,
        replace(ID_OPTION, remark="default: pt_0, pt_1, ..."),
        replace(SETTINGS_OPTION, status=NEW),
    ),
)
PCI_ASSIGN = replace(
    VFIO_PCI,
    name="pci-assign",
    doc="As vfio-pci, which took its place in QEMU.",
    status=Status.SEED,
)

VIRTIO_NET_PCI = Variant(
    name="virtio-net-pci",
    doc="A virtio network card on a back end that is made elsewhere.",
    qemu="`-device virtio-net-pci,netdev=`",
    options=(
        Option(
            "opt_netdev",
            IDENTIFIER,
            "id of the back end, made by usercmd",
            required=True,
            qemu="`netdev=`",
        ),
        replace(ID_OPTION, status=Status.SEED),
        MAC_OPTION,
        replace(BUS_OPTION, status=Status.SEED),
        replace(ADDR_OPTION, status=Status.SEED),
        LEGACY_OPTION,
        SETTINGS_OPTION,
    ),
)

VHOST_USER = Variant(
    name="vhost-user",
    doc="A virtio network card on a vhost-user back end.",
    qemu="`-chardev socket -netdev vhost-user -device virtio-net-pci`, shared memory",
    options=(
        Option(
            "opt_path",
            PATH,
            "UNIX socket",
            required=True,
            qemu="`path=` of the chardev",
            remark="`,server` at its end is read as opt_server",
        ),
        MAC_OPTION,
        Option(
            "opt_server",
            SERVER,
            "QEMU listens: server, on or yes; it connects: client, off or no",
            LATER,
            default="no",
            empty="server",
            qemu="`server=on,wait=off`",
        ),
        Option(
            "opt_queue",
            number(1, 256),
            "queue pairs",
            LATER,
            default="1",
            aliases=("opt_queues",),
            qemu="`queues=N`, `mq=on,vectors=2N+2`",
        ),
        Option(
            "opt_reconnect",
            number(0, 86400),
            "seconds after which a lost connection is tried anew; 0 for never",
            NEW,
            default="0",
            qemu="`reconnect=` or `reconnect-ms=`",
            remark="for a client only",
        ),
        ID_OPTION,
        *VIRTIO_OPTIONS,
        Option(
            "opt_script",
            PATH,
            "tap script",
            LATER,
            refused="a vhost-user back end has no tap; use type=tap of net or driver=vhost-cuse",
        ),
        Option(
            "opt_br",
            TEXT,
            "bridge",
            LATER,
            refused="a vhost-user back end joins no bridge; use type=bridge of net",
        ),
    ),
)

VHOST_CUSE = Variant(
    name="vhost-cuse",
    doc="A virtio network card on a tap interface that the host's kernel serves (vhost-net).",
    qemu="`-netdev tap,vhost=on,script=no -device virtio-net-pci`",
    tried=NEEDS_VHOST_NET,
    remark="DPDK's cuse back end is gone; the name is kept for what remains of it",
    options=(
        MAC_OPTION,
        Option(
            "opt_tap",
            TEXT,
            "name of the tap interface, at most 15 bytes",
            LATER,
            aliases=("opt_ifname",),
            qemu="`ifname=`",
            remark="default: the library names it",
        ),
        ID_OPTION,
        BUS_OPTION,
        ADDR_OPTION,
        LEGACY_OPTION,
        replace(SETTINGS_OPTION, status=Status.SEED),
    ),
)

VIRTIO_CRYPTO = Variant(
    name="virtio-crypto",
    doc="A virtio crypto device.",
    status=NEW,
    qemu="`-object cryptodev-... -device virtio-crypto-pci`",
    options=(
        Option(
            "opt_path",
            PATH,
            "UNIX socket of a vhost-user back end",
            NEW,
            qemu="`cryptodev-vhost-user`",
            remark="default: QEMU's built-in back end",
        ),
        replace(ID_OPTION, remark="default: crypto0, crypto1, ..."),
    ),
)

OTHER_DRIVER = Variant(
    name="any other driver",
    doc="Any other device of the QEMU binary, by its own name.",
    status=NEW,
    qemu="`-device DRIVER,...`",
    extra="properties of the device, checked against the binary; `opt_` is taken off their names",
    options=(
        replace(ID_OPTION, remark="default: the library gives one"),
        replace(SETTINGS_OPTION, status=NEW),
    ),
)

DEVICE = Parameter(
    name="device",
    doc="Devices of the guest.",
    main="driver",
    repeatable=True,
    selector="driver",
    options=(Option("driver", TEXT, "kind of device, or driver of QEMU", required=True),),
    variants=(PCI_ASSIGN, VFIO_PCI, VIRTIO_NET_PCI, VHOST_USER, VHOST_CUSE, VIRTIO_CRYPTO),
    other=OTHER_DRIVER,
    remark="devices added by a keyword stand after those of the file",
)

# The drivers that QEMU has no device of the same name for.
FRAMEWORK_DRIVERS = ("pci-assign", "vhost-user", "vhost-cuse", "virtio-crypto")

CRYPTO = Parameter(
    name="crypto",
    doc="Virtio crypto devices.",
    status=LATER,
    options=(
        Option("enable", FLAG, "have them", LATER, default="yes"),
        Option(
            "opt_num",
            number(1, 16),
            "how many",
            LATER,
            default="1",
            qemu="`-device virtio-crypto-pci` each",
        ),
        Option(
            "opt_backend",
            choice("vhost-user", "builtin"),
            "who computes: a vhost-user process, which listens before the start, or QEMU",
            NEW,
            default="vhost-user",
            qemu="`-object cryptodev-vhost-user` or `cryptodev-backend-builtin`",
            remark="the sockets are DTS's: `/tmp/<vm>_crypto0.sock`, ...; "
            "other ones by device driver=virtio-crypto",
        ),
    ),
)
