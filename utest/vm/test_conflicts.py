"""What two VMs of one run cannot both have."""

from __future__ import annotations

from pathlib import Path

import pytest

from DtsVirtLibrary.errors import (
    ConfigError,
    DtsVirtError,
    HostError,
    ImageInUse,
    PortInUse,
)
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.results import Readiness
from DtsVirtLibrary.spec import (
    Boot,
    Disk,
    HostForward,
    HostPciDevice,
    Nic,
    Origin,
    UserBackend,
    VmSpec,
    Vnc,
)
from DtsVirtLibrary.vm.addresses import with_mac_addresses
from DtsVirtLibrary.vm.changes import plug
from DtsVirtLibrary.vm.conflicts import check
from DtsVirtLibrary.vm.registry import Registry
from utest.fakes.hypervisor import FakeHypervisor
from utest.vm.conftest import parameters

MAC = "52:54:00:00:00:01"


def forwarding(port: int) -> Nic:
    return Nic(backend=UserBackend((HostForward(host_port=port),)))


@pytest.mark.fault(9, 15, 25, 28)
@pytest.mark.parametrize(
    ("mine", "theirs", "error", "words"),
    [
        (
            VmSpec("a", devices=(Nic(mac=MAC, backend=UserBackend()),)),
            VmSpec("b", devices=(Nic(mac=MAC.upper(), backend=UserBackend()),)),
            ConfigError,
            f"VM 'a': MAC address {MAC} is that of VM 'b', which runs. Give the card another",
        ),
        (
            VmSpec("a", vnc=Vnc(1)),
            VmSpec("b", vnc=Vnc(1, "0.0.0.0")),
            PortInUse,
            "VM 'a': VNC display 1 is that of VM 'b', which runs. Give another displayNum, or vnc=",
        ),
        (
            VmSpec("a", devices=(forwarding(2222),)),
            VmSpec("b", devices=(forwarding(2222),)),
            PortInUse,
            "VM 'a': tcp port 2222 of the host is that of VM 'b', which runs. Forward another, or",
        ),
        (
            VmSpec("a", devices=(HostPciDevice("0000:07:10.0", "pt_0"),)),
            VmSpec("b", devices=(HostPciDevice("0000:07:10.0", "pt_1"),)),
            HostError,
            "VM 'a': PCI function 0000:07:10.0 of the host is that of VM 'b', which runs.",
        ),
        (
            VmSpec("a", disks=(Disk("/i/x", origin=Origin("a.cfg", 7)),)),
            VmSpec("b", disks=(Disk("/i/x"),)),
            ImageInUse,
            "a.cfg:7: VM 'a': disk image '/i/x' is in use by VM 'b', which writes to it.",
        ),
        (
            VmSpec("a", disks=(Disk("/i/x"),)),
            VmSpec("b", disks=(Disk("/i/../i/x", overlay=True),)),
            ImageInUse,
            "VM 'a': disk image '/i/x' is in use by VM 'b', which reads it as it was.",
        ),
        (
            VmSpec("a", boot=Boot(pflash=("/i/code", "/i/variables"))),
            VmSpec("b", boot=Boot(pflash=("/i/code", "/i/variables"))),
            ImageInUse,
            "VM 'a': flash file '/i/variables' is in use by VM 'b', which writes to it.",
        ),
    ],
)
async def test_what_another_vm_has_is_refused(
    mine: VmSpec, theirs: VmSpec, error: type[DtsVirtError], words: str
) -> None:
    with pytest.raises(error) as caught:
        await check(LocalHost(), mine, [VmSpec("c"), theirs])
    assert type(caught.value) is error
    assert caught.value.summary.startswith(words)
    assert "stop 'b' first" in caught.value.summary


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (VmSpec("a", devices=(Nic(),)), VmSpec("b", devices=(Nic(),))),
        (VmSpec("a", vnc=Vnc()), VmSpec("b", vnc=Vnc())),
        (VmSpec("a", vnc=Vnc(1)), VmSpec("b", vnc=Vnc(2))),
        (VmSpec("a", devices=(forwarding(0),)), VmSpec("b", devices=(forwarding(0),))),
        (
            VmSpec("a", disks=(Disk("/i/x", overlay=True),)),
            VmSpec("b", disks=(Disk("/i/x", overlay=True),)),
        ),
        (
            VmSpec("a", disks=(Disk("/i/x", media="cdrom"),)),
            VmSpec("b", disks=(Disk("/i/x", overlay=True),)),
        ),
        (VmSpec("a", boot=Boot(pflash=("/i/code",))), VmSpec("b", boot=Boot(pflash=("/i/code",)))),
    ],
)
async def test_what_two_vms_can_both_have(mine: VmSpec, theirs: VmSpec) -> None:
    await check(LocalHost(), mine, [theirs])


async def test_clones_of_a_template_have_their_control_card_in_common() -> None:
    card = Nic(backend=UserBackend())
    mine, theirs = (
        with_mac_addresses(VmSpec(name, devices=(card, card)), "seed", alike=True) for name in "ab"
    )
    assert mine.devices == theirs.devices
    await check(LocalHost(), mine, [theirs])


async def test_an_image_is_known_by_where_its_links_lead(tmp_path: Path) -> None:
    (tmp_path / "image").touch()
    (tmp_path / "link").symlink_to("image")
    mine = VmSpec("a", disks=(Disk(str(tmp_path / "link")),))
    theirs = VmSpec("b", disks=(Disk(str(tmp_path / "image")),))
    with pytest.raises(ImageInUse):
        await check(LocalHost(), mine, [theirs])


async def test_one_image_is_one_disk_of_a_vm() -> None:
    first, second = (Disk("/i/x", origin=Origin("a.cfg", line)) for line in (3, 4))
    with pytest.raises(ImageInUse, match=r"a.cfg:4: VM 'a': .* given twice \(the first: a.cfg:3\)"):
        await check(LocalHost(), VmSpec("a", disks=(first, second)), [])


async def test_a_refused_vm_was_never_launched(
    registry: Registry, hypervisor: FakeHypervisor
) -> None:
    await registry.create("vm0", parameters(vnc="displayNum=1")).start(Readiness.AGENT, 60)
    second = registry.create("vm1", parameters(vnc="displayNum=1"))
    with pytest.raises(PortInUse):
        await second.start(Readiness.AGENT, 60)
    assert [instance.spec.name for instance in hypervisor.launched] == ["vm0"]
    assert second.status.value == "stopped"


async def test_what_ended_holds_nothing(registry: Registry) -> None:
    first = registry.create("vm0", parameters(vnc="displayNum=1"))
    second = registry.create("vm1", parameters(vnc="displayNum=1"))
    for machine in (first, second, first):
        await machine.start(Readiness.AGENT, 60)
        await machine.stop(60)


async def test_what_is_plugged_in_is_looked_at_too(
    registry: Registry, hypervisor: FakeHypervisor
) -> None:
    first = registry.create("vm0", parameters(disk="file=/i/x", guest="flavour=default"))
    second = registry.create("vm1", parameters())
    for machine in (first, second):
        await machine.start(Readiness.AGENT, 60)
    for machine in (first, second):
        with pytest.raises(ImageInUse):
            await plug(machine, "disk", {"file": "/i/x"})
    assert not any(instance.plugged for instance in hypervisor.launched)
