"""Changing what a VM is made of."""

from __future__ import annotations

import pytest

from DtsVirtLibrary.errors import ConfigError, VmStateError
from DtsVirtLibrary.results import Readiness
from DtsVirtLibrary.spec import Disk, Nic, OtherDevice
from DtsVirtLibrary.vm.changes import add_entry, plug, set_parameter
from DtsVirtLibrary.vm.machine import Machine
from utest.fakes.hypervisor import FakeHypervisor


def test_a_parameter_is_set_by_its_value(machine: Machine) -> None:
    set_parameter(machine, "mem", "size=1G", {})
    assert machine.specification().memory.size_mib == 1024


def test_a_parameter_is_set_by_its_options(machine: Machine) -> None:
    set_parameter(machine, "cpu", None, {"number": 4})
    assert machine.specification().cpu.number == 4


def test_a_parameter_is_set_in_place_of_what_it_was(machine: Machine) -> None:
    set_parameter(machine, "cpu", None, {"number": 4, "model": "qemu64"})
    set_parameter(machine, "cpu", None, {"number": 2})
    cpu = machine.specification().cpu
    assert (cpu.number, cpu.model) == (2, None)


def test_a_whole_value_that_looks_like_one_option_is_read_as_it_was_meant(machine: Machine) -> None:
    set_parameter(machine, "disk", None, {"file": "/images/a.qcow2,overlay=yes;file=/images/b.raw"})
    first, second = machine.specification().disks
    assert (first.file, first.overlay) == ("/images/a.qcow2", True)
    assert (second.file, second.overlay) == ("/images/b.raw", False)


def test_a_comma_in_the_value_of_an_option_stays(machine: Machine) -> None:
    set_parameter(machine, "disk", None, {"file": "/images/a,b.qcow2"})
    set_parameter(machine, "usercmd", None, {"cmd": "-device virtio-rng-pci,max-bytes=64"})
    spec = machine.specification()
    assert spec.disks[0].file == "/images/a,b.qcow2"
    assert spec.user_commands == ("-device", "virtio-rng-pci,max-bytes=64")


@pytest.mark.parametrize(("value", "options"), [(None, {}), ("number=2", {"number": 2})])
def test_either_a_value_or_options(
    machine: Machine, value: str | None, options: dict[str, int]
) -> None:
    with pytest.raises(ConfigError, match="VM 'vm0': give parameter 'cpu' either a value or"):
        set_parameter(machine, "cpu", value, options)


def test_a_wrong_parameter_leaves_the_former_one(machine: Machine) -> None:
    set_parameter(machine, "cpu", None, {"number": 4})
    with pytest.raises(ConfigError, match=r"VM 'vm0'.*number"):
        set_parameter(machine, "cpu", None, {"number": 0})
    with pytest.raises(ConfigError, match="Did you mean 'cpu'"):
        set_parameter(machine, "cppu", None, {"number": 1})
    assert machine.specification().cpu.number == 4


def test_an_added_device_comes_with_its_id(machine: Machine) -> None:
    assert add_entry(machine, "device", {"driver": "virtio-rng-pci", "opt_id": "extra"}) == "extra"
    last = machine.specification().devices[-1]
    assert isinstance(last, OtherDevice)
    assert last.id == "extra"


def test_added_devices_stand_side_by_side_and_beside_the_control_card(machine: Machine) -> None:
    first = add_entry(machine, "device", {"driver": "vhost-user", "opt_path": "./vhost-net0"})
    second = add_entry(machine, "device", {"driver": "vhost-user", "opt_path": "./vhost-net1"})
    assert first
    assert second
    assert first != second
    assert machine.specification().control_nic is not None
    assert len([item for item in machine.specification().devices if isinstance(item, Nic)]) == 3


def test_a_device_of_any_kind_gets_an_id(machine: Machine) -> None:
    rng = {"driver": "virtio-rng-pci"}
    assert [add_entry(machine, "device", rng) for _ in range(2)] == ["device0", "device1"]
    assert add_entry(machine, "device", {**rng, "opt_id": "device2"}) == "device2"
    assert add_entry(machine, "device", rng) == "device3"


def test_a_card_is_there_once_its_back_end_is(machine: Machine) -> None:
    assert add_entry(machine, "net", {"type": "nic", "opt_vlan": "1"}) == ""
    with pytest.raises(ConfigError, match="opt_vlan=1"):
        machine.specification()
    card = add_entry(machine, "net", {"type": "tap", "opt_vlan": "1"})
    assert card == "nic0"
    assert [nic.id for nic in machine.specification().nics] == [None, card]


def test_a_wrong_device_is_not_added(machine: Machine) -> None:
    before = machine.specification()
    with pytest.raises(ConfigError, match="opt_pth"):
        add_entry(machine, "device", {"driver": "vhost-user", "opt_pth": "./vhost-net0"})
    assert machine.specification() == before


async def test_a_running_vm_is_not_changed(machine: Machine) -> None:
    await machine.start(Readiness.AGENT, 60)
    with pytest.raises(VmStateError, match="VM 'vm0' is running; its parameters can be changed"):
        set_parameter(machine, "cpu", None, {"number": 4})
    with pytest.raises(VmStateError):
        add_entry(machine, "device", {"driver": "virtio-rng-pci"})


async def test_what_is_plugged_in_is_what_the_same_words_make_at_a_start(
    machine: Machine, hypervisor: FakeHypervisor
) -> None:
    await machine.start(Readiness.AGENT, 60)
    rng = {"driver": "virtio-rng-pci", "max-bytes": "64"}
    assert await plug(machine, "device", rng) == "plug0"
    assert await plug(machine, "device", {**rng, "opt_id": "mine"}) == "mine"
    assert await plug(machine, "disk", {"file": "/images/data.raw"}) == "plug2"
    first, second, third = hypervisor.launched[0].plugged
    assert first == OtherDevice("virtio-rng-pci", {"max-bytes": "64"})
    assert second == OtherDevice("virtio-rng-pci", {"max-bytes": "64"}, "mine")
    assert third == Disk("/images/data.raw")


async def test_what_is_plugged_in_is_gone_at_the_next_start(
    machine: Machine, hypervisor: FakeHypervisor
) -> None:
    await machine.start(Readiness.AGENT, 60)
    await plug(machine, "device", {"driver": "virtio-rng-pci"})
    await machine.stop(60)
    await machine.start(Readiness.AGENT, 60)
    first, second = hypervisor.launched
    assert first.spec == second.spec
