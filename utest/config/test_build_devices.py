"""Devices: each driver with each option."""

from __future__ import annotations

from typing import Any

import pytest

from DtsVirtLibrary.config import Parameters, build_spec, entries_from_value, load_file
from DtsVirtLibrary.errors import ConfigError
from DtsVirtLibrary.spec import (
    CryptoDevice,
    HostPciDevice,
    Nic,
    Origin,
    OtherDevice,
    TapBackend,
    VhostUserBackend,
)
from utest.config.making import cfg, devices, made, only_device, refused, refused_value


@pytest.mark.parametrize("driver", ["pci-assign", "vfio-pci"])
@pytest.mark.parametrize(
    ("options", "device"),
    [
        ("opt_host=07:10.0", HostPciDevice("0000:07:10.0", "pt_0")),
        ("host=0000:07:10.0", HostPciDevice("0000:07:10.0", "pt_0")),
        ("opt_host=07:10.0,opt_addr=5", HostPciDevice("0000:07:10.0", "pt_0", None, "5")),
        (
            "opt_host=07:10.0,opt_bus=pci.1,opt_addr=0x1e.0,opt_id=vf",
            HostPciDevice("0000:07:10.0", "vf", "pci.1", "1e.0"),
        ),
        (
            'opt_host=07:10.0,opt_settings="rombar=0,x-no-mmap=on"',
            HostPciDevice("0000:07:10.0", "pt_0", settings={"rombar": "0", "x-no-mmap": "on"}),
        ),
    ],
)
def test_passed_through_functions(driver: str, options: str, device: HostPciDevice) -> None:
    assert only_device(cfg(f"device = driver={driver},{options}")) == device


def test_passed_through_functions_are_counted() -> None:
    spec = cfg("device = driver=pci-assign,opt_host=07:10.0; driver=vfio-pci,opt_host=07:10.2")
    assert [(d.id, d.host) for d in devices(spec) if isinstance(d, HostPciDevice)] == [
        ("pt_0", "0000:07:10.0"),
        ("pt_1", "0000:07:10.2"),
    ]


def vhost(path: str = "./s", **backend: Any) -> VhostUserBackend:
    """Return a vhost-user back end."""
    return VhostUserBackend(path, **backend)


@pytest.mark.parametrize(
    ("options", "backend"),
    [
        ("", vhost()),
        (",opt_server=server", vhost(server=True)),
        (",opt_server=on", vhost(server=True)),
        (",opt_server=yes", vhost(server=True)),
        (",opt_server=server=on", vhost(server=True)),
        (',opt_server="server,nowait"', vhost(server=True)),
        (",opt_server", vhost(server=True)),
        (",server", vhost(server=True)),
        (",opt_server=client", vhost()),
        (",opt_server=off", vhost()),
        (",opt_server=no", vhost()),
        (",opt_queue=4", vhost(queues=4)),
        (",opt_queues=256", vhost(queues=256)),
        (",opt_reconnect=1", vhost(reconnect_seconds=1)),
        (",reconnect=5", vhost(reconnect_seconds=5)),
        (",opt_reconnect=0", vhost()),
    ],
)
def test_vhost_user_back_ends(options: str, backend: VhostUserBackend) -> None:
    device = only_device(cfg(f"device = driver=vhost-user,opt_path=./s{options}"))
    assert device == Nic("virtio-net-pci", backend, id="nic0")


@pytest.mark.parametrize(
    ("path", "backend"),
    [
        ("./vhost-net,server", vhost("./vhost-net", server=True)),
        ("./vhost-net,server,nowait", vhost("./vhost-net", server=True)),
        ("./vhost-net,server=on,wait=off", vhost("./vhost-net", server=True)),
        ("./a,b", vhost("./a,b")),
        ("./a,off", vhost("./a,off")),
    ],
)
def test_server_smuggled_into_the_path(path: str, backend: VhostUserBackend) -> None:
    device = only_device(made(device={"driver": "vhost-user", "opt_path": path}))
    assert device.backend == backend
    assert only_device(cfg(f'device = driver=vhost-user,opt_path="{path}"')).backend == backend


@pytest.mark.parametrize("driver", ["driver=vhost-user,opt_path=./s", "driver=vhost-cuse"])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (",opt_mac=00:00:20:00:00:20", {"mac": "00:00:20:00:00:20"}),
        (",mac=00:00:20:00:00:2A", {"mac": "00:00:20:00:00:2a"}),
        (",opt_legacy=on", {"settings": {"disable-modern": "on"}}),
        (",opt_legacy=off", {"settings": {"disable-modern": "off"}}),
        (',opt_settings="csum=off,gso=off"', {"settings": {"csum": "off", "gso": "off"}}),
        (",opt_settings=mrg_rxbuf=on", {"settings": {"mrg_rxbuf": "on"}}),
        (
            ",opt_legacy=on,opt_settings=disable-modern=false",
            {"settings": {"disable-modern": "false"}},
        ),
        (",opt_bus=pci.1,opt_addr=5", {"bus": "pci.1", "address": "5"}),
        (",opt_id=port0", {"id": "port0"}),
    ],
)
def test_options_of_virtio_cards(driver: str, options: str, expected: dict[str, Any]) -> None:
    device = only_device(cfg(f"device = {driver}{options}"))
    assert device == Nic("virtio-net-pci", device.backend, **{"id": "nic0", **expected})


def test_virtio_net_pci() -> None:
    options = "opt_netdev=hub0,opt_id=net0,opt_mac=52:54:00:00:00:01,opt_bus=pci.0,opt_addr=6"
    more = ',opt_legacy=off,opt_settings="mq=on,vectors=6"'
    assert only_device(cfg(f"device = driver=virtio-net-pci,{options}{more}")) == Nic(
        driver="virtio-net-pci",
        netdev="hub0",
        id="net0",
        mac="52:54:00:00:00:01",
        bus="pci.0",
        address="6",
        settings={"disable-modern": "off", "mq": "on", "vectors": "6"},
    )
    message = refused("device = driver=virtio-net-pci,opt_id=a")
    assert message.startswith("a.cfg:2: device virtio-net-pci: option 'opt_netdev' is missing")


@pytest.mark.parametrize(
    ("options", "interface"), [("", None), (",opt_tap=tap3", "tap3"), (",opt_ifname=tap3", "tap3")]
)
def test_vhost_cuse_is_a_tap_with_vhost(options: str, interface: str | None) -> None:
    device = only_device(cfg(f"device = driver=vhost-cuse{options}"))
    assert device == Nic("virtio-net-pci", TapBackend(interface, vhost=True), id="nic0")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"csum": "off", "gso": False, "mq": True}, {"csum": "off", "gso": "off", "mq": "on"}),
        ("csum=off,gso=off", {"csum": "off", "gso": "off"}),
        (["csum=off", "gso=off"], {"csum": "off", "gso": "off"}),
        ({"host_mtu": 9000}, {"host_mtu": "9000"}),
        ({"romfile": "/a,b"}, {"romfile": "/a,b"}),
        (None, {}),
    ],
)
def test_settings_from_python(value: Any, expected: dict[str, str]) -> None:
    device = only_device(
        made(device={"driver": "vhost-user", "opt_path": "./s", "opt_settings": value})
    )
    assert dict(device.settings) == expected


def test_virtio_crypto_devices() -> None:
    spec = cfg("device = driver=virtio-crypto; driver=virtio-crypto,opt_path=/c.sock,opt_id=c")
    assert devices(spec) == [CryptoDevice("crypto0"), CryptoDevice("c", "/c.sock")]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("crypto = enable=yes", [CryptoDevice("crypto0", "/tmp/vm0_crypto0.sock")]),
        (
            "crypto = enable=yes,opt_num=2",
            [
                CryptoDevice("crypto0", "/tmp/vm0_crypto0.sock"),
                CryptoDevice("crypto1", "/tmp/vm0_crypto1.sock"),
            ],
        ),
        ("crypto = opt_num=1,opt_backend=builtin", [CryptoDevice("crypto0")]),
        ("crypto = enable=no,opt_num=2", []),
        (
            "crypto = opt_backend=builtin\ndevice = driver=virtio-crypto",
            [CryptoDevice("crypto0"), CryptoDevice("crypto1")],
        ),
    ],
)
def test_crypto(body: str, expected: list[CryptoDevice]) -> None:
    assert devices(cfg(body)) == expected


@pytest.mark.parametrize(
    ("body", "device"),
    [
        ("driver=igb", OtherDevice("igb")),
        ("igb", OtherDevice("igb")),
        (
            "driver=igb,opt_mac=52:54:00:00:00:01,opt_addr=5,multifunction=on",
            OtherDevice("igb", {"mac": "52:54:00:00:00:01", "addr": "5", "multifunction": "on"}),
        ),
        ("driver=igb,opt_id=a", OtherDevice("igb", id="a")),
        ("driver=igb,id=a", OtherDevice("igb", id="a")),
        (
            'driver=virtio-rng-pci,opt_settings="max-bytes=1024,period=1000",x-y=1',
            OtherDevice("virtio-rng-pci", {"x-y": "1", "max-bytes": "1024", "period": "1000"}),
        ),
        ("driver=vhost-user-fs-pci,tag=x", OtherDevice("vhost-user-fs-pci", {"tag": "x"})),
        ("driver=vhost-scsi", OtherDevice("vhost-scsi")),
        ("driver=virtio-crypto-pci", OtherDevice("virtio-crypto-pci")),
        ("driver=virtio-rng-pci", OtherDevice("virtio-rng-pci")),
    ],
)
def test_any_other_device(body: str, device: OtherDevice) -> None:
    assert only_device(cfg(f"device = {body}")) == device


@pytest.mark.parametrize(
    ("device", "message"),
    [
        (
            "opt_path=./s",
            "device: option 'driver' is missing\nKnown: pci-assign, vfio-pci, virtio-",
        ),
        ("driver=vhost-user", "device vhost-user: option 'opt_path' is missing"),
        (
            "driver=vhost-usr,opt_path=x",
            "device: unknown driver 'vhost-usr'. Did you mean 'vhost-u",
        ),
        (
            "driver=vhost_user,opt_path=x",
            "device: unknown driver 'vhost_user'. Did you mean 'vhost",
        ),
        ("driver=pci_assign,opt_host=x", "device: unknown driver 'pci_assign'. Did you mean 'pci-"),
        (
            "driver=vhost-user,opt_pth=x",
            "device vhost-user: unknown option 'opt_pth'. Did you mean",
        ),
        (
            "driver=vhost-user,pth=x",
            "device vhost-user: unknown option 'pth'. Did you mean 'path'?",
        ),
        ("driver=vhost-user,opt_path=x,opt_queue=0", "device vhost-user: opt_queue: '0': expected"),
        (
            "driver=vhost-user,opt_path=x,opt_queue=257",
            "device vhost-user: opt_queue: '257': expect",
        ),
        ("driver=vhost-user,opt_path=x,opt_server=maybe", "device vhost-user: opt_server: 'maybe'"),
        (
            "driver=vhost-user,opt_path=x,opt_server=on,opt_reconnect=1",
            "device vhost-user: opt_reconnect is for a client",
        ),
        (
            "driver=vhost-user,opt_path=x,opt_script=/s",
            "device vhost-user: opt_script: a vhost-user",
        ),
        ("driver=vhost-user,opt_path=x,opt_br=br0", "device vhost-user: opt_br: a vhost-user back"),
        (
            "driver=vhost-user,opt_path=x,opt_mac=1",
            "device vhost-user: opt_mac: '1': expected a MAC",
        ),
        ("driver=pci-assign", "device pci-assign: option 'opt_host' is missing"),
        (
            "driver=pci-assign,opt_host=7",
            "device pci-assign: opt_host: '7': expected a PCI address",
        ),
        ("driver=pci-assign,opt_host=07:10.0,opt_addr=30.0", "device pci-assign: opt_addr: '30.0'"),
        (
            "driver=vhost-cuse,opt_tap=sixteen_letters_",
            "interface 'sixteen_letters_' is not allowed",
        ),
        ("driver=igb,a b=1", "device: unknown option 'a b=1'"),
        ("driver=igb,opt_=1", "device igb: 'opt_' is no option's name"),
        ("driver=", "device: option 'driver' has no value"),
        (
            "driver=vhost-user,opt_path=x,opt_settings=csum=off,gso=off",
            "device vhost-user: unknown option 'gso'. Known",
        ),
    ],
)
def test_devices_that_are_refused(device: str, message: str) -> None:
    assert refused(f"device = {device}").startswith(f"a.cfg:2: {message}")


def test_the_repair_of_cut_settings_is_shown() -> None:
    message = refused("device = driver=vhost-user,opt_path=x,opt_settings=csum=off,gso=off")
    assert message.endswith('in quotes: opt_settings="csum=off,gso=off"')


def test_a_wrong_option_from_python_is_told_with_its_origin() -> None:
    message = refused_value(device=[{"driver": "vhost-user", "opt_path": "x", "opt_quue": 2}])
    assert message.startswith("test: device vhost-user: unknown option 'opt_quue'. Did you mean")


def test_the_devices_of_the_seed_as_it_writes_them() -> None:
    spec = cfg("""device =
    driver=vhost-user,opt_path=./vhost-net,opt_mac=00:00:20:00:00:20
    driver=vhost-user,opt_path=./vhost-net,opt_mac=00:00:20:00:00:21""")
    assert [d.mac for d in devices(spec) if isinstance(d, Nic)] == [
        "00:00:20:00:00:20",
        "00:00:20:00:00:21",
    ]


def test_ids_are_chosen_around_each_other() -> None:
    spec = cfg("""device =
    driver=vhost-user,opt_path=a;
    driver=vhost-user,opt_path=b,opt_id=nic0;
    driver=vhost-cuse;
    driver=pci-assign,opt_host=07:10.0,opt_id=pt_1;
    driver=pci-assign,opt_host=07:10.1;
    driver=pci-assign,opt_host=07:10.2;""")
    found = [getattr(device, "id") for device in devices(spec)]  # noqa: B009
    assert found == ["nic1", "nic0", "nic2", "pt_1", "pt_0", "pt_2"]


def test_an_id_twice_names_both_places() -> None:
    message = refused("""device =
    driver=vhost-user,opt_path=a,opt_id=x;
    driver=igb,id=x;""")
    assert message.splitlines() == [
        "a.cfg:4: id 'x' is used twice",
        "The first: a.cfg:3",
        "The second: a.cfg:4",
    ]


def test_added_devices_are_not_wiped_by_a_file() -> None:
    parameters = Parameters()
    for entry in entries_from_value("device", {"driver": "igb"}, Origin("Add VM Device")):
        parameters.add("device", entry)
    parameters.load(load_file("a.cfg", "[vm0]\ndevice = driver=e1000e\n").section("vm0"))
    assert devices(build_spec("vm0", parameters)) == [OtherDevice("e1000e"), OtherDevice("igb")]


def test_what_a_mapping_holds_needs_no_advice_on_quotes() -> None:
    with pytest.raises(ConfigError) as caught:
        made(device={"driver": "vhost-user", "opt_pth": "./x"})
    message = str(caught.value)
    assert "unknown option 'opt_pth'. Did you mean 'opt_path'?" in message
    assert "quotes" not in message
