"""Devices from the entries of ``device`` and ``crypto``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from DtsVirtLibrary.config.build_networks import VIRTIO, tap_interface
from DtsVirtLibrary.config.check import Checked
from DtsVirtLibrary.config.identifiers import Identifiers
from DtsVirtLibrary.config.option_types import SERVER
from DtsVirtLibrary.config.problems import problem
from DtsVirtLibrary.spec import (
    NOTHING,
    Backend,
    CryptoDevice,
    Device,
    HostPciDevice,
    Nic,
    OtherDevice,
    TapBackend,
    VhostUserBackend,
)


def build_devices(entries: Sequence[Checked], identifiers: Identifiers) -> tuple[Device, ...]:
    """Return the devices in the order of their entries."""
    return tuple(_device(entry, identifiers) for entry in entries)


def build_crypto(name: str, entries: Sequence[Checked], ids: Identifiers) -> tuple[Device, ...]:
    """Return the devices that ``crypto`` asks for in the VM `name`."""
    return tuple(
        _numbered_crypto(name, entry, number, ids.next("crypto"))
        for entry in entries
        if entry["enable"]
        for number in range(entry["opt_num"])
    )


def _numbered_crypto(name: str, entry: Checked, number: int, id_: str) -> CryptoDevice:
    socket = f"/tmp/{name}_crypto{number}.sock" if entry["opt_backend"] == "vhost-user" else None
    return CryptoDevice(id=id_, path=socket, origin=entry.origin)


def _device(entry: Checked, identifiers: Identifiers) -> Device:
    driver = entry["driver"]
    if driver in ("pci-assign", "vfio-pci"):
        return _host_pci(entry, identifiers)
    if driver == "virtio-net-pci":
        nic = _virtio_nic(entry, None, identifiers)
        return replace(nic, netdev=entry["opt_netdev"])
    if driver == "vhost-user":
        return _virtio_nic(entry, _vhost_user(entry), identifiers)
    if driver == "vhost-cuse":
        interface = tap_interface(entry["opt_tap"], entry)
        tap = TapBackend(interface=interface, vhost=True, origin=entry.origin)
        return _virtio_nic(entry, tap, identifiers)
    if driver == "virtio-crypto":
        identifier = identifiers.choose(entry, "crypto")
        return CryptoDevice(id=identifier, path=entry["opt_path"], origin=entry.origin)
    properties = MappingProxyType({**entry.extra, **(entry["opt_settings"] or NOTHING)})
    return OtherDevice(driver, properties, entry["opt_id"], entry.origin)


def _host_pci(entry: Checked, identifiers: Identifiers) -> HostPciDevice:
    return HostPciDevice(
        host=entry["opt_host"],
        id=identifiers.choose(entry, "pt_"),
        bus=entry["opt_bus"],
        address=entry["opt_addr"],
        settings=entry["opt_settings"] or NOTHING,
        origin=entry.origin,
    )


def _virtio_nic(entry: Checked, backend: Backend | None, identifiers: Identifiers) -> Nic:
    return Nic(
        driver=VIRTIO,
        backend=backend,
        id=identifiers.choose(entry, "nic"),
        mac=entry["opt_mac"],
        bus=entry["opt_bus"],
        address=entry["opt_addr"],
        settings=_virtio_settings(entry),
        origin=entry.origin,
    )


def _virtio_settings(entry: Checked) -> Mapping[str, str]:
    settings: Mapping[str, str] = entry["opt_settings"] or NOTHING
    if entry["opt_legacy"] is None:
        return settings
    legacy = "on" if entry["opt_legacy"] else "off"
    return MappingProxyType({"disable-modern": legacy, **settings})


def _vhost_user(entry: Checked) -> VhostUserBackend:
    path, listens = _split_path(entry["opt_path"])
    server = listens or entry["opt_server"]
    reconnect = entry["opt_reconnect"] or None
    if server and reconnect:
        text = "opt_reconnect is for a client, but opt_server makes QEMU listen"
        raise problem(entry.origin, "device vhost-user", text)
    return VhostUserBackend(path, server, entry["opt_queue"], reconnect, entry.origin)


def _split_path(text: str) -> tuple[str, bool]:
    """Take ``,server`` from the end of a path; any other comma belongs to the path."""
    path, _, rest = text.partition(",")
    if rest.split(",")[0] not in ("server", "server=on"):
        return text, False
    return path, bool(SERVER.parse(rest))
