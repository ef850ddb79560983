"""MAC addresses for cards that were given none."""

from __future__ import annotations

from DtsVirtLibrary.spec import Nic, OtherDevice, VmSpec
from DtsVirtLibrary.vm.addresses import derive_mac, with_mac_address, with_mac_addresses


def macs(spec: VmSpec) -> list[str | None]:
    return [nic.mac for nic in spec.nics]


def test_every_card_gets_an_address_of_its_own() -> None:
    spec = VmSpec("vm0", devices=(Nic(), OtherDevice("virtio-rng-pci"), Nic()))
    found = macs(with_mac_addresses(spec, "run"))
    assert len(set(found)) == 2
    assert all(mac and mac.startswith("52:54:00:") and len(mac) == 17 for mac in found)


def test_the_same_vm_gets_the_same_addresses() -> None:
    spec = VmSpec("vm0", devices=(Nic(),))
    assert macs(with_mac_addresses(spec, "run")) == macs(with_mac_addresses(spec, "run"))


def test_vms_and_runs_get_different_ones() -> None:
    one, other = (VmSpec(name, devices=(Nic(),)) for name in ("vm0", "vm1"))
    found = [
        macs(with_mac_addresses(one, "run")),
        macs(with_mac_addresses(other, "run")),
        macs(with_mac_addresses(one, "other run")),
    ]
    assert len({mac for item in found for mac in item}) == 3


def test_a_card_that_is_plugged_in_gets_one_of_its_run() -> None:
    spec = with_mac_addresses(VmSpec("vm0", devices=(Nic(),)), "run")
    found = [with_mac_address(Nic(), spec, seed).mac for seed in ("run", "run", "other run")]
    assert found[0] == found[1]
    assert len({found[0], found[2], *macs(spec)}) == 3


def test_a_card_that_is_plugged_in_keeps_its_own() -> None:
    card = Nic(mac="00:00:20:00:00:20")
    assert with_mac_address(card, VmSpec("vm0"), "run") == card


def test_a_given_address_stays() -> None:
    spec = VmSpec("vm0", devices=(Nic(mac="00:00:20:00:00:20"), Nic()))
    first, second = macs(with_mac_addresses(spec, "run"))
    assert first == "00:00:20:00:00:20"
    assert second != first


def test_a_taken_address_is_passed_over() -> None:
    first = derive_mac("text", set())
    second = derive_mac("text", {first})
    assert second != first
    assert derive_mac("text", {first, second}) not in (first, second)
