"""The part of the table about networks: ``net`` and its types."""

from __future__ import annotations

from DtsVirtLibrary.config.definitions import NEEDS_VHOST_NET, Option, Parameter, Status, Variant
from DtsVirtLibrary.config.option_types import (
    FLAG,
    FORWARDS,
    IDENTIFIER,
    MAC,
    PATH,
    SETTINGS,
    SLOT,
    TEXT,
    VLAN,
    choice,
    number,
)

NEW = Status.NEW

VLAN_OPTION = Option(
    "opt_vlan",
    VLAN,
    "number that pairs a nic with its back end",
    default="0",
    qemu="`netdev=` of the device",
    remark="exactly one nic and one back end have the same number, in any order",
)
BRIDGE_OPTION = Option(
    "opt_br",
    TEXT,
    "bridge of the host",
    qemu="none: the tap is made and joined to it before the start",
    remark="default: br0; none for a tap with a script of its own",
)

NIC = Variant(
    name="nic",
    doc="A network card of the guest.",
    qemu="`-device MODEL,netdev=`",
    options=(
        VLAN_OPTION,
        Option(
            "opt_macaddr",
            MAC,
            "MAC address",
            aliases=("opt_mac",),
            qemu="`mac=`",
            remark="default: the library derives one",
        ),
        Option(
            "opt_model",
            TEXT,
            "model of the card; `virtio` is virtio-net-pci",
            default="e1000",
            qemu="`-device MODEL`",
        ),
        Option(
            "opt_name",
            IDENTIFIER,
            "its id, for use in the monitor",
            aliases=("opt_id",),
            qemu="`id=`",
            remark="default: nic0, nic1, ...",
        ),
        Option("opt_addr", SLOT, "slot on the guest's PCI bus", qemu="`addr=`"),
        Option("opt_vectors", number(0, 2048), "number of MSI-X vectors", qemu="`vectors=`"),
        Option("opt_settings", SETTINGS, "further properties", NEW, qemu="they themselves"),
        Option(
            "netdev",
            TEXT,
            "accepted, changes nothing",
            Status.LATER,
            qemu="none",
            remark="some real files name a back end that nothing defines; opt_vlan pairs",
        ),
    ),
)

USER = Variant(
    name="user",
    doc="QEMU's own network stack: 10.0.2.0/24, DHCP, forwards of ports.",
    qemu="`-netdev user,id=`",
    remark="the first nic on a user network is the control card that SSH comes in by: a forward "
    "to guest port 22 is added if it has none",
    options=(
        VLAN_OPTION,
        Option(
            "opt_hostfwd",
            FORWARDS,
            "ports of the host led to ports of the guest, separated by blanks",
            qemu="`hostfwd=`",
            remark="missing parts: tcp, 127.0.0.1, port 0 (QEMU picks a free one), guest port 22",
        ),
        Option(
            "opt_restrict",
            FLAG,
            "keep the guest from the host and the world; forwards still work",
            NEW,
            default="no",
            qemu="`restrict=on`",
        ),
    ),
)

TAP = Variant(
    name="tap",
    doc="A tap interface of the host.",
    qemu="`-netdev tap,id=,ifname=,script=no,downscript=no`",
    options=(
        VLAN_OPTION,
        BRIDGE_OPTION,
        Option(
            "opt_script",
            PATH,
            "program that sets the interface up; no for none",
            qemu="`script=`",
            remark="default: none, the library sets it up itself (DTS: /etc/qemu-ifup, which it "
            "wrote)",
        ),
        Option(
            "opt_downscript",
            PATH,
            "program that takes it down; no for none",
            qemu="`downscript=`",
            remark="default: none",
        ),
        Option(
            "opt_ifname",
            TEXT,
            "name of the interface, at most 15 bytes",
            NEW,
            aliases=("opt_tap",),
            qemu="`ifname=`",
            remark="default: the library names it",
        ),
        Option(
            "opt_vhost",
            FLAG,
            "move packets in the host's kernel (/dev/vhost-net)",
            NEW,
            default="no",
            qemu="`vhost=on`",
            tried=NEEDS_VHOST_NET,
        ),
    ),
)

BRIDGE = Variant(
    name="bridge",
    doc="A tap interface that joins a bridge of the host; both are made where they are missing.",
    qemu="`-netdev tap,id=,ifname=,script=no,downscript=no`",
    options=(VLAN_OPTION, BRIDGE_OPTION),
)

NONE = Variant(
    name="none",
    doc="No network card at all: the VM is reached by the guest agent only.",
    status=NEW,
    options=(),
    remark="stands alone",
)

NET = Parameter(
    name="net",
    doc="Network cards and what they are connected to.",
    main="type",
    repeatable=True,
    selector="type",
    options=(
        Option(
            "type",
            choice("nic", "user", "tap", "bridge", "none"),
            "kind of entry",
            required=True,
        ),
    ),
    variants=(NIC, USER, TAP, BRIDGE, NONE),
    remark="default: the control card on a user network, virtio-net-pci for the embedded guest, "
    "else e1000, at slot 1f where the machine type allows it. A `net` in the file replaces it; "
    "networks added by a keyword stand beside it, unless they have a user network themselves",
)
