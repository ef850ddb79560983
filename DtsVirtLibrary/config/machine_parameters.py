"""The part of the table about the machine: its binary, processors, memory, disks, firmware."""

from __future__ import annotations

from DtsVirtLibrary.config.definitions import NEEDS_KVM, Option, Parameter, Status
from DtsVirtLibrary.config.option_types import (
    FLAG,
    IDENTIFIER,
    PATH,
    PINS,
    SIZE,
    TEXT,
    choice,
    number,
)

LATER, NEW = Status.LATER, Status.NEW
CPU_COUNT = number(1, 1024)

NAME = Parameter(
    name="name",
    doc="Name of the VM.",
    main="name",
    options=(
        Option(
            "name",
            TEXT,
            "the VM's name",
            qemu="`-name NAME,debug-threads=on`",
            remark="must be the name of the section, which always wins",
        ),
    ),
)

ENABLE_KVM = Parameter(
    name="enable_kvm",
    doc="Hardware virtualization.",
    main="enable",
    options=(
        Option(
            "enable",
            FLAG,
            "yes: KVM where it works, else TCG; no: TCG",
            default="yes",
            qemu="`-accel kvm` or `-accel tcg`",
            tried=NEEDS_KVM,
            remark="the library's `accelerator` argument demands KVM",
        ),
    ),
)

QEMU = Parameter(
    name="qemu",
    doc="The emulator.",
    status=LATER,
    main="path",
    repeatable=True,
    options=(
        Option(
            "path",
            PATH,
            "the QEMU binary",
            LATER,
            required=True,
            qemu="first word of the command line",
            remark="of several entries the last one is used; default: `qemu-system-x86_64` on PATH",
        ),
    ),
)

MACHINE = Parameter(
    name="machine",
    doc="The machine type.",
    status=LATER,
    main="machine",
    extra="properties of the machine type, `key=value`, given to `-machine` as they are",
    options=(
        Option(
            "machine",
            TEXT,
            "machine type: `pc`, `q35`, ...",
            LATER,
            qemu="`-machine TYPE`",
            remark="default: the one the binary prefers",
            aliases=("type",),
        ),
        Option(
            "opt_gic_version",
            TEXT,
            "version of the GIC (aarch64)",
            LATER,
            qemu="`gic-version=`",
            tried="text only: aarch64",
        ),
    ),
)

CPU = Parameter(
    name="cpu",
    doc="Virtual processors.",
    main="number",
    options=(
        Option(
            "model",
            TEXT,
            "CPU model",
            qemu="`-cpu MODEL`",
            remark="default: `host` under KVM, `max` under TCG",
        ),
        Option(
            "number",
            CPU_COUNT,
            "vCPUs",
            qemu="`-smp N`",
            remark="default: sockets x cores x threads, else 1 (DTS: 4)",
        ),
        Option(
            "cpupin",
            PINS,
            "host CPU of each vCPU, in order",
            qemu="none: the vCPU threads are pinned after the start",
            remark="a longer list: the rest is not used; a shorter one: each vCPU without a CPU "
            "of its own may run on all CPUs of the list",
        ),
        Option("sockets", CPU_COUNT, "sockets", NEW, qemu="`-smp sockets=`"),
        Option("cores", CPU_COUNT, "cores of a socket", NEW, qemu="`-smp cores=`"),
        Option("threads", CPU_COUNT, "threads of a core", NEW, qemu="`-smp threads=`"),
    ),
)

MEM = Parameter(
    name="mem",
    doc="Guest memory.",
    main="size",
    options=(
        Option(
            "size",
            SIZE,
            "size of the memory",
            qemu="`-m`",
            remark="default: 512 MiB for the embedded guest, else 2048 MiB",
        ),
        Option(
            "hugepage",
            FLAG,
            "take it from the host's hugepages",
            default="no",
            qemu="`-object memory-backend-file,mem-path=<hugetlbfs>,share=on,prealloc=on`",
        ),
        Option(
            "node",
            number(0, 1023),
            "NUMA node of the host to take it from",
            NEW,
            qemu="`host-nodes=N,policy=bind` of the memory backend",
        ),
    ),
)

DISK = Parameter(
    name="disk",
    doc="A disk.",
    main="file",
    repeatable=True,
    options=(
        Option(
            "file",
            PATH,
            "image on the host",
            required=True,
            qemu="`-blockdev driver=file,filename=`",
        ),
        Option(
            "opt_format",
            choice("raw", "qcow2", "qcow", "qed", "vdi", "vmdk", "vpc", "vhdx"),
            "format of the image, never guessed from its content",
            LATER,
            qemu="`-blockdev driver=FORMAT`",
            remark="default: by the end of the file's name (`.qcow2`, `.vmdk`, `.vdi`, `.vhdx`, "
            "...), else raw",
        ),
        Option(
            "opt_if",
            choice("virtio", "ide", "scsi", "none"),
            "what it is attached to",
            LATER,
            aliases=("interface",),
            qemu="`-device virtio-blk-pci`, `ide-hd`, `scsi-hd`, ...",
            remark="default: virtio; ide for a CD-ROM",
        ),
        Option(
            "opt_index",
            number(0, 255),
            "place on its interface",
            LATER,
            qemu="place on the bus, and `bootindex=`",
        ),
        Option(
            "opt_media",
            choice("disk", "cdrom"),
            "disk, or CD-ROM (read only)",
            LATER,
            qemu="`ide-cd`, `scsi-cd`, `read-only=on`",
            remark="default: cdrom for a file that ends in `.iso`, else disk",
        ),
        Option(
            "overlay",
            FLAG,
            "write to a throw-away overlay; the image stays as it is",
            NEW,
            default="no",
            aliases=("snapshot",),
            qemu="a qcow2 file with the image as its backing file",
        ),
        Option("opt_id", IDENTIFIER, "id", NEW, qemu="`id=`", remark="default: disk0, disk1, ..."),
        Option(
            "opt_bus",
            TEXT,
            "bus of DTS's LIBVIRT class",
            LATER,
            refused="belongs to DTS's LIBVIRT class; say opt_if=virtio, ide or scsi",
        ),
        Option(
            "opt_dev",
            TEXT,
            "device name of DTS's LIBVIRT class",
            LATER,
            refused="belongs to DTS's LIBVIRT class; QEMU does not choose names in the guest",
        ),
        Option(
            "opt_controller",
            TEXT,
            "controller of DTS's LIBVIRT class",
            LATER,
            refused="belongs to DTS's LIBVIRT class; say opt_if=virtio, ide or scsi",
        ),
    ),
)

GUEST = Parameter(
    name="guest",
    doc="The embedded guest, which the library builds.",
    status=NEW,
    main="flavour",
    options=(
        Option(
            "flavour",
            IDENTIFIER,
            "which one",
            NEW,
            default="default",
            qemu="`-kernel`, `-initrd`, `-append`",
        ),
    ),
    remark="booted too when the VM has no disk, kernel and pflash",
)

KERNEL = Parameter(
    name="kernel",
    doc="A kernel to boot without a boot loader.",
    status=LATER,
    main="kernel_img",
    options=(
        Option(
            "kernel_img",
            PATH,
            "kernel image",
            LATER,
            required=True,
            aliases=("file",),
            qemu="`-kernel`",
        ),
        Option("initrd", PATH, "initramfs", NEW, qemu="`-initrd`"),
        Option("console", TEXT, "console of the kernel", LATER, qemu="`console=C` in `-append`"),
        Option(
            "baudrate",
            TEXT,
            "baud rate, with console only",
            LATER,
            qemu="`console=C,B` in `-append`",
        ),
        Option("root", TEXT, "root file system", LATER, qemu="`root=R` in `-append`"),
        Option("append", TEXT, "further words of the kernel's command line", NEW, qemu="`-append`"),
    ),
)

PFLASH = Parameter(
    name="pflash",
    doc="Firmware in flash memory: the code first, then its variables.",
    status=LATER,
    main="file",
    repeatable=True,
    options=(
        Option("file", PATH, "firmware image", LATER, required=True, qemu="`-drive if=pflash`"),
    ),
)

MACHINE_PARAMETERS = (
    NAME,
    ENABLE_KVM,
    QEMU,
    MACHINE,
    CPU,
    MEM,
    DISK,
    GUEST,
    KERNEL,
    PFLASH,
)
