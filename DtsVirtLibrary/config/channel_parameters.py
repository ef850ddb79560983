"""The part of the table about the ways into the VM, and about the run as a whole."""

from __future__ import annotations

from DtsVirtLibrary.config.definitions import Option, Parameter, Status
from DtsVirtLibrary.config.option_types import (
    DISPLAY,
    EMPTY,
    FLAG,
    PATH,
    PORT,
    SECONDS,
    TEXT,
    VNC_PASSWORD,
    WORDS,
    choice,
)

LATER, NEW = Status.LATER, Status.NEW

QGA = Parameter(
    name="qga",
    doc="The QEMU guest agent.",
    main="enable",
    options=(
        Option(
            "enable",
            FLAG,
            "offer the agent its channel",
            default="yes",
            qemu="`-device virtio-serial-pci -device virtserialport,name=org.qemu.guest_agent.0`",
        ),
    ),
)

DAEMON = Parameter(
    name="daemon",
    doc="QEMU in the background.",
    main="enable",
    options=(
        Option(
            "enable",
            FLAG,
            "accepted, changes nothing",
            default="yes",
            qemu="none",
            remark="the library owns the process: QEMU never blocks the test and never outlives it",
        ),
    ),
)

MONITOR = Parameter(
    name="monitor",
    doc="A human monitor besides the library's own QMP channel.",
    main="path",
    options=(
        Option(
            "path",
            PATH,
            "UNIX socket of the monitor",
            qemu="`-chardev socket,path=P,server=on,wait=off -mon mode=readline`",
            remark="default: none",
        ),
        Option(
            "port",
            EMPTY,
            "accepted if it is empty, changes nothing",
            empty="",
            remark="real files have an empty `port=`, which means no monitor",
        ),
    ),
)

CONTROL = Parameter(
    name="control",
    doc="How the guest is driven beside SSH.",
    status=LATER,
    main="type",
    options=(
        Option(
            "type",
            choice("qga", "telnet", "socket"),
            "guest agent, or serial line over telnet or a UNIX socket",
            LATER,
            default="qga",
            qemu="as `qga`, or the serial port on `-chardev socket,server=on,wait=off`",
        ),
        Option(
            "port", PORT, "TCP port for telnet", LATER, qemu="`port=`", remark="default: a free one"
        ),
    ),
)

SERIAL_PORT = Parameter(
    name="serial_port",
    doc="The serial port on a UNIX socket; see `serial`.",
    status=LATER,
    main="enable",
    options=(
        Option(
            "enable",
            FLAG,
            "offer it on a UNIX socket",
            LATER,
            default="no",
            qemu="as serial type=socket",
        ),
        Option(
            "opt_type",
            choice("unix"),
            "kind of channel",
            LATER,
            default="unix",
            remark="`pty` belongs to DTS's LIBVIRT class",
        ),
    ),
)

SERIAL = Parameter(
    name="serial",
    doc="The first serial port. Its output is logged in any case.",
    status=NEW,
    main="type",
    options=(
        Option(
            "type",
            choice("file", "socket", "telnet"),
            "log only, or a UNIX socket or telnet besides",
            NEW,
            default="file",
            qemu="`-chardev file` or `-chardev socket,logfile=`, `-serial chardev:`",
        ),
        Option(
            "port", PORT, "TCP port for telnet", NEW, qemu="`port=`", remark="default: a free one"
        ),
    ),
)

START = Parameter(
    name="start",
    doc="Deadlines of the start.",
    status=LATER,
    main="wait_seconds",
    options=(
        Option("wait_seconds", SECONDS, "to the ready guest", LATER, default="120", qemu="none"),
        Option("login_timeout", SECONDS, "to the SSH login", LATER, default="60", qemu="none"),
        Option(
            "login_prompt",
            TEXT,
            "accepted, changes nothing",
            LATER,
            qemu="none",
            remark="nobody logs in on the serial line: the agent and SSH do its work",
        ),
        Option(
            "password_prompt",
            TEXT,
            "accepted, changes nothing",
            LATER,
            qemu="none",
            remark="as login_prompt",
        ),
    ),
)

LOGIN = Parameter(
    name="login",
    doc="Who logs in to the guest.",
    options=(
        Option("user", TEXT, "user", default="root", qemu="none"),
        Option(
            "password",
            TEXT,
            "password, never shown; `env:NAME` and `file:PATH` say where it is",
            qemu="none",
            secret=True,
            empty="",
            remark="default: none; guests of the library take it, and without it open to a key",
        ),
        Option("key", PATH, "private key file", NEW, qemu="none"),
        Option("prompt", TEXT, "prompt of the shell", NEW, qemu="none"),
    ),
)

VNC = Parameter(
    name="vnc",
    doc="A VNC display, on 127.0.0.1.",
    main="displayNum",
    options=(
        Option(
            "displayNum",
            DISPLAY,
            "number of the display; auto picks a free one",
            qemu="`-vnc 127.0.0.1:N`",
            remark="default: no VNC without the parameter `vnc`, auto with it",
        ),
        Option(
            "auto", FLAG, "pick a free display", NEW, empty="yes", qemu="`-vnc 127.0.0.1:0,to=99`"
        ),
        Option(
            "password",
            VNC_PASSWORD,
            "password of the display, never shown; `env:NAME` and `file:PATH` say where it is",
            NEW,
            empty="",
            secret=True,
            qemu="`-vnc ...,password=on`, QMP `set_password`",
            remark="default: a random one, which `Get VM Display` returns; empty: none, so that "
            "every user of the host sees the display and types there",
        ),
        Option(
            "disable",
            FLAG,
            "no VNC",
            LATER,
            default="no",
            empty="yes",
            qemu="`-display none` alone",
        ),
    ),
)

MIGRATION = Parameter(
    name="migration",
    doc="The VM waits for an incoming migration.",
    status=LATER,
    options=(
        Option("enable", FLAG, "wait for one", LATER, default="yes", qemu="`-incoming`"),
        Option("port", PORT, "TCP port on 127.0.0.1", LATER, qemu="`-incoming tcp:127.0.0.1:PORT`"),
        Option(
            "uri",
            TEXT,
            "`defer`, `tcp:HOST:PORT`, `unix:PATH` or `fd:N`",
            NEW,
            qemu="`-incoming URI`",
            remark="default: defer, the address is given later by QMP",
        ),
    ),
)

PID_FILE = Parameter(
    name="pid_file",
    doc="A file that QEMU writes its process number to.",
    status=LATER,
    main="name",
    options=(
        Option(
            "name",
            PATH,
            "the file",
            LATER,
            required=True,
            aliases=("path",),
            qemu="`-pidfile`",
            remark="default: none; the library does not need it",
        ),
    ),
)

VIRT_TYPE = Parameter(
    name="virt_type",
    doc="The hypervisor.",
    status=LATER,
    main="virt_type",
    options=(
        Option(
            "virt_type",
            choice("KVM", "LIBVIRT", "XEN"),
            "KVM only; LIBVIRT and XEN are refused",
            LATER,
            default="KVM",
            qemu="none",
        ),
    ),
)

DEF_DRIVER = Parameter(
    name="def_driver",
    doc="The driver that tests bind the guest's ports to.",
    status=LATER,
    main="driver_name",
    options=(
        Option("driver_name", TEXT, "kernel module", LATER, default="vfio-pci", qemu="none"),
        Option(
            "driver_mode",
            choice("noiommu"),
            "noiommu: vfio without an IOMMU in the guest",
            LATER,
            qemu="none",
        ),
    ),
)

USERCMD = Parameter(
    name="usercmd",
    doc="Further arguments of QEMU, put last.",
    main="cmd",
    repeatable=True,
    options=(
        Option(
            "cmd",
            WORDS,
            "the arguments",
            required=True,
            qemu="they themselves",
            remark="quote the whole value if it holds a comma or a semicolon",
        ),
    ),
)

WARM = Parameter(
    name="warm",
    doc="Warm start: from a template of the ready guest, which the first start makes.",
    status=NEW,
    main="enable",
    options=(
        Option(
            "enable",
            FLAG,
            "start from a template",
            NEW,
            required=True,
            qemu="`-object memory-backend-file`, `-incoming defer`, `-device vmgenid`",
            remark="`Start VM` with `warm=` has the last word; see `docs/warm_start.md`",
        ),
        Option(
            "fresh_identity",
            FLAG,
            "give the clone SSH host keys, a machine id and a random seed of its own",
            NEW,
            qemu="none: the guest agent does it",
            remark="`Start VM` with `fresh_identity=` has the last word",
        ),
    ),
)

RUN_AS = Parameter(
    name="run_as",
    doc="The user that QEMU runs as, with the rights of no other.",
    status=NEW,
    main="user",
    options=(
        Option(
            "user",
            TEXT,
            "name of a user of the host, or its number",
            NEW,
            required=True,
            qemu="none: the rights are dropped before QEMU is run",
            remark="default: the user of the run. Needs root, and images and sockets that the "
            "user may open; such a VM boots cold",
        ),
    ),
)

CHANNEL_PARAMETERS = (
    RUN_AS,
    QGA,
    DAEMON,
    MONITOR,
    CONTROL,
    SERIAL,
    SERIAL_PORT,
    START,
    WARM,
    LOGIN,
    VNC,
    MIGRATION,
    PID_FILE,
    VIRT_TYPE,
    DEF_DRIVER,
    USERCMD,
)

RETIRED_PARAMETERS = (
    Parameter(
        name="os",
        doc="Boot loader of DTS's LIBVIRT class.",
        status=LATER,
        options=(),
        refused="belongs to DTS's LIBVIRT class; say pflash or kernel",
    ),
    Parameter(
        name="virtio_serial_channel",
        doc="Further serial channels of DTS's LIBVIRT class.",
        status=LATER,
        options=(),
        refused="belongs to DTS's LIBVIRT class; say device with driver=virtserialport",
    ),
)
