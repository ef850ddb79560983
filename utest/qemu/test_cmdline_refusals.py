"""Everything that is refused before QEMU starts, with the words that the tester reads."""

from __future__ import annotations

from dataclasses import replace

import pytest

from DtsVirtLibrary.errors import ConfigError
from DtsVirtLibrary.qemu.command_line.build import command_line
from DtsVirtLibrary.qemu.command_line.host_facts import HostFacts
from DtsVirtLibrary.qemu.command_line.placement import Descriptor, Placement
from DtsVirtLibrary.spec import (
    Accelerator,
    Boot,
    Cpu,
    Disk,
    HostForward,
    HostPciDevice,
    Nic,
    Origin,
    OtherDevice,
    Serial,
    TapBackend,
    UserBackend,
    VhostUserBackend,
    VmSpec,
    Vnc,
)
from utest.qemu.cases import CONTROL, vm
from utest.qemu.test_cmdline_golden import FACTS

HERE = Origin("conf/a.cfg", 7)
THERE = Origin("conf/a.cfg", 9)
PLACEMENT = Placement("/run/vm0", Descriptor(10), Descriptor(11))


def card(**fields: object) -> Nic:
    """Return a network card that was written at HERE."""
    given: dict[str, object] = {"driver": "e1000", "backend": UserBackend(), "origin": HERE}
    return Nic(**{**given, **fields})  # type: ignore[arg-type]


def device(driver: str, **properties: str) -> OtherDevice:
    """Return a device that was written at HERE."""
    return OtherDevice(driver, {k.replace("_", "-"): v for k, v in properties.items()}, origin=HERE)


def disk(**fields: object) -> Disk:
    """Return a disk that was written at HERE."""
    return Disk(**{"file": "/a.img", "origin": HERE, **fields})  # type: ignore[arg-type]


def forward(**fields: object) -> Nic:
    """Return a card whose back end forwards a port."""
    backend = UserBackend((HostForward(**fields),), origin=HERE)  # type: ignore[arg-type]
    return card(backend=backend)


TCG = Accelerator.TCG
AT = "conf/a.cfg:7: VM 'vm0': "
CASES: dict[str, tuple[VmSpec, tuple[str, ...]]] = {
    "machine unknown": (
        vm(machine="q53"),
        ("VM 'vm0': QEMU 7.2.22 has no machine type 'q53'. Did you mean 'q35'?", "-machine help"),
    ),
    "machine of another family": (
        vm(machine="microvm"),
        ("machine type 'microvm' is not supported; use pc, q35 or a version of them",),
    ),
    "machine option unknown": (
        vm(machine="q35", machine_options={"vmprot": "on"}),
        ("machine q35 of QEMU 7.2.22 has no option 'vmprot'. Did you mean 'vmport'?", "smm"),
    ),
    "machine option with a wrong value": (
        vm(machine_options={"smm": "perhaps"}),
        ("machine option 'smm' does not take 'perhaps'. Allowed: on, off, auto",),
    ),
    "machine option of the library": (
        vm(card(backend=VhostUserBackend("/s"), driver="virtio-net-pci"),
           machine_options={"memory-backend": "x"}),
        ("machine option 'memory-backend' is set by the library",),
    ),
    "three flash files": (
        VmSpec("vm0", boot=Boot(pflash=("a", "b", "c"), origin=HERE)),
        (AT + "3 pflash files; a machine takes two at most",),
    ),
    "append without kernel": (
        VmSpec("vm0", boot=Boot(append="root=/dev/vda", origin=HERE)),
        (AT + "append 'root=/dev/vda' needs a kernel; give kernel_img too",),
    ),
    "initrd without kernel": (
        VmSpec("vm0", boot=Boot(initrd="/i", origin=HERE)),
        (AT + "initrd '/i' needs a kernel",),
    ),
    "cpu model unknown": (
        vm(cpu=Cpu(model="hots", origin=HERE)),
        (AT + "QEMU 7.2.22 has no CPU model 'hots'. Did you mean 'host'?", "64 -cpu help"),
    ),
    "cpu feature malformed": (
        vm(cpu=Cpu(model="max,+a b", origin=HERE)),
        (AT + "CPU model 'max,+a b' has the feature '+a b', which is none",),
    ),
    "cpu host on explicit TCG": (
        vm(cpu=Cpu(model="host", origin=HERE), accelerator=TCG),
        (AT + "CPU model 'host' needs KVM, and KVM is switched off. Use model 'max'",),
    ),
    "no vCPU": (
        vm(cpu=Cpu(number=0, origin=HERE)),
        (AT + "0 vCPUs; machine pc takes from 1 to 255",),
    ),
    "too many vCPUs": (
        vm(cpu=Cpu(number=256, origin=HERE)),
        (AT + "256 vCPUs; machine pc takes from 1 to 255",),
    ),
    "topology that does not fit": (
        vm(cpu=Cpu(number=4, sockets=3, origin=HERE)),
        (AT + "4 vCPUs do not fit sockets=3: sockets x cores x threads must be the number",),
    ),
    "topology with another product": (
        vm(cpu=Cpu(number=4, sockets=2, cores=2, threads=2, origin=HERE)),
        (AT + "4 vCPUs do not fit sockets=2, cores=2, threads=2",),
    ),
    "driver unknown": (
        vm(device("virtio-baloon-pci")),
        (AT + "QEMU 7.2.22 has no device 'virtio-baloon-pci'. Did you mean 'virtio-balloon-pci'?",
         "qemu-system-x86_64 -device help"),
    ),
    "driver with a successor": (
        vm(device("pci-assign", host="07:10.0")),
        (AT + "QEMU 7.2.22 has no device 'pci-assign'. Use vfio-pci (with",),
    ),
    "driver of a card unknown": (
        vm(card(driver="e100")),
        (AT + "QEMU 7.2.22 has no device 'e100'. Did you mean 'e1000'?",),
    ),
    "property unknown": (
        vm(device("virtio-balloon-pci", deflate_on_om="on")),
        (AT + "device 'virtio-balloon-pci' of QEMU 7.2.22 has no property 'deflate-on-om'. "
         "Did you mean 'deflate-on-oom'?", "-device virtio-balloon-pci,help"),
    ),
    "property of a card unknown": (
        vm(card(driver="virtio-net-pci", settings={"in_order": "on"})),
        (AT + "device 'virtio-net-pci' of QEMU 7.2.22 has no property 'in_order'",),
    ),
    "property is no truth value": (
        vm(card(driver="virtio-net-pci", settings={"csum": "maybe"})),
        (AT + "property 'csum' of device 'virtio-net-pci' does not take 'maybe'. "
         "Allowed: on, off",),
    ),
    "property is no number": (
        vm(card(driver="virtio-net-pci", settings={"rx_queue_size": "1k"})),
        (AT + "property 'rx_queue_size' of device 'virtio-net-pci' does not take '1k'. "
         "Allowed: a whole number from 0 to 65535",),
    ),
    "property out of range": (
        vm(card(driver="virtio-net-pci", settings={"host_mtu": "65536"})),
        ("property 'host_mtu' of device 'virtio-net-pci' does not take '65536'",),
    ),
    "vectors out of range": (
        vm(card(driver="virtio-net-pci", vectors=-1)),
        ("property 'vectors' of device 'virtio-net-pci' does not take '-1'",),
    ),
    "property whose name would be an option": (
        vm(card(driver="virtio-net-pci", settings={"csum=off,gso": "off"})),
        ("has no property 'csum=off,gso'",),
    ),
    "setting that is a field": (
        vm(card(settings={"mac": "52:54:00:00:00:01"})),
        (AT + "card 'nic0' has 'mac' among its settings; give it as mac",),
    ),
    "id among the properties": (
        vm(device("virtio-balloon-pci", id="x")),
        (AT + "device 'device0' has 'id' among its properties",),
    ),
    "id malformed": (
        vm(card(id="0abc")),
        (AT + "'0abc' is no id. Allowed: a letter, then letters, digits and - . _",),
    ),
    "id used twice": (
        vm(card(id="x"), replace(device("virtio-balloon-pci"), id="x", origin=THERE)),
        ("conf/a.cfg:9: VM 'vm0': the id 'x' is used twice; the other is at conf/a.cfg:7",),
    ),
    "id of a disk used twice": (
        vm(card(id="x"), disks=(disk(id="x", origin=THERE),)),
        (AT + "the id 'x' is used twice; the other is at conf/a.cfg:9",),
    ),
    "id of the library": (
        vm(card(id="rng-device0")),
        (AT + "the id 'rng-device0' is one of the library's own; use another",),
    ),
    "id of a user command": (
        vm(card(id="mine"), user_commands=("-device", "e1000,id=mine")),
        (AT + "the id 'mine' is used twice",),
    ),
    "mac used twice": (
        vm(card(mac="52:54:00:00:00:01"), card(mac="52:54:00:00:00:01", origin=THERE)),
        ("conf/a.cfg:9: VM 'vm0': cards 'nic0' and 'nic1' have the same MAC 52:54:00:00:00:01; "
         "the other is at conf/a.cfg:7",),
    ),
    "mac malformed": (
        vm(card(mac="52:54:00:00:01")),
        (AT + "card 'nic0' has the MAC '52:54:00:00:01'. Allowed: 52:54:00:12:34:56",),
    ),
    "mac multicast": (
        vm(card(mac="01:54:00:00:00:01")),
        (AT + "card 'nic0' has the multicast MAC '01:54:00:00:00:01'",),
    ),
    "netdev missing": (
        vm(CONTROL, card(backend=None, netdev="host-conect")),
        (AT + "card 'nic0' is connected to the back end 'host-conect', which the VM has not. "
         "Did you mean 'host-connect'? Known: host-connect",),
    ),
    "netdev taken": (
        vm(CONTROL, card(backend=None, netdev="host-connect")),
        (AT + "cards 'host-connect-nic' and 'nic0' are both connected to the back end "
         "'host-connect'",),
    ),
    "slot of the LPC bridge": (
        vm(card(address="1f"), machine="q35"),
        (AT + "device 'nic0' (e1000) cannot have address 1f on pcie.0 of machine q35: ICH9-LPC "
         "(LPC bridge, SATA, SMBus) is there. Free slots: 01 02 03 ",),
    ),
    "slot 0": (
        vm(card(address="0")),
        (AT + "device 'nic0' (e1000) cannot have address 0 on pci.0 of machine pc: "
         "the host bridge is there",),
    ),
    "slot of the control card": (
        vm(card(address="1f"), replace(CONTROL, origin=THERE)),
        ("conf/a.cfg:9: VM 'vm0': device 'host-connect-nic' (virtio-net-pci) cannot have address "
         "1f on pci.0 of machine pc: 'nic0' (e1000), from conf/a.cfg:7, is there",),
    ),
    "slot of the agent": (
        vm(card(address="1e")),
        (AT + "device 'nic0' (e1000) cannot have address 1e on pci.0 of machine pc: "
         "'virtio-serial0' (virtio-serial-pci) is there",),
    ),
    "slot out of range": (
        vm(card(address="20")),
        (AT + "device 'nic0' (e1000) has address '20', which is none. Allowed: a slot from 01 to",),
    ),
    "slot malformed": (vm(card(address="slot5")), ("has address 'slot5', which is none",)),
    "slot used twice": (
        vm(card(address="5"), card(address="05.0", origin=THERE)),
        ("conf/a.cfg:9: VM 'vm0': device 'nic1' (e1000) cannot have address 05.0 on pci.0 of "
         "machine pc: 'nic0' (e1000), from conf/a.cfg:7, is there. Free slots: 02 03 04 06",),
    ),
    "function without function 0": (
        vm(card(address="5.1")),
        (AT + "device 'nic0' (e1000) has address 5.1, but function 1 of a slot is seen by the "
         "guest only if function 0 has multifunction=on; there is none",),
    ),
    "function beside a single function": (
        vm(card(address="5"), card(address="5.1")),
        ("only if function 0 has multifunction=on; 'nic0' (e1000) there has not",),
    ),
    "bus unknown": (
        vm(card(bus="pcie.0")),
        (AT + "device 'nic0' (e1000) is on bus 'pcie.0', which the VM has not. Known: pci.0",),
    ),
    "no slot left": (
        vm(*(device("virtio-balloon-pci") for _ in range(28))),
        ("device 'device27' (virtio-balloon-pci) finds no free slot on pci.0",),
    ),
    "disk interface unknown": (
        vm(disks=(disk(interface="sata"),)),
        (AT + "disk 'disk0' has interface 'sata'. Allowed: virtio, ide, scsi, none",),
    ),
    "disk medium unknown": (
        vm(disks=(disk(media="floppy"),)),
        (AT + "disk 'disk0' has medium 'floppy'. Allowed: disk, cdrom",),
    ),
    "disk id too long": (
        vm(disks=(disk(id="d" * 27),)),
        ("' has more than 26 characters",),
    ),
    "fifth IDE disk": (
        vm(disks=tuple(disk(interface="ide") for _ in range(5))),
        (AT + "disk 'disk4' cannot have IDE connector 4. Machine pc has 4, numbered from 0; free: "
         "none. Use another index or the interface virtio.",),
    ),
    "IDE connector used twice": (
        vm(disks=(disk(interface="ide", index=1), disk(interface="ide", index=1))),
        (AT + "disk 'disk1' cannot have IDE connector 1; 'disk0' has it",),
    ),
    "NUL in a path": (vm(disks=(disk(file="/a\0b"),)), ("holds a NUL character",)),
    "vhost without /dev/vhost-net": (
        vm(card(backend=TapBackend(vhost=True))),
        (AT + "card 'nic0' asks for vhost=on, and there is no /dev/vhost-net. Load the module",),
    ),
    "tap name too long": (
        vm(card(backend=TapBackend(interface="a-sixteen-letter"))),
        (AT + "the tap interface's name 'a-sixteen-letter' has 16 bytes, and Linux takes at "
         "most 15",),
    ),
    "vhost-user with another card": (
        vm(card(backend=VhostUserBackend("/s"))),
        (AT + "card 'nic0' is 'e1000'; a vhost-user back end needs virtio-net-pci",),
    ),
    "vhost-user server that reconnects": (
        vm(card(driver="virtio-net-pci",
                backend=VhostUserBackend("/s", server=True, reconnect_seconds=1))),
        (AT + "card 'nic0': QEMU is the server of '/s', and only a client reconnects",),
    ),
    "socket path too long": (
        vm(card(driver="virtio-net-pci", backend=VhostUserBackend("/" + "ä" * 54))),
        ("has 109 bytes, and a UNIX socket takes at most 107. Put it in a directory",),
    ),
    "forward to a name": (
        vm(forward(host_address="localhost")),
        (AT + "the forward's address 'localhost' is none; give an IPv4 address",),
    ),
    "forward with another protocol": (
        vm(forward(protocol="sctp")),
        (AT + "the forward's protocol is 'sctp'. Allowed: tcp, udp",),
    ),
    "forward from no port": (
        vm(forward(host_port=65536)),
        (AT + "the forward's port 65536 is not from 0 to 65535",),
    ),
    "forward to no port": (
        vm(forward(guest_port=0)),
        (AT + "the forward's port 0 is not from 1 to 65535",),
    ),
    "host address malformed": (
        vm(HostPciDevice("07:10", "pt_0", origin=HERE)),
        (AT + "device 'pt_0' has the host address '07:10', which is none. Allowed: domain:bus",),
    ),
    "serial kind unknown": (
        vm(serial=Serial("pty", origin=HERE)),
        (AT + "the serial port is of kind 'pty'. Allowed: file, socket, telnet",),
    ),
    "telnet port out of range": (
        vm(serial=Serial("telnet", port=70000, origin=HERE)),
        (AT + "the telnet port 70000 is not from 0 to 65535",),
    ),
    "vnc display out of range": (
        vm(vnc=Vnc(display=59636, origin=HERE)),
        (AT + "VNC display 59636 is not from 0 to 59635",),
    ),
    "vnc address with an option in it": (
        vm(vnc=Vnc(address="127.0.0.1:1,password=off", origin=HERE)),
        (AT + "the VNC address '127.0.0.1:1,password=off' is none",),
    ),
    "usercmd daemonize": (
        vm(user_commands=("-daemonize",)),
        ("usercmd: option '-daemonize' is not taken: the library keeps QEMU in the foreground",),
    ),
    "usercmd with two dashes": (
        vm(user_commands=("--pidfile", "/p")),
        ("usercmd: option '-pidfile' is not taken: give the parameter pid_file",),
    ),
    "usercmd qmp": (vm(user_commands=("-qmp", "stdio")), ("the library owns the QMP monitor",)),
    "usercmd mem-path": (
        vm(user_commands=("-mem-path", "/dev")),
        ("usercmd: option '-mem-path' is not taken: give the parameter mem with hugepage=yes",),
    ),
    "usercmd S": (vm(user_commands=("-S",)), ("the library starts the CPUs itself",)),
    "usercmd enable-kvm": (vm(user_commands=("-enable-kvm",)), ("give the parameter enable_kvm",)),
    "usercmd removed": (
        vm(user_commands=("-watchdog", "i6300esb")),
        ("usercmd: QEMU 7.2.22 does not take '-watchdog' (removed in 7.2). Use -device with the",),
    ),
    "usercmd vlan": (
        vm(user_commands=("-net", "nic,vlan=0")),
        ("usercmd: QEMU 7.2.22 does not take '-net nic,vlan=0' (removed in 3.0). Use the parameter "
         "net, whose entries with the same opt_vlan are connected",),
    ),
    "usercmd disk with a serial number": (
        vm(user_commands=("-drive", "file=/a,if=virtio,serial=1")),
        ("does not take '-drive file=/a,if=virtio,serial=1' (removed in 3.0). Use if=none, and",),
    ),
    "usercmd slot that is taken": (
        vm(CONTROL, user_commands=("-device", "e1000,id=mine,addr=0x1f")),
        ("VM 'vm0': device 'mine' (e1000) cannot have address 0x1f on pci.0 of machine pc: "
         "'host-connect-nic' (virtio-net-pci) is there. Free slots: 02",),
    ),
    "usercmd driver unknown": (
        vm(user_commands=("-device", "e1001,id=x")),
        ("QEMU 7.2.22 has no device 'e1001'. Did you mean 'e1000'?",),
    ),
    "usercmd without option": (
        vm(user_commands=("e1000", "-rtc", "base=utc")),
        ("usercmd: 'e1000' is no option; one begins with a dash",),
    ),
    "usercmd of two dashes": (
        vm(user_commands=("--",)), ("usercmd: '--' is no option; one begins with a dash",),
    ),
    "number of more digits than Python reads": (
        vm(OtherDevice("virtio-balloon-pci", {"acpi-index": "9" * 4400}, id="b", origin=HERE)),
        ("property 'acpi-index' of device 'virtio-balloon-pci' does not take '999",),
    ),
    "usercmd with two values": (
        vm(user_commands=("-rtc", "base=utc", "more")),
        ("usercmd: option '-rtc' has the values base=utc, more, and an option of QEMU takes one",),
    ),
}  # fmt: skip


@pytest.mark.fault(3, 4, 5, 6, 7, 8, 9, 23, 31, 34)
@pytest.mark.parametrize("name", CASES)
def test_refusal_says_where_what_and_what_is_allowed(name: str) -> None:
    spec, words = CASES[name]
    with pytest.raises(ConfigError) as caught:
        command_line(spec, FACTS["7.2"], HostFacts(), PLACEMENT)
    for part in words:
        assert part in str(caught.value)


def test_an_option_is_refused_only_by_the_qemu_that_lacks_it() -> None:
    spec = vm(CONTROL, user_commands=("-no-hpet",))
    line = command_line(spec, FACTS["7.2"], HostFacts(), PLACEMENT)
    assert line.argv[-1] == "-no-hpet"
    with pytest.raises(ConfigError, match=r"does not take '-no-hpet' \(removed in 9.0\)"):
        command_line(spec, FACTS["10.0"], HostFacts(), PLACEMENT)


def test_reconnect_of_a_user_command_is_translated_where_it_is_gone() -> None:
    facts = FACTS["10.0"]
    without = replace(
        facts, options={**facts.options, "chardev": facts.options["chardev"] - {"reconnect"}}
    )
    spec = vm(CONTROL, user_commands=("-chardev", "socket,id=x,path=/s,reconnect=5"))
    line = command_line(spec, without, HostFacts(), PLACEMENT)
    assert line.argv[-1] == "socket,id=x,path=/s,reconnect-ms=5000"
    assert any("reconnect-ms=5000" in note for note in line.notes)
