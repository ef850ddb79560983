"""Each option of the machine's parameters, its default and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from DtsVirtLibrary.config import Parameters, build_spec, qemu_candidates
from DtsVirtLibrary.spec import Accelerator, Boot, Cpu, Disk, Memory
from utest.config.making import cfg, made, parameters, refused


@pytest.mark.parametrize(
    ("body", "cpu"),
    [
        ("cpu = model=host,number=2,cpupin=24 25", Cpu("host", 2, pins=(24, 25))),
        ("cpu = model=host", Cpu("host", 1)),
        ("cpu = 4", Cpu(None, 4)),
        ("cpu = number=4,cpupin=4 5", Cpu(None, 4, pins=(4, 5))),
        ("cpu = number=2,cpupin=4-7", Cpu(None, 2, pins=(4, 5, 6, 7))),
        ('cpu = cpupin="1,2"', Cpu(None, 1, pins=(1, 2))),
        ("cpu = sockets=2,cores=3,threads=2", Cpu(None, 12, 2, 3, 2)),
        ("cpu = number=12,sockets=2,cores=3,threads=2", Cpu(None, 12, 2, 3, 2)),
        ("cpu = number=8,sockets=2", Cpu(None, 8, 2, 4, 1)),
        ("cpu = number=8,cores=4", Cpu(None, 8, 2, 4, 1)),
        ("cpu = number=8,sockets=2,cores=2", Cpu(None, 8, 2, 2, 2)),
        ("cpu = threads=2", Cpu(None, 2, 1, 1, 2)),
        ('cpu = model="host,migratable=off"', Cpu("host,migratable=off", 1)),
    ],
)
def test_cpu(body: str, cpu: Cpu) -> None:
    assert cfg(body).cpu == cpu


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("cpu = number=0", "a.cfg:2: cpu: number: '0': expected a whole number from 1 to 1024"),
        ("cpu = number=1025", "a.cfg:2: cpu: number: '1025': expected a whole number"),
        ("cpu = number=two", "a.cfg:2: cpu: number: 'two': expected a whole number"),
        ("cpu = number=-1", "a.cfg:2: cpu: number: '-1': expected a whole number"),
        ("cpu = number=7,sockets=2", "a.cfg:2: cpu: number=7 is not sockets x cores x threads"),
        ("cpu = number=2,sockets=1,cores=1,threads=1", "a.cfg:2: cpu: number=2 is not sockets"),
        ("cpu = number=1,cores=2", "a.cfg:2: cpu: number=1 is not sockets x cores x threads"),
        ("cpu = cpupin=5 5", "a.cfg:2: cpu: cpupin: '5 5': expected each host CPU once"),
        (
            "cpu = modle=host",
            "a.cfg:2: cpu: unknown option 'modle'. Did you mean 'model'? Known: m",
        ),
        ("cpu = cpupin=1,2,3", "a.cfg:2: cpu: unknown option '2'"),
        ("cpu = number=2; number=3", "a.cfg:2: cpu: a second entry, where only one is allowed"),
        ("cpu = number=2,number=3", "a.cfg:2: cpu: option 'number' stands there twice"),
        ("cpu = number=", "a.cfg:2: cpu: option 'number' has no value"),
        ("cpu = model", "a.cfg:2: cpu: option 'model' has no value"),
    ],
)
def test_cpu_that_is_refused(body: str, message: str) -> None:
    assert refused(body).startswith(message)


@pytest.mark.parametrize(
    ("body", "memory"),
    [
        ("mem = size=4096,hugepage=yes;", Memory(4096, True)),
        ("mem = size=8196", Memory(8196)),
        ("mem = size=4G", Memory(4096)),
        ("mem = size=4G,hugepage=yes", Memory(4096, True)),
        ("mem = 2GiB", Memory(2048)),
        ("mem = size=1024,hugepage=no", Memory(1024)),
        ("mem = size=1024,node=1", Memory(1024, node=1)),
        ("mem = hugepage=yes", Memory(512, True)),
        ("mem = hugepage=yes\ndisk = /a.img", Memory(2048, True)),
        ("", Memory(512)),
        ("disk = file=/a.img", Memory(2048)),
        ("kernel = kernel_img=/vmlinuz", Memory(2048)),
    ],
)
def test_memory(body: str, memory: Memory) -> None:
    assert cfg(body).memory == memory


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("mem = size=8", "a.cfg:2: mem: size: '8': expected whole MiB, from 16 MiB"),
        ("mem = size=4GM", "a.cfg:2: mem: size: '4GM': expected a size"),
        ("mem = size=4096,hugepage=maybe", "a.cfg:2: mem: hugepage: 'maybe': expected yes or no"),
        ("mem = size=4096,hugepages=yes", "a.cfg:2: mem: unknown option 'hugepages'. Did you mean"),
        ("mem = size=4096,node=x", "a.cfg:2: mem: node: 'x': expected a whole number"),
        ("mem = size=4096;hugepage=yes", "a.cfg:2: mem: a second entry"),
    ],
)
def test_memory_that_is_refused(body: str, message: str) -> None:
    assert refused(body).startswith(message)


@pytest.mark.parametrize(
    ("body", "disk"),
    [
        ("disk = file=/home/img/vm0.img;", Disk("/home/img/vm0.img", id="disk0")),
        ("disk = file=x.img,;", Disk("x.img", id="disk0")),
        ("disk = /a.qcow2", Disk("/a.qcow2", "qcow2", id="disk0")),
        ("disk = /A.VMDK", Disk("/A.VMDK", "vmdk", id="disk0")),
        ("disk = file=/a.img,opt_format=qcow2", Disk("/a.img", "qcow2", id="disk0")),
        ("disk = file=/a.qcow2,format=raw", Disk("/a.qcow2", "raw", id="disk0")),
        (
            "disk = file=/a.img,opt_if=virtio,opt_index=0,opt_media=disk",
            Disk("/a.img", "raw", "virtio", 0, "disk", id="disk0"),
        ),
        ("disk = file=/a.img,if=ide,index=1", Disk("/a.img", "raw", "ide", 1, id="disk0")),
        ("disk = file=/a.img,interface=none", Disk("/a.img", "raw", "none", id="disk0")),
        ("disk = file=/a.iso", Disk("/a.iso", "raw", "ide", None, "cdrom", id="disk0")),
        (
            "disk = file=/a.iso,opt_media=disk,opt_if=scsi",
            Disk("/a.iso", "raw", "scsi", None, "disk", id="disk0"),
        ),
        ("disk = file=/a.img,overlay=yes", Disk("/a.img", overlay=True, id="disk0")),
        ("disk = file=/a.img,snapshot=on", Disk("/a.img", overlay=True, id="disk0")),
        ("disk = file=/a.img,opt_id=system", Disk("/a.img", id="system")),
        ('disk = file="/a,b;c.img"', Disk("/a,b;c.img", id="disk0")),
        ("disk = file=/dir.d/image", Disk("/dir.d/image", id="disk0")),
    ],
)
def test_disks(body: str, disk: Disk) -> None:
    assert cfg(body).disks == (disk,)


def test_several_disks_are_counted_around_chosen_ids() -> None:
    spec = cfg("disk = file=/a.img;file=/b.img,opt_id=disk0;file=/c.img")
    assert [disk.id for disk in spec.disks] == ["disk1", "disk0", "disk2"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("disk = opt_format=raw", "a.cfg:2: disk: option 'file' is missing"),
        (
            "disk = file=/a,opt_format=qcow3",
            "a.cfg:2: disk: opt_format: unknown value 'qcow3'. Did",
        ),
        ("disk = file=/a,opt_if=virtoi", "a.cfg:2: disk: opt_if: unknown value 'virtoi'. Did you"),
        ("disk = file=/a,opt_media=dvd", "a.cfg:2: disk: opt_media: unknown value 'dvd'."),
        ("disk = file=/a,opt_index=x", "a.cfg:2: disk: opt_index: 'x': expected a whole"),
        ("disk = file=/a,opt_bus=virtio", "a.cfg:2: disk: opt_bus: belongs to DTS's LIBVIRT class"),
        ("disk = file=/a,opt_format=raw,format=raw", "a.cfg:2: disk: option 'opt_format' stands"),
        ("disk = file=/a,fil=/b", "a.cfg:2: disk: unknown option 'fil'. Did you mean 'file'?"),
        (
            "disk =\n file=/a,id=x;\n file=/b,id=x;",
            "a.cfg:4: id 'x' is used twice\nThe first: a.cfg",
        ),
    ],
)
def test_disks_that_are_refused(body: str, message: str) -> None:
    assert refused(body).startswith(message)


@pytest.mark.parametrize(
    ("body", "boot"),
    [
        ("", Boot(guest="default")),
        ("guest = flavour=testpmd", Boot(guest="testpmd")),
        ("guest = testpmd\ndisk = /data.img", Boot(guest="testpmd")),
        ("disk = /a.img", Boot()),
        ("kernel = kernel_img=/vmlinuz", Boot(kernel="/vmlinuz")),
        (
            "kernel = kernel_img=/k,initrd=/i,console=ttyS0,baudrate=115200,root=/dev/vda1",
            Boot(None, "/k", "/i", "console=ttyS0,115200 root=/dev/vda1"),
        ),
        (
            'kernel = /k,console=hvc0,append="quiet loglevel=3,x"',
            Boot(None, "/k", None, "console=hvc0 quiet loglevel=3,x"),
        ),
        ("kernel = /k\ndisk = /a.img", Boot(kernel="/k")),
        ("pflash = file=/code.fd;file=/vars.fd", Boot(pflash=("/code.fd", "/vars.fd"))),
        ("pflash = /code.fd\ndisk = /a.img", Boot(pflash=("/code.fd",))),
    ],
)
def test_what_is_booted(body: str, boot: Boot) -> None:
    assert cfg(body).boot == boot


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("guest = default\nkernel = /k", "a.cfg:2: guest: a VM boots either the embedded guest or"),
        ("guest = default\npflash = /c", "a.cfg:2: guest: a VM boots either the embedded guest or"),
        ("guest = flavour=../x", "a.cfg:2: guest: flavour: '../x': expected a letter"),
        ("kernel = console=ttyS0", "a.cfg:2: kernel: option 'kernel_img' is missing"),
        ("kernel = /k,baudrate=9600", "a.cfg:2: kernel: baudrate stands without console"),
    ],
)
def test_boots_that_are_refused(body: str, message: str) -> None:
    assert refused(body).startswith(message)


@pytest.mark.parametrize(
    ("value", "accelerator"),
    [
        ("yes", Accelerator.AUTO),
        (True, Accelerator.AUTO),
        ({"enable": "yes"}, Accelerator.AUTO),
        (None, Accelerator.AUTO),
        ("no", Accelerator.TCG),
        (False, Accelerator.TCG),
        (0, Accelerator.TCG),
        ("enable=off", Accelerator.TCG),
    ],
)
def test_enable_kvm(value: Any, accelerator: Accelerator) -> None:
    assert made(enable_kvm=value).accelerator is accelerator


def test_machine_and_its_properties() -> None:
    spec = cfg("machine = machine=virt,opt_gic_version=3,virtualization=on,opt_highmem=off")
    assert spec.machine == "virt"
    options = {"gic-version": "3", "virtualization": "on", "highmem": "off"}
    assert dict(spec.machine_options) == options
    assert cfg("machine = q35").machine == "q35"
    assert cfg("").machine is None
    assert refused("machine = q35,a b=1").startswith("a.cfg:2: machine: unknown option 'a b=1'")


def test_of_several_emulators_the_last_is_used() -> None:
    text = "path=qemu-2.7/bin/qemu-system-x86_64;path=/opt/qemu-2.8/bin/qemu-system-x86_64"
    assert made(qemu=text).binary == "/opt/qemu-2.8/bin/qemu-system-x86_64"
    assert qemu_candidates(parameters(qemu=text)) == (
        "qemu-2.7/bin/qemu-system-x86_64",
        "/opt/qemu-2.8/bin/qemu-system-x86_64",
    )
    assert made().binary is None
    assert qemu_candidates(Parameters()) == ()


def test_name() -> None:
    assert build_spec("vm0", parameters(name="vm0")).name == "vm0"
    message = refused("name = name=vm1")
    assert message.startswith("a.cfg:2: name: name=vm1, but the VM's name is vm0")
