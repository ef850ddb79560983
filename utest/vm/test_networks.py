"""A network card and its back end in one go."""

from __future__ import annotations

import pytest

from DtsVirtLibrary.errors import ConfigError
from DtsVirtLibrary.results import Readiness
from DtsVirtLibrary.spec import BridgeBackend, HostForward, Nic, TapBackend, UserBackend
from DtsVirtLibrary.vm.addresses import with_mac_address
from DtsVirtLibrary.vm.machine import Machine
from DtsVirtLibrary.vm.networks import add_net, plug_net
from utest.fakes.hypervisor import FakeHypervisor

PAIR = {"type": "bridge", "opt_br": "br7", "opt_model": "virtio", "mac": "52:54:00:00:00:07"}


def test_a_card_and_its_back_end_are_added_at_once(machine: Machine) -> None:
    assert add_net(machine, PAIR) == "nic0"
    assert add_net(machine, {"type": "tap", "opt_vectors": 3}) == "nic1"
    control, first, second = machine.specification().nics
    assert control.control
    assert first.backend == BridgeBackend("br7")
    assert (first.driver, first.mac) == ("virtio-net-pci", "52:54:00:00:00:07")
    assert (second.driver, second.vectors, second.backend) == ("e1000", 3, TapBackend(bridge="br0"))


def test_one_by_one_they_are_paired_by_their_number(machine: Machine) -> None:
    assert add_net(machine, {"type": "tap", "opt_vlan": "4"}) == ""
    assert add_net(machine, {"type": "bridge", "opt_model": "e1000e"}) == "nic0"
    assert add_net(machine, {"type": "nic", "opt_vlan": "4"}) == "nic1"
    assert [type(nic.backend) for nic in machine.specification().nics[1:]] == [
        BridgeBackend,
        TapBackend,
    ]


async def test_both_are_plugged_in_at_once(machine: Machine, hypervisor: FakeHypervisor) -> None:
    await machine.start(Readiness.AGENT, 60)
    assert await plug_net(machine, {"type": "user", "opt_hostfwd": "udp::0-:53"}) == "plug0"
    assert await plug_net(machine, {**PAIR, "opt_name": "second"}) == "second"
    first, second = hypervisor.launched[0].plugged
    # The control card is there already: this one gets no forward for SSH.
    forward = HostForward("udp", "127.0.0.1", 0, "", 53)
    own = with_mac_address(Nic(), hypervisor.launched[0].spec, "a seed").mac
    assert first == Nic("e1000", UserBackend((forward,)), mac=own)
    assert second == Nic(
        "virtio-net-pci", BridgeBackend("br7"), id="second", mac="52:54:00:00:00:07"
    )


@pytest.mark.parametrize("options", [{"type": "nic"}, {"type": "none"}, {"opt_model": "virtio"}])
async def test_a_card_without_a_back_end_is_not_plugged_in(
    machine: Machine, hypervisor: FakeHypervisor, options: dict[str, str]
) -> None:
    await machine.start(Readiness.AGENT, 60)
    with pytest.raises(ConfigError, match="plugged in together with its back end: give the type"):
        await plug_net(machine, options)
    assert not hypervisor.launched[0].plugged


@pytest.mark.parametrize("options", [{"opt_brr": "br0"}, {"opt_script": "/x"}])
async def test_an_option_of_neither_is_refused(machine: Machine, options: dict[str, str]) -> None:
    wrong = {"type": "bridge", "opt_model": "virtio", **options}
    with pytest.raises(ConfigError, match=next(iter(options))):
        add_net(machine, wrong)
    await machine.start(Readiness.AGENT, 60)
    with pytest.raises(ConfigError, match=next(iter(options))):
        await plug_net(machine, wrong)
