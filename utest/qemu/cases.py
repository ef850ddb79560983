"""The VMs whose command lines are kept as reviewed text, and tried on real QEMUs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from DtsVirtLibrary.qemu.command_line.host_facts import HostFacts
from DtsVirtLibrary.spec import (
    Accelerator,
    Boot,
    BridgeBackend,
    Cpu,
    CryptoDevice,
    Device,
    Disk,
    HostForward,
    HostPciDevice,
    Incoming,
    Memory,
    Nic,
    OtherDevice,
    Serial,
    TapBackend,
    UserBackend,
    VhostUserBackend,
    VmSpec,
    Vnc,
)

GUEST = Boot(guest="default")
SSH = UserBackend(forwards=(HostForward(),))
CONTROL = Nic(driver="virtio-net-pci", backend=SSH, control=True)
E1000_CONTROL = Nic(driver="e1000", backend=SSH, control=True)


@dataclass(frozen=True)
class Case:
    """A VM and what is known of its host.

    :ivar needs: hardware or device file without which QEMU cannot start it; empty for none.
    :ivar says: words that QEMU then writes to stderr; empty for none.
    """

    name: str
    spec: VmSpec
    host: HostFacts = field(default_factory=HostFacts)
    taps: Mapping[str, str] = field(default_factory=dict)
    needs: str = ""
    says: str = ""


def cases(files: str = "/files") -> list[Case]:
    """Return all cases; `files` is the directory of their images and sockets."""
    return [
        *_parameters(files),
        *_processors(),
        *_memory(files),
        *_disks(files),
        *_boot(files),
        *_networks(files),
        *_vhost_user(files),
        *_devices(files),
        *_slots(),
        *_user_commands(files),
        *_whole(files),
    ]


def vm(*devices: Device, **parameters: object) -> VmSpec:
    """Return a VM that boots the embedded guest, with these devices."""
    fields: dict[str, object] = {"boot": GUEST, "devices": devices, **parameters}
    return VmSpec(name="vm0", **fields)  # type: ignore[arg-type]


def q35(case: Case) -> Case:
    """Return the same case on the other machine."""
    return replace(case, name=f"{case.name}-q35", spec=replace(case.spec, machine="q35"))


def kvm(case: Case) -> Case:
    """Return the same case where KVM can be used."""
    host = replace(case.host, accelerator="kvm")
    return replace(case, name=f"{case.name}-kvm", host=host, needs="kvm")


def _parameters(files: str) -> Iterator[Case]:
    nothing = Case("nothing-given", VmSpec(name="vm0", boot=GUEST))
    yield nothing
    yield q35(nothing)
    yield kvm(nothing)
    yield kvm(q35(nothing))
    reason = HostFacts(accelerator_reason="there is no /dev/kvm on localhost.")
    yield Case("enable-kvm-auto-without-kvm", vm(CONTROL), reason)
    yield Case("enable-kvm-no", vm(CONTROL, accelerator=Accelerator.TCG))
    yield kvm(Case("enable-kvm-yes", vm(CONTROL, accelerator=Accelerator.KVM)))
    yield Case("name-with-all-signs", replace(vm(CONTROL), name="A9.vm_0-x"))
    yield Case("machine-versioned-pc", vm(CONTROL, machine="pc-i440fx-7.2"))
    old = vm(CONTROL, machine="pc-i440fx-5.2")
    yield Case("machine-deprecated", old, says="is deprecated|^$")
    yield Case("machine-versioned-q35", vm(CONTROL, machine="pc-q35-7.2"))
    options = {"smm": "off", "vmport": "AUTO", "usb": "yes", "max_ram_below_4g": "2G"}
    yield Case("machine-options", vm(CONTROL, machine="q35", machine_options=options))
    yield Case("qga-no", vm(CONTROL, guest_agent=False))
    yield Case("monitor-path", vm(CONTROL, monitor_path=f"{files}/monitor.sock"))
    yield Case("pid-file", vm(CONTROL, pid_file=f"{files}/vm0.pid"))
    yield Case("serial-socket", vm(CONTROL, serial=Serial("socket"), control="socket"))
    yield Case("serial-telnet", vm(CONTROL, serial=Serial("telnet"), control="telnet"))
    yield Case("serial-telnet-port", vm(CONTROL, serial=Serial("telnet", port=27001)))
    yield Case("vnc-display", vm(CONTROL, vnc=Vnc(display=27)))
    yield Case("vnc-auto", vm(CONTROL, vnc=Vnc()), says="VNC server running on 127.0.0.1")
    yield Case("vnc-all-addresses", vm(CONTROL, vnc=Vnc(display=28, address="0.0.0.0")))
    yield Case("vnc-ipv6", vm(CONTROL, vnc=Vnc(address="::1")), says="VNC server running on ::1")
    yield Case("migration-defer", vm(CONTROL, incoming=Incoming()))
    yield Case("migration-port", vm(CONTROL, incoming=Incoming("tcp:127.0.0.1:27444")))
    yield Case("migration-exec", vm(CONTROL, incoming=Incoming("exec:cat /dev/null")))


def _processors() -> Iterator[Case]:
    yield Case("cpu-model", vm(CONTROL, cpu=Cpu(model="qemu64", number=2)))
    yield Case("cpu-model-features", vm(CONTROL, cpu=Cpu(model="Nehalem,+aes,pmu=off")))
    yield Case("cpu-host-without-kvm", vm(CONTROL, cpu=Cpu(model="host", number=2)))
    yield kvm(Case("cpu-host", vm(CONTROL, cpu=Cpu(model="host", number=4))))
    yield Case("cpu-number-and-pins", vm(CONTROL, cpu=Cpu(number=2, pins=(0, 1))))
    yield Case("cpu-sockets", vm(CONTROL, cpu=Cpu(number=4, sockets=2)))
    words = "doesn't support hyperthreading"
    yield Case("cpu-threads", vm(CONTROL, cpu=Cpu(number=4, threads=2)), says=words)
    whole = Cpu(number=8, sockets=2, cores=2, threads=2)
    yield Case("cpu-topology", vm(CONTROL, cpu=whole), says=words)
    yield Case("cpu-cores-only", vm(CONTROL, cpu=Cpu(number=4, cores=1)))


def _memory(files: str) -> Iterator[Case]:
    mounted = HostFacts(hugepages=f"{files}/hugepages")
    yield Case("mem-size", vm(CONTROL, memory=Memory(size_mib=1024)))
    huge = vm(CONTROL, memory=Memory(64, hugepage=True))
    yield Case("mem-hugepage", huge, mounted, needs="hugepages")
    yield Case("mem-hugepage-not-mounted", huge, needs="hugepages")
    yield q35(Case("mem-hugepage", huge, mounted, needs="hugepages"))
    yield Case("mem-node", vm(CONTROL, memory=Memory(128, node=0)))
    node = vm(CONTROL, memory=Memory(64, hugepage=True, node=0))
    yield Case("mem-hugepage-node", node, mounted, needs="hugepages")
    shared = Nic("virtio-net-pci", VhostUserBackend(f"{files}/vhost0.sock"))
    yield Case("mem-node-vhost-user", vm(shared, memory=Memory(128, node=0)))
    both = vm(shared, memory=Memory(64, hugepage=True))
    yield Case("mem-hugepage-vhost-user", both, mounted, needs="hugepages")


def _disks(files: str) -> Iterator[Case]:
    qcow2 = Disk(f"{files}/a.qcow2", "qcow2")
    raw, cd = Disk(f"{files}/b.raw"), Disk(f"{files}/c.iso", media="cdrom")
    disk = Case("disk", VmSpec(name="vm0", devices=(E1000_CONTROL,), disks=(qcow2,)))
    yield disk
    yield q35(disk)
    yield Case("disk-with-guest", vm(CONTROL, disks=(qcow2, raw)))
    yield Case("disk-overlay", _from_disk(replace(qcow2, overlay=True)))
    yield Case("disk-raw-overlay", _from_disk(replace(raw, overlay=True)))
    yield Case("disk-name-with-comma", _from_disk(Disk(f"{files}/d,e=f.raw")))
    yield Case("disk-id", _from_disk(replace(raw, id="system")))
    ide = tuple(replace(d, interface="ide") for d in (qcow2, cd, raw))
    yield Case("disk-ide", _from_disk(*ide))
    yield q35(Case("disk-ide", _from_disk(*ide)))
    placed = (replace(ide[0], index=2), ide[1], replace(ide[2], index=0))
    yield Case("disk-ide-index", _from_disk(*placed))
    yield q35(Case("disk-ide-index", _from_disk(*placed)))
    scsi = tuple(replace(d, interface="scsi") for d in (qcow2, cd))
    yield Case("disk-scsi", _from_disk(*scsi))
    yield q35(Case("disk-scsi", _from_disk(*scsi)))
    yield Case("disk-virtio-cdrom", _from_disk(raw, cd))
    yield Case("disk-boot-order", _from_disk(replace(raw, index=1), replace(qcow2, index=0)))
    owner = OtherDevice("nvme", {"drive": "disk0", "serial": "one"})
    yield Case("disk-if-none", vm(CONTROL, owner, disks=(replace(raw, interface="none"),)))


def _from_disk(*disks: Disk) -> VmSpec:
    return VmSpec(name="vm0", devices=(E1000_CONTROL,), disks=disks)


def _boot(files: str) -> Iterator[Case]:
    yield Case("guest-append", vm(CONTROL, boot=Boot(guest="testpmd", append="hugepages=96")))
    kernel = Boot(kernel=f"{files}/kernel")
    yield Case("kernel", vm(CONTROL, boot=kernel))
    words = "console=ttyS0,115200 root=/dev/vda1"
    whole = Boot(kernel=f"{files}/kernel", initrd=f"{files}/initrd", append=words)
    yield Case("kernel-initrd-append", vm(CONTROL, boot=whole))
    yield q35(Case("kernel-initrd-append", vm(CONTROL, boot=whole)))
    code = Boot(pflash=(f"{files}/code.fd",))
    yield Case("pflash-code", VmSpec(name="vm0", boot=code))
    both = Boot(pflash=(f"{files}/code.fd", f"{files}/vars.fd"))
    yield q35(Case("pflash-code-and-vars", VmSpec(name="vm0", boot=both)))


def _networks(files: str) -> Iterator[Case]:
    yield Case("net-default-e1000", vm(E1000_CONTROL))
    yield q35(Case("net-default-e1000", vm(E1000_CONTROL)))
    named = Nic("virtio-net-pci", SSH, id="control", mac="52:54:00:00:00:10", control=True)
    yield Case("net-control-named", vm(named))
    second = Nic("rtl8139", UserBackend(restrict=True), mac="52:54:00:00:00:11", vectors=None)
    yield Case("net-second-user", vm(CONTROL, second))
    forwards = (
        HostForward(),
        HostForward("udp", "127.0.0.1", 27053, "10.0.2.15", 53),
        HostForward("tcp", "", 27080, "", 80),
    )
    yield Case("net-hostfwd", vm(Nic(backend=UserBackend(forwards), control=True)))
    options = Nic(
        "virtio-net-pci", UserBackend(), mac="52:54:00:00:00:12", address="5", vectors=4, id="data"
    )
    yield Case("net-nic-options", vm(CONTROL, options))
    yield q35(Case("net-nic-options", vm(CONTROL, options)))
    yield Case("net-alias", vm(CONTROL, Nic("virtio-net", UserBackend())))
    yield Case("net-without-backend", vm(CONTROL, Nic("e1000e")), says="nic nic0 has no peer")
    tap = Nic("virtio-net-pci", TapBackend(), mac="52:54:00:00:00:13")
    yield Case("net-tap-made", vm(CONTROL, tap), taps={"nic0": "tap-vm0-nic0"})
    yield Case("net-tap-not-made-yet", vm(CONTROL, tap))
    interface = replace(tap, backend=TapBackend(interface="tap27"))
    yield Case("net-tap-interface", vm(CONTROL, interface))
    script = f"{files}/ifup"
    scripts = TapBackend(script=script, downscript=f"{files}/ifdown")
    yield Case("net-tap-scripts", vm(CONTROL, replace(tap, backend=scripts)))
    up_only = TapBackend(interface="tap28", script=script, bridge="br0")
    yield Case("net-tap-script-only", vm(CONTROL, replace(tap, backend=up_only)))
    bridged = replace(tap, backend=TapBackend(bridge="br7"))
    yield Case("net-tap-bridge", vm(CONTROL, bridged), taps={"nic0": "tap-vm0-nic0"})
    bridge = replace(tap, backend=BridgeBackend("br0"))
    yield Case("net-bridge", vm(CONTROL, bridge), taps={"nic0": "tap-vm0-nic0"})
    yield q35(Case("net-bridge", vm(CONTROL, bridge), taps={"nic0": "tap-vm0-nic0"}))
    vhost = replace(tap, backend=TapBackend(interface="tap29", vhost=True))
    yield Case("net-vhost-cuse", vm(CONTROL, vhost), HostFacts(vhost_net=True), needs="vhost-net")


def _vhost_user(files: str) -> Iterator[Case]:
    first, second = f"{files}/vhost0.sock", f"{files}/vhost1.sock"
    plain = Nic("virtio-net-pci", VhostUserBackend(first), mac="00:00:20:00:00:20")
    case = Case("vhost-user", vm(CONTROL, plain))
    yield case
    yield q35(case)
    yield kvm(case)
    other = replace(plain, backend=VhostUserBackend(second), mac="00:00:20:00:00:21")
    yield Case("vhost-user-twice", vm(CONTROL, plain, other))
    server = VhostUserBackend(f"{files}/server.sock", server=True)
    waiting = "QEMU waiting for connection on"
    yield Case("vhost-user-server", vm(CONTROL, replace(plain, backend=server)), says=waiting)
    queues = Case(
        "vhost-user-queues",
        vm(CONTROL, replace(plain, backend=VhostUserBackend(first, queues=2))),
    )
    yield queues
    yield kvm(queues)
    again = VhostUserBackend(first, reconnect_seconds=2)
    yield Case("vhost-user-reconnect", vm(CONTROL, replace(plain, backend=again)))
    settings = {"csum": "off", "mrg_rxbuf": "on", "rx_queue_size": "1024", "host_mtu": "1500"}
    yield Case("vhost-user-settings", vm(CONTROL, replace(plain, settings=settings)))
    legacy = replace(plain, settings={"disable-modern": "true"})
    yield Case("vhost-user-legacy", vm(CONTROL, legacy))
    yield Case("vhost-user-vectors", vm(CONTROL, replace(plain, vectors=8)))
    winning = replace(
        plain, backend=VhostUserBackend(first, queues=2), settings={"vectors": "12", "mq": "off"}
    )
    yield Case("vhost-user-settings-win", vm(CONTROL, winning))
    comma = replace(plain, backend=VhostUserBackend(f"{files}/a,b=c.sock"))
    yield Case("vhost-user-path-with-comma", vm(CONTROL, comma))


def _devices(files: str) -> Iterator[Case]:
    function = HostPciDevice("0000:07:10.0", "pt_0")
    yield Case("vfio-pci", vm(CONTROL, function), needs="vfio")
    placed = HostPciDevice("0000:07:10.1", "pt_1", address="6", settings={"rombar": "0"})
    yield Case("vfio-pci-address", vm(CONTROL, function, placed), needs="vfio")
    port = OtherDevice("pcie-root-port", {"chassis": "1", "slot": "1"}, id="port1")
    behind = HostPciDevice("07:10.2", "pt_0", bus="port1")
    yield q35(Case("vfio-pci-bus", vm(CONTROL, port, behind), needs="vfio"))
    yield Case("crypto", vm(CONTROL, CryptoDevice("crypto0"), CryptoDevice("crypto1")))
    yield q35(Case("crypto", vm(CONTROL, CryptoDevice("crypto0"))))
    socket = f"{files}/crypto0.sock"
    yield Case("crypto-vhost-user", vm(CONTROL, CryptoDevice("crypto0", path=socket)))
    balloon = OtherDevice("virtio-balloon-pci", {"deflate-on-oom": "yes"}, id="balloon")
    yield Case("other-device", vm(CONTROL, balloon))
    yield q35(Case("other-device", vm(CONTROL, balloon)))
    yield Case("other-device-alias", vm(CONTROL, OtherDevice("virtio-balloon")))
    pc_bridge = OtherDevice("pci-bridge", {"chassis_nr": "1", "addr": "8"}, id="bridge1")
    card = Nic("e1000", UserBackend(), mac="52:54:00:00:00:14", bus="bridge1", address="3")
    yield Case("bridge-with-card", vm(CONTROL, pc_bridge, card))
    pcie = replace(card, driver="virtio-net-pci", bus="port1", address=None)
    yield q35(Case("root-port-with-card", vm(CONTROL, port, pcie)))
    unplaced = Nic("e1000", UserBackend(), mac="52:54:00:00:00:15", bus="bridge1")
    yield Case("bridge-address-by-qemu", vm(CONTROL, pc_bridge, unplaced))
    usb = OtherDevice("qemu-xhci", id="usb")
    stick = OtherDevice("usb-tablet", {"bus": "usb.0"})
    yield Case("device-not-on-pci", vm(CONTROL, usb, stick))
    text = OtherDevice("virtio-balloon-pci", {"acpi-index": "0x10"}, id="b-1.x_y")
    yield Case("device-number-in-hex", vm(CONTROL, text))
    made = Nic("virtio-net-pci", netdev="mine", mac="52:54:00:00:00:16")
    command = ("-netdev", "user,id=mine,net=10.7.0.0/24")
    yield Case("virtio-net-pci-named-netdev", vm(CONTROL, made, user_commands=command))


def _slots() -> Iterator[Case]:
    fixed = Nic("e1000", UserBackend(), mac="52:54:00:00:00:17", address="02")
    floating = Nic("e1000", UserBackend(), mac="52:54:00:00:00:18")
    yield Case("slot-fixed-before-floating", vm(CONTROL, floating, fixed))
    yield Case("slot-of-control-card", vm(replace(CONTROL, address="0a")))
    first = replace(fixed, settings={"multifunction": "on"})
    second = replace(floating, address="2.1")
    yield Case("slot-functions", vm(CONTROL, first, second))
    yield Case("slot-hex-prefix", vm(CONTROL, replace(floating, address="0x10.0")))
    many = (OtherDevice("virtio-balloon-pci"), *(OtherDevice("virtio-rng-pci") for _ in range(4)))
    yield Case("slot-many", vm(CONTROL, *many))
    yield q35(Case("slot-many", vm(CONTROL, *many)))


def _user_commands(files: str) -> Iterator[Case]:
    yield Case("usercmd", vm(CONTROL, user_commands=("-rtc", "base=utc", "-no-fd-bootchk")))
    short = ("-monitor", f"unix:{files}/hmp.sock,server,nowait", "-serial", "null")
    yield Case("usercmd-short-booleans", vm(CONTROL, user_commands=short))
    chardev = f"socket,id=extra,path={files}/vhost0.sock,reconnect=5"
    yield Case("usercmd-reconnect", vm(CONTROL, user_commands=("-chardev", chardev)))
    device = ("-netdev", "user,id=n9", "-device", "e1000,netdev=n9,id=card9")
    yield Case("usercmd-device", vm(CONTROL, user_commands=device))
    placed = ("-device", "virtio-balloon-pci,addr=2")
    card = Nic("e1000", UserBackend(), mac="52:54:00:00:00:19")
    yield Case("usercmd-placed-device", vm(CONTROL, card, user_commands=placed))
    quiet = ("-netdev", "tap,id=t0,ifname=tap31,script=no,downscript=no")
    quiet = (*quiet, "-device", "e1000,netdev=t0")
    yield Case("usercmd-tap-without-script", vm(CONTROL, user_commands=quiet))
    double = ("--rtc", "base=localtime", "-boot", "menu=off")
    yield Case("usercmd-two-dashes", vm(CONTROL, user_commands=double))
    yield Case("usercmd-sandbox", vm(CONTROL, user_commands=("-sandbox", "off")))
    tap = ("-netdev", f"tap,id=t0,ifname=tap30,script={files}/ifup,downscript=no")
    tap = (*tap, "-device", "e1000,netdev=t0")
    yield Case("usercmd-tap", vm(CONTROL, user_commands=tap))


def _whole(files: str) -> Iterator[Case]:
    """The sample of the original framework: two vhost-user ports, pinned, on hugepages."""
    ports = tuple(
        Nic(
            "virtio-net-pci", VhostUserBackend(f"{files}/vhost{n}.sock"), mac=f"00:00:20:00:00:2{n}"
        )
        for n in range(2)
    )
    sample = VmSpec(
        name="vm0",
        cpu=Cpu(model="host", number=2, pins=(24, 25)),
        memory=Memory(256),
        disks=(Disk(f"{files}/a.qcow2", "qcow2", overlay=True),),
        devices=(E1000_CONTROL, *ports),
        vnc=Vnc(display=29),
    )
    yield Case("vxlan-sample", sample)
    yield q35(Case("vxlan-sample", sample))
    huge = replace(sample, memory=Memory(4096, hugepage=True))
    yield kvm(Case("vxlan-sample-hugepages", huge, HostFacts(hugepages="/mnt/huge")))
