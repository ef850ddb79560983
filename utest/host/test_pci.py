"""PCI functions of a host, on a recorded sysfs tree."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from DtsVirtLibrary.errors import ConfigError, HostError
from DtsVirtLibrary.host import pci
from DtsVirtLibrary.host.local import LocalHost
from utest.host.sysfs import RecordedMachine, build, release, take


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[RecordedMachine]:
    host = RecordedMachine(tmp_path / "sys")
    yield host
    await host.close()


@pytest.fixture
def sysfs(machine: RecordedMachine) -> str:
    return str(machine.sysfs)


async def driver_of(machine: RecordedMachine, address: str) -> str | None:
    return (await pci.function(machine, address, str(machine.sysfs))).driver


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("07:10.0", "0000:07:10.0"),
        (" 0000:0A:1f.7 ", "0000:0a:1f.7"),
        ("10000:e1:00.0", "10000:e1:00.0"),
    ],
)
def test_address_is_completed(text: str, full: str) -> None:
    assert pci.full_address(text) == full


@pytest.mark.parametrize("text", ["", "7:0.0", "07:20.0", "07:10.8", "07:10", "eth0", "../07:10.0"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a PCI address"):
        pci.full_address(text)


async def test_functions_are_read_from_sysfs(machine: RecordedMachine, sysfs: str) -> None:
    found = {item.address: item for item in await pci.functions(machine, sysfs)}
    assert list(found) == [
        "0000:00:01.0",
        "0000:07:00.0",
        "0000:07:00.1",
        "0000:08:00.0",
        "0000:09:00.0",
        "0000:0a:00.0",
    ]
    assert found["0000:07:00.0"] == pci.HostPciFunction(
        address="0000:07:00.0",
        vendor_device="8086:10fb",
        class_code="020000",
        driver="ixgbe",
        iommu_group=12,
        numa_node=0,
        interfaces=("enp7s0f0",),
        total_virtual_functions=4,
    )
    assert found["0000:09:00.0"].iommu_group is None
    assert found["0000:09:00.0"].numa_node is None
    assert found["0000:0a:00.0"].driver is None


async def test_own_machine_can_be_read() -> None:
    for item in await pci.functions(LocalHost()):
        assert item == await pci.function(LocalHost(), item.address)
        assert len(item.vendor_device) == 9


@pytest.mark.fault(47)
async def test_unknown_function_names_the_nearest(machine: RecordedMachine, sysfs: str) -> None:
    with pytest.raises(HostError, match=r"no PCI function 0000:08:00\.1.*Did you mean '0000:0"):
        await pci.function(machine, "08:00.1", sysfs)


async def test_bind_and_restore(machine: RecordedMachine, sysfs: str) -> None:
    binding = await pci.bind(machine, "08:00.0", sysfs=sysfs)
    assert await driver_of(machine, "08:00.0") == "vfio-pci"
    assert binding.before.driver == "i40e"
    await pci.require_viable(machine, "08:00.0", sysfs)
    await pci.restore(machine, binding)
    assert await driver_of(machine, "08:00.0") == "i40e"
    override = machine.sysfs / "bus/pci/devices/0000:08:00.0/driver_override"
    assert override.read_text().strip() == ""


async def test_driver_is_overridden_before_the_function_is_taken_away(
    machine: RecordedMachine, sysfs: str
) -> None:
    await pci.bind(machine, "08:00.0", sysfs=sysfs)
    assert machine.writes == [
        ("devices/pci0000:00/0000:08:00.0/driver_override", "vfio-pci"),
        ("bus/pci/drivers/i40e/unbind", "0000:08:00.0"),
        ("bus/pci/drivers_probe", "0000:08:00.0"),
    ]


async def test_function_that_no_driver_had_goes_back_to_none(
    machine: RecordedMachine, sysfs: str
) -> None:
    binding = await pci.bind(machine, "0a:00.0", sysfs=sysfs)
    assert await driver_of(machine, "0a:00.0") == "vfio-pci"
    await pci.restore(machine, binding)
    assert await driver_of(machine, "0a:00.0") is None


async def test_binding_to_the_driver_that_has_it_changes_nothing(
    machine: RecordedMachine, sysfs: str
) -> None:
    binding = await pci.bind(machine, "08:00.0", "i40e", sysfs=sysfs)
    await pci.restore(machine, binding)
    assert machine.writes == []


@pytest.mark.fault(47)
async def test_driver_that_refuses_leaves_the_function_as_it_was(
    machine: RecordedMachine, sysfs: str
) -> None:
    machine.refusing.add("vfio-pci")
    with pytest.raises(HostError, match=r"vfio-pci did not take .*0000:08:00\.0.*dmesg"):
        await pci.bind(machine, "08:00.0", sysfs=sysfs)
    assert await driver_of(machine, "08:00.0") == "i40e"


async def test_former_driver_that_is_gone_is_named(machine: RecordedMachine, sysfs: str) -> None:
    binding = await pci.bind(machine, "08:00.0", sysfs=sysfs)
    machine.refusing.add("i40e")
    with pytest.raises(HostError, match=r"did not go back to its driver i40e.*modprobe i40e"):
        await pci.restore(machine, binding)


async def test_driver_that_is_not_loaded(machine: RecordedMachine, sysfs: str) -> None:
    with pytest.raises(HostError, match=r"no PCI driver 'vfio-pic'.*'vfio-pci'.*modprobe vfio-pic"):
        await pci.bind(machine, "08:00.0", "vfio-pic", sysfs=sysfs)


@pytest.mark.fault(47)
async def test_no_iommu_is_explained(machine: RecordedMachine, sysfs: str) -> None:
    with pytest.raises(HostError, match=r"no IOMMU group.*intel_iommu=on"):
        await pci.bind(machine, "09:00.0", sysfs=sysfs)
    assert machine.writes == []


async def test_no_iommu_is_needed_in_noiommu_mode(machine: RecordedMachine, sysfs: str) -> None:
    parameters = machine.sysfs / "module/vfio/parameters"
    parameters.mkdir(parents=True)
    (parameters / "enable_unsafe_noiommu_mode").write_text("Y\n")
    await pci.bind(machine, "09:00.0", sysfs=sysfs)
    await pci.require_viable(machine, "09:00.0", sysfs)


async def test_card_with_the_hosts_routes_is_left_alone(
    machine: RecordedMachine, sysfs: str
) -> None:
    machine.routes.append("enp8s0")
    with pytest.raises(HostError, match="interface enp8s0, which the host has routes through"):
        await pci.bind(machine, "08:00.0", sysfs=sysfs)
    assert machine.writes == []


@pytest.mark.fault(47)
async def test_shared_group_is_not_viable_until_all_of_it_is_bound(
    machine: RecordedMachine, sysfs: str
) -> None:
    await pci.bind(machine, "07:00.0", sysfs=sysfs)
    group = await pci.iommu_group(machine, "07:00.0", sysfs)
    assert [item.address for item in group.blockers] == ["0000:07:00.1"]
    with pytest.raises(HostError, match=r"(?s)group 12 is shared.*Bind Host Device 0000:07:00\.1"):
        await pci.require_viable(machine, "07:00.0", sysfs)
    await pci.bind(machine, "07:00.1", sysfs=sysfs)
    await pci.require_viable(machine, "07:00.0", sysfs)


async def test_bridges_and_idle_functions_are_in_nobodys_way(
    machine: RecordedMachine, sysfs: str
) -> None:
    members = machine.sysfs / "kernel/iommu_groups/13/devices"
    for address in ("0000:00:01.0", "0000:0a:00.0"):
        (members / address).symlink_to(machine.sysfs / "bus/pci/devices" / address)
    await pci.bind(machine, "08:00.0", sysfs=sysfs)
    group = await pci.iommu_group(machine, "08:00.0", sysfs)
    assert len(group.members) == 3
    assert group.viable


@pytest.mark.fault(47)
async def test_function_with_its_kernel_driver_cannot_be_passed_through(
    machine: RecordedMachine, sysfs: str
) -> None:
    with pytest.raises(HostError, match=r"its driver is i40e, it must be vfio-pci"):
        await pci.require_viable(machine, "08:00.0", sysfs)


async def test_undo_of_a_dead_runner_writes_what_restore_writes(tmp_path: Path) -> None:
    sysfs = tmp_path / "sys"
    build(sysfs)
    machine = RecordedMachine(tmp_path / "other")
    host = LocalHost()
    release(sysfs, "0000:08:00.0")
    take(sysfs, "0000:08:00.0", "vfio-pci")
    former = await pci.function(machine, "08:00.0", str(machine.sysfs))
    device = sysfs / "bus/pci/devices/0000:08:00.0"
    (device / "driver_override").write_text("vfio-pci\n")
    await host.on_runner_death(pci.undo_argv(former, "", str(sysfs)))
    await host.close()
    await machine.close()
    assert (device / "driver_override").read_text() == "\n"
    assert (sysfs / "bus/pci/drivers/vfio-pci/unbind").read_text() == "0000:08:00.0\n"
    assert (sysfs / "bus/pci/drivers_probe").read_text() == "0000:08:00.0\n"
