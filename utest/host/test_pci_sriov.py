"""Virtual functions of a card, on a recorded sysfs tree."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest

from DtsVirtLibrary.errors import ConfigError, HostError
from DtsVirtLibrary.host import pci, sriov
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.host.protocol import Completed, HostPath
from utest.host.sysfs import RecordedMachine, build

CARD = "0000:07:00.0"


class MachineWithoutCards(RecordedMachine):
    """Notes what iproute2 is asked for; this machine has no such interfaces."""

    def __init__(self, sysfs: Path) -> None:
        super().__init__(sysfs)
        self.commands: list[Sequence[str]] = []

    async def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        stdin: bytes | None = None,
        environment: Mapping[str, str] | None = None,
        directory: HostPath | None = None,
        check: bool = True,
    ) -> Completed:
        """Note a command that succeeds."""
        self.commands.append(argv[1:])
        return Completed(tuple(argv), 0, "", "")


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[MachineWithoutCards]:
    host = MachineWithoutCards(tmp_path / "sys")
    yield host
    await host.close()


@pytest.fixture
def sysfs(machine: MachineWithoutCards) -> str:
    return str(machine.sysfs)


async def test_virtual_functions_come_and_go(machine: MachineWithoutCards, sysfs: str) -> None:
    made = await sriov.create_virtual_functions(machine, "07:00.0", 3, sysfs)
    assert made.addresses == ("0000:07:10.0", "0000:07:10.1", "0000:07:10.2")
    first = await pci.function(machine, "07:10.0", sysfs)
    assert (first.physical_function, first.driver) == (CARD, "ixgbevf")
    await sriov.destroy_virtual_functions(machine, made)
    assert (await pci.function(machine, CARD, sysfs)).virtual_functions == ()


async def test_more_are_made_by_way_of_none(machine: MachineWithoutCards, sysfs: str) -> None:
    first = await sriov.create_virtual_functions(machine, CARD, 1, sysfs)
    second = await sriov.create_virtual_functions(machine, CARD, 4, sysfs)
    assert [text for path, text in machine.writes if path.endswith("numvfs")] == ["1", "0", "4"]
    assert len(second.addresses) == 4
    await sriov.destroy_virtual_functions(machine, second)
    assert (await pci.function(machine, CARD, sysfs)).virtual_functions == first.addresses


@pytest.mark.parametrize("count", [0, -1, 5])
async def test_count_is_limited_by_the_card(
    machine: MachineWithoutCards, sysfs: str, count: int
) -> None:
    with pytest.raises(HostError, match=rf"offers 1 to 4 virtual functions; {count} were"):
        await sriov.create_virtual_functions(machine, CARD, count, sysfs)
    assert machine.writes == []


async def test_card_without_virtual_functions(machine: MachineWithoutCards, sysfs: str) -> None:
    with pytest.raises(HostError, match=r"offers no virtual functions.*igb"):
        await sriov.create_virtual_functions(machine, "09:00.0", 1, sysfs)


async def test_virtual_function_is_no_card(machine: MachineWithoutCards, sysfs: str) -> None:
    await sriov.create_virtual_functions(machine, CARD, 1, sysfs)
    with pytest.raises(HostError, match=rf"is itself a virtual function of {CARD}"):
        await sriov.create_virtual_functions(machine, "07:10.0", 1, sysfs)


async def test_virtual_function_that_a_vm_may_hold_is_not_taken_away(
    machine: MachineWithoutCards, sysfs: str
) -> None:
    await sriov.create_virtual_functions(machine, CARD, 1, sysfs)
    await pci.bind(machine, "07:10.0", sysfs=sysfs)
    with pytest.raises(HostError, match=r"0000:07:10\.0 .*bound to vfio-pci.*Stop that VM"):
        await sriov.create_virtual_functions(machine, CARD, 2, sysfs)
    assert await pci.function(machine, "07:10.0", sysfs)


async def test_settings_go_to_the_cards_interface(machine: MachineWithoutCards, sysfs: str) -> None:
    await sriov.create_virtual_functions(machine, "07:00.1", 2, sysfs)
    await sriov.set_virtual_function(
        machine,
        "07:00.1",
        1,
        mac="52:54:00:00:00:01",
        vlan=7,
        trust=True,
        spoofchk=False,
        sysfs=sysfs,
    )
    assert [" ".join(command) for command in machine.commands] == [
        "link set dev enp7s0f1 vf 1 mac 52:54:00:00:00:01 vlan 7 trust on spoofchk off"
    ]


async def test_what_is_not_given_is_not_set(machine: MachineWithoutCards, sysfs: str) -> None:
    await sriov.create_virtual_functions(machine, CARD, 1, sysfs)
    await sriov.set_virtual_function(machine, CARD, 0, vlan=0, sysfs=sysfs)
    assert [" ".join(command) for command in machine.commands] == [
        "link set dev enp7s0f0 vf 0 vlan 0"
    ]


async def test_index_beyond_the_last(machine: MachineWithoutCards, sysfs: str) -> None:
    with pytest.raises(HostError, match=r"no virtual function 0; it has none"):
        await sriov.set_virtual_function(machine, CARD, 0, vlan=1, sysfs=sysfs)
    await sriov.create_virtual_functions(machine, CARD, 2, sysfs)
    with pytest.raises(HostError, match=r"no virtual function 2; it has 2 \(0 to 1\)"):
        await sriov.set_virtual_function(machine, CARD, 2, vlan=1, sysfs=sysfs)


async def test_settings_that_are_none(machine: MachineWithoutCards, sysfs: str) -> None:
    await sriov.create_virtual_functions(machine, CARD, 1, sysfs)
    with pytest.raises(ConfigError, match="nothing to set"):
        await sriov.set_virtual_function(machine, CARD, 0, sysfs=sysfs)
    with pytest.raises(ConfigError, match="VLAN 4095 does not exist"):
        await sriov.set_virtual_function(machine, CARD, 0, vlan=4095, sysfs=sysfs)


async def test_card_that_has_lost_its_interface(machine: MachineWithoutCards, sysfs: str) -> None:
    await sriov.create_virtual_functions(machine, CARD, 1, sysfs)
    interface = machine.sysfs / "bus/pci/devices" / CARD / "net/enp7s0f0"
    interface.rmdir()
    with pytest.raises(HostError, match=r"has no network interface.*Restore Host Device"):
        await sriov.set_virtual_function(machine, CARD, 0, vlan=1, sysfs=sysfs)


async def test_undo_of_a_dead_runner_takes_them_away(tmp_path: Path) -> None:
    sysfs = tmp_path / "sys"
    build(sysfs)
    count = sysfs / "bus/pci/devices" / CARD / "sriov_numvfs"
    count.write_text("3\n")
    host = LocalHost()
    await host.on_runner_death(sriov.undo_argv(CARD, 0, str(sysfs)))
    await host.close()
    assert count.read_text() == "0\n"
