"""What keywords took from the host, and giving it back."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from DtsVirtLibrary.errors import CleanupError, ConfigError, HostError
from DtsVirtLibrary.host import pci
from DtsVirtLibrary.host.identity import own_identity
from DtsVirtLibrary.host.ledger import (
    HostResources,
    driver_of,
    pci_function,
    virtual_functions_of,
)
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.host.named_locks import NamedLocks
from DtsVirtLibrary.host.taken import Taken
from utest.host.acting import need_root
from utest.host.sysfs import RecordedMachine

CARD = "0000:07:00.0"


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[RecordedMachine]:
    host = RecordedMachine(tmp_path / "sys")
    yield host
    await host.close()


def locks_of(host: LocalHost, place: Path, holder: str = "keywords") -> NamedLocks:
    async def cache() -> str:
        return str(place / "cache")

    return NamedLocks(host, cache, holder, lambda: "Mine")


@pytest.fixture
def resources(machine: RecordedMachine, tmp_path: Path) -> HostResources:
    return HostResources(machine, locks_of(machine, tmp_path), str(machine.sysfs))


@pytest.fixture
async def others(tmp_path: Path) -> AsyncIterator[NamedLocks]:
    """The locks of a VM of another run."""
    host = LocalHost()
    yield locks_of(host, tmp_path, "VM 'b'")
    await host.close()


@pytest.fixture
async def real(tmp_path: Path) -> AsyncIterator[HostResources]:
    need_root()
    host = LocalHost()
    yield HostResources(host, locks_of(host, tmp_path))
    await host.close()


async def driver_now(machine: RecordedMachine, address: str) -> str | None:
    return (await pci.function(machine, address, str(machine.sysfs))).driver


async def test_last_taken_is_given_back_first() -> None:
    taken, order = Taken(), []

    def hold(name: str, *, fails: bool = False) -> None:
        async def give_back() -> None:
            order.append(name)
            if fails:
                raise HostError(f"{name} is stuck")

        taken.hold("thing", name, give_back)

    hold("a")
    hold("b", fails=True)
    hold("c")
    with pytest.raises(CleanupError, match=r"1 of what .*:\nthing 'b': b is stuck"):
        await taken.give_back_all()
    assert order == ["c", "b", "a"]
    await taken.give_back_all()
    assert len(order) == 3


async def test_what_is_not_held_cannot_be_given_back() -> None:
    taken = Taken()

    async def nothing() -> None: ...

    taken.hold("bridge", "br-1234", nothing)
    with pytest.raises(HostError, match=r"No bridge 'br-1243' .*Did you mean 'br-1234'.*Held: br"):
        await taken.give_back("bridge", "br-1243")
    await taken.give_back("bridge", "br-1234")
    with pytest.raises(HostError, match="Held: none"):
        await taken.give_back("bridge", "br-1234")


async def test_card_functions_and_bindings_unwind(
    machine: RecordedMachine, resources: HostResources
) -> None:
    first, second = await resources.create_virtual_functions("07:00.0", 2)
    assert await resources.bind(first, "vfio-pci") == []
    assert await resources.bind("08:00.0", "vfio-pci") == []
    with pytest.raises(HostError, match=r"has made virtual functions of 0000:07:00.0 already"):
        await resources.create_virtual_functions(CARD, 1)
    await resources.give_back_all()
    assert await driver_now(machine, "08:00.0") == "i40e"
    card = await pci.function(machine, CARD, str(machine.sysfs))
    assert card.virtual_functions == ()
    assert second == "0000:07:10.1"


async def test_bound_functions_are_restored_before_they_are_destroyed(
    machine: RecordedMachine, resources: HostResources
) -> None:
    (first,) = await resources.create_virtual_functions(CARD, 1)
    await resources.bind(first, "vfio-pci")
    machine.writes.clear()
    await resources.destroy_virtual_functions(CARD)
    written = [path.rpartition("/")[2] for path, _ in machine.writes]
    assert written == ["driver_override", "unbind", "drivers_probe", "sriov_numvfs"]
    await resources.give_back_all()


async def test_what_keeps_a_function_from_a_vm_is_told(resources: HostResources) -> None:
    (told,) = await resources.bind(CARD, "vfio-pci")
    assert "0000:07:00.1" in told
    assert await resources.bind("07:00.1", "vfio-pci") == []


async def test_second_binding_keeps_the_first_driver(
    machine: RecordedMachine, resources: HostResources
) -> None:
    await resources.bind("08:00.0", "vfio-pci")
    await resources.bind("08:00.0", "igb")
    assert await driver_now(machine, "08:00.0") == "igb"
    await resources.restore("08:00.0")
    assert await driver_now(machine, "08:00.0") == "i40e"
    with pytest.raises(HostError, match=r"No bound PCI function '0000:08:00.0' is held"):
        await resources.restore("08:00.0")


async def test_what_another_run_has_set_up_is_refused(
    machine: RecordedMachine, resources: HostResources, others: NamedLocks
) -> None:
    for what in (driver_of("0000:08:00.0"), virtual_functions_of(CARD)):
        assert await others.take(what) is None
    by = rf"is in use by VM 'b': process {os.getpid()} of user .*, suite 'Mine', since 20.*\. Take"
    with pytest.raises(HostError, match=rf"^The driver of PCI function 0000:08:00\.0 .*{by}"):
        await resources.bind("08:00.0", "vfio-pci")
    with pytest.raises(HostError, match=rf"^The set of virtual functions of .*{by}"):
        await resources.create_virtual_functions(CARD, 1)
    assert machine.writes == []


async def test_a_function_that_a_vm_has_keeps_its_driver(
    machine: RecordedMachine, resources: HostResources, others: NamedLocks
) -> None:
    assert await others.take(pci_function("0000:08:00.0")) is None
    with pytest.raises(HostError, match=r"^PCI function 0000:08:00\.0 of the host is in use by VM"):
        await resources.bind("08:00.0", "vfio-pci")
    assert machine.writes == []
    await others.free(pci_function("0000:08:00.0"))
    assert await resources.bind("08:00.0", "vfio-pci") == []
    assert await others.take(pci_function("0000:08:00.0")) is None, "for VMs of this run"


async def test_what_was_given_back_or_never_taken_is_anybodys(
    machine: RecordedMachine, resources: HostResources, others: NamedLocks
) -> None:
    await resources.bind("08:00.0", "vfio-pci")
    await resources.create_virtual_functions(CARD, 1)
    names = (driver_of("0000:08:00.0"), virtual_functions_of(CARD))
    assert None not in [await others.take(what) for what in names]
    await resources.give_back_all()
    with pytest.raises(HostError, match="no PCI driver 'nonsense'"):
        await resources.bind("08:00.0", "nonsense")
    assert [await others.take(what) for what in names] == [None, None]


async def test_virtual_functions_of_another_run_are_not_set(
    resources: HostResources, others: NamedLocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    await resources.create_virtual_functions(CARD, 1)
    with pytest.raises(ConfigError, match="nothing to set"):
        await resources.set_virtual_function(CARD, 0, None, None, None, None)
    await resources.give_back_all()
    another = replace(own_identity(), pid=1)
    monkeypatch.setattr("DtsVirtLibrary.host.named_locks.own_identity", lambda: another)
    assert await others.take(virtual_functions_of(CARD)) is None
    monkeypatch.undo()
    with pytest.raises(HostError, match=r"is in use by VM 'b': process 1 of"):
        await resources.set_virtual_function(CARD, 0, "52:54:00:00:00:01", None, None, None)


async def test_networks_of_keywords_unwind(real: HostResources) -> None:
    bridge = await real.create_bridge(None, "198.51.100.1/24")
    tap = await real.create_tap(None, bridge, None)
    namespace = await real.create_namespace(None)
    near, _ = await real.create_veth(None, None, namespace, bridge, None, "198.51.100.9/24")
    assert {bridge, tap, near} <= set(os.listdir("/sys/class/net"))
    await real.delete("tap", tap)
    assert tap not in os.listdir("/sys/class/net")
    await real.give_back_all()
    assert not {bridge, near} & set(os.listdir("/sys/class/net"))
    assert namespace not in os.listdir("/run/netns")


async def test_hugepages_of_keywords_unwind(real: HostResources) -> None:
    async def total() -> int:
        return (await real.hugepages())[0].total

    before = await total()
    assert await real.reserve_hugepages("4M", "2M", None) == 2
    assert await real.reserve_hugepages("1", None, 0) == 1
    assert await total() == before + 3
    await real.release_hugepages()
    assert await total() == before
    await real.give_back_all()


async def test_private_directory_is_removed_at_the_end(real: HostResources) -> None:
    path = Path(await real.create_directory("ovs"))
    assert path.is_dir()
    assert path.stat().st_mode & 0o777 == 0o700
    (path / "socket").touch()
    await real.give_back_all()
    assert not path.exists()
