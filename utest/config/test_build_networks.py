"""Networks: pairs by opt_vlan, the control card, each option of each type."""

from __future__ import annotations

import pytest

from DtsVirtLibrary.config import Parameters, build_spec, entries_from_value
from DtsVirtLibrary.spec import (
    BridgeBackend,
    HostForward,
    Nic,
    Origin,
    TapBackend,
    UserBackend,
    VmSpec,
)
from utest.config.making import HERE, cfg, parameters, refused

SSH = HostForward()
DEFAULT_CONTROL = Nic("virtio-net-pci", UserBackend((SSH,)), control=True)
DISK = "\ndisk = /a.img"


def added(parameters: Parameters, *values: str, complete: bool = True) -> VmSpec:
    """Return the specification after networks were added one by one."""
    for value in values:
        for entry in entries_from_value("net", value, Origin("Add VM Net")):
            parameters.add("net", entry)
    return build_spec("vm0", parameters, complete)


def test_the_control_card_is_there_by_default() -> None:
    assert cfg("").nics == (DEFAULT_CONTROL,)
    assert cfg("disk = /a.img").nics == (Nic("e1000", UserBackend((SSH,)), control=True),)
    assert cfg("").control_nic == DEFAULT_CONTROL
    assert DEFAULT_CONTROL.id is None
    assert DEFAULT_CONTROL.address is None


@pytest.mark.parametrize(
    ("options", "nic"),
    [
        ("", Nic("e1000")),
        (",opt_vlan=0", Nic("e1000")),
        (",opt_macaddr=52:54:00:AA:00:01", Nic("e1000", mac="52:54:00:aa:00:01")),
        (",opt_mac=52:54:00:AA:00:01", Nic("e1000", mac="52:54:00:aa:00:01")),
        (",mac=52:54:00:aa:00:01", Nic("e1000", mac="52:54:00:aa:00:01")),
        (",opt_model=virtio", Nic("virtio-net-pci")),
        (",opt_model=virtio-net-pci", Nic("virtio-net-pci")),
        (",opt_model=rtl8139", Nic("rtl8139")),
        (",opt_name=front", Nic("e1000", id="front")),
        (",opt_addr=1f", Nic("e1000", address="1f")),
        (",opt_addr=0x1F", Nic("e1000", address="1f")),
        (",opt_vectors=4", Nic("e1000", vectors=4)),
        (',opt_settings="mq=on,x=1"', Nic("e1000", settings={"mq": "on", "x": "1"})),
        (",netdev=net1", Nic("e1000")),
    ],
)
def test_options_of_a_nic(options: str, nic: Nic) -> None:
    (made,) = cfg(f"net = type=nic{options};type=user").nics
    backend = UserBackend((SSH,))
    assert made == Nic(
        nic.driver,
        backend,
        id=nic.id,
        mac=nic.mac,
        address=nic.address,
        vectors=nic.vectors,
        settings=nic.settings,
        control=True,
    )


@pytest.mark.parametrize(
    ("options", "backend"),
    [
        ("", UserBackend((SSH,))),
        (
            ",opt_hostfwd=tcp:127.0.0.1:6057-:22",
            UserBackend((HostForward(host_port=6057),)),
        ),
        (
            ",opt_hostfwd=tcp::8080-:80",
            UserBackend((HostForward(host_port=8080, guest_port=80), SSH)),
        ),
        (
            ",opt_hostfwd=udp::22-:22",
            UserBackend((HostForward("udp", host_port=22), SSH)),
        ),
        (
            ",opt_hostfwd=tcp::8080-:80 tcp::2222-:22",
            UserBackend((HostForward(host_port=8080, guest_port=80), HostForward(host_port=2222))),
        ),
        (",opt_restrict=yes", UserBackend((SSH,), restrict=True)),
    ],
)
def test_options_of_a_user_network(options: str, backend: UserBackend) -> None:
    (nic,) = cfg(f"net = type=nic;type=user{options}").nics
    assert nic.backend == backend


@pytest.mark.parametrize(
    ("options", "backend"),
    [
        ("", TapBackend(bridge="br0")),
        (",opt_br=br1", TapBackend(bridge="br1")),
        (",opt_script=/etc/qemu-ifup", TapBackend(script="/etc/qemu-ifup")),
        (
            ",opt_br=br1,opt_script=/up,opt_downscript=/down",
            TapBackend(bridge="br1", script="/up", downscript="/down"),
        ),
        (",opt_script=no,opt_downscript=no", TapBackend(bridge="br0")),
        (",opt_ifname=tap7", TapBackend(interface="tap7", bridge="br0")),
        (",opt_tap=tap7", TapBackend(interface="tap7", bridge="br0")),
        (",opt_vhost=on", TapBackend(bridge="br0", vhost=True)),
    ],
)
def test_options_of_a_tap(options: str, backend: TapBackend) -> None:
    (nic,) = cfg(f"net = type=nic;type=tap{options}").nics
    assert nic == Nic("e1000", backend, id="nic0")


def test_options_of_a_bridge() -> None:
    assert cfg("net = type=nic;type=bridge").nics[0].backend == BridgeBackend("br0")
    assert cfg("net = type=nic;type=bridge,opt_br=br7").nics[0].backend == BridgeBackend("br7")


def test_no_network_at_all() -> None:
    assert cfg("net = type=none").nics == ()
    assert refused("net = type=none;type=nic").startswith("a.cfg:2: net: type=none stands alone")


@pytest.mark.parametrize(
    "net",
    [
        "type=nic,opt_vlan=1;type=user,opt_vlan=1;type=nic,opt_vlan=2;type=tap,opt_vlan=2",
        "type=user,opt_vlan=1;type=nic,opt_vlan=1;type=tap,opt_vlan=2;type=nic,opt_vlan=2",
        "type=tap,opt_vlan=2;type=user,opt_vlan=1;type=nic,opt_vlan=1;type=nic,opt_vlan=2",
        "type=nic,opt_vlan=1;type=nic,opt_vlan=2;type=user,opt_vlan=1;type=tap,opt_vlan=2",
        "type=nic;type=nic,opt_vlan=2;type=user;type=tap,opt_vlan=2",
    ],
)
def test_the_vlan_pairs_in_any_order(net: str) -> None:
    first, second = cfg(f"net = {net}").nics
    assert (first.control, first.id, first.backend) == (True, None, UserBackend((SSH,)))
    assert (second.control, second.id, second.backend) == (False, "nic0", TapBackend(bridge="br0"))


def test_the_first_card_on_a_user_network_is_the_control_card() -> None:
    tap, first, second = cfg(
        "net = type=nic,opt_vlan=0;type=tap,opt_vlan=0;type=nic,opt_vlan=1;type=user,opt_vlan=1;"
        "type=nic,opt_vlan=2;type=user,opt_vlan=2"
    ).nics
    assert [nic.control for nic in (tap, first, second)] == [False, True, False]
    assert second.backend == UserBackend()
    assert [nic.id for nic in (tap, first, second)] == ["nic0", None, "nic1"]


def test_a_net_of_the_file_without_a_user_network_has_no_control_card() -> None:
    assert cfg("net = type=nic;type=tap").control_nic is None


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (
            "type=nic;type=nic;type=user;type=user",
            "net: a second nic with opt_vlan=0\nThe first: a",
        ),
        ("type=nic;type=user;type=tap", "net: a second back end with opt_vlan=0"),
        ("type=nic", "net nic: no back end (type=user, tap or bridge) has opt_vlan=0\nThere is no"),
        ("type=user", "net user: no nic (type=nic) has opt_vlan=0"),
        (
            "type=nic,opt_vlan=1;type=user",
            "net nic: no back end (type=user, tap or bridge) has opt",
        ),
        ("type=nik", "net: type: unknown value 'nik'. Did you mean 'nic'?"),
        ("opt_vlan=0", "net: option 'type' is missing\nKnown: nic, user, tap, bridge, none"),
        ("type=nic,opt_vlan=x;type=user", "net nic: opt_vlan: 'x': expected a whole number"),
        ("type=nic,opt_vlan=4095;type=user", "net nic: opt_vlan: '4095': expected"),
        (
            "type=nic,opt_maccaddr=x;type=user",
            "net nic: unknown option 'opt_maccaddr'. Did you mean",
        ),
        ("type=nic,opt_hostfwd=x;type=user", "net nic: unknown option 'opt_hostfwd'."),
        ("type=nic,opt_macaddr=01:00:5e:00:00:01;type=user", "net nic: opt_macaddr: '01:00:5e"),
        ("type=nic,opt_addr=20;type=user", "net nic: opt_addr: '20': expected a slot from 0 to 1f"),
        (
            "type=nic;type=user,opt_hostfwd=tcp:dut1:1-:22",
            "net user: opt_hostfwd: 'dut1': expected",
        ),
        ("type=nic;type=tap,opt_ifname=sixteen_letters_", "interface 'sixteen_letters_' is not"),
        ("type=nic;type=tap,opt_br=a/b", "interface 'a/b' is not allowed"),
        ("type=nic;type=bridge,opt_br=a b", "interface 'a b' is not allowed"),
        (
            "type=nic,opt_name=x;type=user;type=nic,opt_vlan=1,opt_id=x;type=tap,opt_vlan=1",
            "id 'x'",
        ),
        ("type=nic,opt_name=x,opt_id=y;type=user", "net nic: option 'opt_name' stands there twice"),
    ],
)
def test_networks_that_are_refused(net: str, message: str) -> None:
    assert refused(f"net = {net}").startswith(f"a.cfg:2: {message}")


def test_what_has_no_counterpart_is_told_with_those_that_are_there() -> None:
    assert refused("net =\n type=nic,opt_vlan=1;\n type=user,opt_vlan=2;").splitlines() == [
        "a.cfg:3: net nic: no back end (type=user, tap or bridge) has opt_vlan=1",
        "There is: opt_vlan=2 (a.cfg:4)",
    ]


def test_added_networks_stand_beside_the_default_control_card() -> None:
    spec = added(Parameters(), "type=nic,opt_vlan=1", "type=tap,opt_vlan=1")
    tap = Nic("e1000", TapBackend(bridge="br0"), id="nic0")
    assert spec.nics == (DEFAULT_CONTROL, tap)


def test_added_networks_with_a_user_network_replace_it() -> None:
    spec = added(Parameters(), "type=nic,opt_addr=1f", "type=user")
    assert spec.nics == (Nic("e1000", UserBackend((SSH,)), address="1f", control=True),)


def test_added_networks_stand_after_those_of_the_file() -> None:
    given = parameters(net="type=nic;type=user")
    spec = added(given, "type=nic,opt_vlan=1", "type=tap,opt_vlan=1")
    assert [nic.control for nic in spec.nics] == [True, False]


def test_a_vm_can_be_put_together_step_by_step() -> None:
    parameters = Parameters()
    steps = ["type=nic,opt_vlan=0", "type=user,opt_vlan=0", "type=tap,opt_vlan=1"]
    counts = [len(added(parameters, step, complete=False).nics) for step in steps]
    assert counts == [1, 1, 1]
    spec = added(parameters, "type=nic,opt_vlan=1")
    assert [nic.id for nic in spec.nics] == [None, "nic0"]


def test_origins_lead_to_the_line() -> None:
    nic = cfg("net =\n  type=nic;\n  type=user;\n").nics[0]
    assert nic.origin == Origin("a.cfg", 3)
    assert isinstance(nic.backend, UserBackend)
    assert nic.backend.origin == Origin("a.cfg", 4)


def test_a_single_entry_is_named_by_its_main_option() -> None:
    assert entries_from_value("net", "user", HERE)[0].options == {"type": "user"}
