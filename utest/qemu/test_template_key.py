"""Which specifications have a template in common, and which have none."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from DtsVirtLibrary.errors import TemplateError, TemplateMissing
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.host.protocol import HostPath
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.qemu.binary.facts import BinaryFacts, from_json
from DtsVirtLibrary.qemu.command_line.build import command_line
from DtsVirtLibrary.qemu.command_line.host_facts import HostFacts
from DtsVirtLibrary.qemu.command_line.identity import identified
from DtsVirtLibrary.qemu.hypervisor import QemuHypervisor
from DtsVirtLibrary.qemu.start.facts import GuestFiles, QemuSettings
from DtsVirtLibrary.qemu.templates.key import anonymous, anonymous_placement, key_of, split
from DtsVirtLibrary.spec import (
    Boot,
    BridgeBackend,
    Cpu,
    Disk,
    HostForward,
    HostPciDevice,
    Incoming,
    Login,
    Memory,
    Nic,
    OtherDevice,
    UserBackend,
    VhostUserBackend,
    VmSpec,
    Vnc,
)
from DtsVirtLibrary.timeline import Timeline

MAC = "52:54:00:00:00:01"
CONTROL = Nic("virtio-net-pci", UserBackend((HostForward(),)), mac=MAC, control=True)
SPEC = VmSpec("vm0", devices=(CONTROL,), boot=Boot(guest="default"))


@pytest.fixture
def binary(tmp_path: Path) -> BinaryFacts:
    program = tmp_path / "qemu"
    program.write_text("a program")
    recorded = Path(__file__).parent / "facts/qemu-7.2.json"
    facts = from_json(recorded.read_text())
    return replace(facts, path=str(program))


@pytest.fixture
def host_facts(tmp_path: Path) -> HostFacts:
    for name in ("kernel", "initrd"):
        (tmp_path / name).write_text(name)
    return HostFacts(kernel=str(tmp_path / "kernel"), initrd=str(tmp_path / "initrd"))


async def key(spec: VmSpec, binary: BinaryFacts, facts: HostFacts) -> str:
    core = split(identified(spec)).core
    line = command_line(anonymous(core), binary, facts, anonymous_placement(core))
    return await key_of(LocalHost(), core, binary, facts, line.argv)


@pytest.mark.parametrize(
    "other",
    [
        replace(SPEC, name="vm1"),
        replace(SPEC, cpu=Cpu(pins=(0,))),
        replace(SPEC, pid_file="/run/vm.pid", monitor_path="/run/vm.sock"),
        replace(SPEC, devices=(CONTROL, Nic(backend=BridgeBackend(), mac="52:54:00:00:00:02"))),
        replace(
            SPEC, devices=(replace(CONTROL, backend=UserBackend((HostForward(host_port=2222),))),)
        ),
    ],
    ids=["name", "pinning", "paths", "card plugged later", "host port"],
)
async def test_what_differs_between_clones_is_not_in_the_key(
    other: VmSpec, binary: BinaryFacts, host_facts: HostFacts
) -> None:
    assert await key(SPEC, binary, host_facts) == await key(other, binary, host_facts)


@pytest.mark.parametrize(
    "other",
    [
        replace(SPEC, memory=Memory(768)),
        replace(SPEC, memory=Memory(512, hugepage=True)),
        replace(SPEC, cpu=Cpu(number=2)),
        replace(SPEC, cpu=Cpu(model="qemu64")),
        replace(SPEC, machine="q35"),
        replace(SPEC, vnc=Vnc()),
        replace(SPEC, devices=(replace(CONTROL, mac="52:54:00:00:00:09"),)),
        replace(SPEC, devices=(replace(CONTROL, driver="e1000"),)),
        replace(SPEC, boot=Boot(guest="default", append="quiet")),
        replace(SPEC, user_commands=("-no-hpet",)),
        replace(SPEC, login=Login(password="swordfish")),
    ],
    ids=[
        "memory",
        "hugepages",
        "cpus",
        "model",
        "machine",
        "vnc",
        "mac",
        "card",
        "append",
        "usercmd",
        "let in by password",
    ],
)
async def test_what_the_guest_sees_is_in_the_key(
    other: VmSpec, binary: BinaryFacts, host_facts: HostFacts
) -> None:
    assert await key(SPEC, binary, host_facts) != await key(other, binary, host_facts)


async def test_the_binary_and_the_kernel_are_in_the_key(
    binary: BinaryFacts, host_facts: HostFacts, tmp_path: Path
) -> None:
    keys = {await key(SPEC, binary, host_facts)}
    (tmp_path / "qemu").write_text("another program")
    keys.add(await key(SPEC, binary, host_facts))
    (tmp_path / "initrd").write_text("another initrd")
    keys.add(await key(SPEC, binary, host_facts))
    keys.add(await key(SPEC, replace(binary, version=(7, 2, 23)), host_facts))
    keys.add(await key(SPEC, binary, replace(host_facts, accelerator="kvm")))
    assert len(keys) == 5


async def test_under_kvm_the_host_is_in_the_key(
    binary: BinaryFacts, host_facts: HostFacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = LocalHost.read_text
    host = {"/proc/cpuinfo": "model name\t: one\ncpu MHz\t: 1\n", "/proc/sys/kernel/osrelease": "6"}

    async def read_text(self: LocalHost, path: HostPath) -> str:
        return host.get(str(path)) or await seen(self, path)

    async def both() -> tuple[str, str]:
        kvm = replace(host_facts, accelerator="kvm")
        return await key(SPEC, binary, host_facts), await key(SPEC, binary, kvm)

    monkeypatch.setattr(LocalHost, "read_text", read_text)
    emulated, first = await both()
    host["/proc/cpuinfo"] = "model name\t: one\ncpu MHz\t: 2\n"
    assert await both() == (emulated, first)
    host["/proc/cpuinfo"] = "model name\t: two\ncpu MHz\t: 2\n"
    other = await both()
    host["/proc/sys/kernel/osrelease"] = "7"
    newer = await both()
    assert {other[0], newer[0]} == {emulated}
    assert len({first, other[1], newer[1]}) == 3


async def test_a_change_of_an_image_below_an_overlay_is_in_the_key(
    binary: BinaryFacts, host_facts: HostFacts, tmp_path: Path
) -> None:
    base, overlay = tmp_path / "base.img", tmp_path / "overlay.qcow2"
    base.write_bytes(bytes(1 << 20))
    argv = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", base.name, str(overlay)]
    subprocess.run(argv, check=True)
    spec = replace(SPEC, disks=(Disk(str(overlay), "qcow2"),))
    before = await key(spec, binary, host_facts)
    assert before == await key(spec, binary, host_facts)
    base.write_bytes(b"\1" + bytes((1 << 20) - 1))
    assert before != await key(spec, binary, host_facts)


async def test_the_files_that_options_name_are_in_the_key(
    binary: BinaryFacts, host_facts: HostFacts, tmp_path: Path
) -> None:
    file, rom = tmp_path / "a,b.iso", tmp_path / "card.rom"
    for path in (file, rom):
        path.write_text("one")
    card = OtherDevice("virtio-balloon-pci", {"romfile": str(rom)})
    quoted = str(file).replace(",", ",,")
    spec = replace(
        SPEC,
        devices=(CONTROL, card),
        user_commands=("-drive", f"file={quoted},media=cdrom,if=none,id=other"),
    )
    keys = {await key(spec, binary, host_facts)}
    keys.add(await key(spec, binary, host_facts))
    assert len(keys) == 1
    for path in (file, rom):
        path.write_text("another")
        keys.add(await key(spec, binary, host_facts))
    assert len(keys) == 3


def test_cards_that_others_see_are_plugged_in_later() -> None:
    switch = Nic("virtio-net-pci", VhostUserBackend("/run/sock"), id="nic0")
    parts = split(replace(SPEC, devices=(switch, CONTROL)))
    assert parts.core.devices == (CONTROL,)
    assert parts.later == (switch,)


def test_a_disk_gets_an_overlay_but_a_cdrom_does_not() -> None:
    disks = (Disk("/i/a.img"), Disk("/i/b.iso", media="cdrom"))
    parts = split(replace(SPEC, disks=disks))
    assert [disk.overlay for disk in parts.core.disks] == [True, False]


def given(words: str) -> VmSpec:
    return replace(SPEC, user_commands=tuple(words.split()))


def test_what_usercmd_gives_for_reading_is_no_hindrance() -> None:
    for words in ("-drive file=a.img,readonly=on", "-drive file=a.iso,media=cdrom", "-cdrom a.iso"):
        assert split(given(words)).core.user_commands


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (replace(SPEC, guest_agent=False), "it has no guest agent"),
        (replace(SPEC, incoming=Incoming()), "it waits for a migration"),
        (replace(SPEC, boot=Boot(pflash=("code", "variables"))), "its firmware writes"),
        (
            replace(SPEC, devices=(replace(CONTROL, backend=BridgeBackend()),)),
            "its control card is not on a user network",
        ),
        (
            replace(SPEC, devices=(CONTROL, HostPciDevice("0000:07:10.0", "pt_0"))),
            "PCI function 0000:07:10.0 is passed through",
        ),
        (replace(SPEC, disks=(Disk("/dev/sdb"),)), "its disk '/dev/sdb' is a block device"),
        (given("-drive file=a.img,if=virtio,format=raw"), r"a disk \(-drive\), which its clones"),
        (given('-blockdev {"driver":"raw"}'), r"a disk \(-blockdev\)"),
        (given("-hda a.img"), r"a disk \(-hda\)"),
        (given("-netdev vhost-user,id=n,chardev=c"), "-netdev vhost-user"),
        (given("-device vhost-user-blk-pci,chardev=c"), "-device vhost-user-blk-pci"),
        (given("-device driver=vhost-vsock-pci,guest-cid=3"), "maps its memory"),
    ],
)
def test_why_none_can_be_made(spec: VmSpec, words: str) -> None:
    with pytest.raises(TemplateError, match=words):
        split(spec)


async def test_only_the_source_says_why_none_can_be_made() -> None:
    """Who asks for a clone first would say it twice."""
    host = LocalHost()
    hypervisor = QemuHypervisor(host, QemuSettings(), _no_guest)
    spec = replace(SPEC, guest_agent=False)
    with pytest.raises(TemplateMissing):
        await hypervisor.launch_clone(spec, Deadline(30), Timeline(), _keep_nothing)
    with pytest.raises(TemplateError, match=r"^it has no guest agent") as caught:
        await hypervisor.launch_source(spec, Deadline(30), Timeline(), _keep_nothing)
    assert type(caught.value) is TemplateError
    await host.close()


async def _no_guest(flavour: str) -> GuestFiles:
    raise AssertionError(f"nobody asked for the guest '{flavour}'")


async def _keep_nothing(files: Mapping[str, bytes]) -> None:
    raise AssertionError("nothing was launched")


def test_an_image_in_shared_memory_is_no_block_device() -> None:
    assert split(replace(SPEC, disks=(Disk("/dev/shm/a.img"),))).core.disks[0].overlay


def announcements(spec: VmSpec, binary: BinaryFacts, *, of_template: bool) -> list[bool]:
    """Return for each network card whether its guest keeps from announcing itself."""
    spec = identified(spec)
    placement = replace(anonymous_placement(spec), of_template=of_template, taps={"nic0": "tap0"})
    line = command_line(spec, binary, HostFacts(), placement)
    return ["guest_announce=off" in word for word in line.argv if word.startswith("virtio-net")]


def test_only_where_a_clone_has_no_neighbours_it_does_not_announce_itself(
    binary: BinaryFacts,
) -> None:
    bridged = Nic("virtio-net-pci", BridgeBackend(), mac="52:54:00:00:00:02")
    spec = replace(SPEC, devices=(CONTROL, bridged))
    assert announcements(spec, binary, of_template=True) == [True, False]
    assert announcements(spec, binary, of_template=False) == [False, False]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, True),
        ({"boot": Boot(kernel="/boot/vmlinuz")}, False),
        ({"guest_agent": False}, False),
    ],
)
def test_only_an_embedded_guest_is_told_its_name_on_a_port(
    binary: BinaryFacts, changed: dict[str, Any], told: bool
) -> None:
    spec = identified(replace(SPEC, **changed))
    for placement in (anonymous_placement(spec), replace(anonymous_placement(spec), name=None)):
        argv = command_line(spec, binary, HostFacts(), placement).argv
        ports = [word for word in argv if "name=dtsvirtlibrary.name.0" in word]
        # The tester's own ports keep their numbers.
        assert [",nr=30," in word for word in ports] == [True] * (told and bool(placement.name))
