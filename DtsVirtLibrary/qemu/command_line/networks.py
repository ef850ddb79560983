"""A network card and the back end it is connected to."""

from __future__ import annotations

import ipaddress

from DtsVirtLibrary.qemu.command_line.identity import chardev_id, netdev_id
from DtsVirtLibrary.qemu.command_line.options import Option, Values, pairs
from DtsVirtLibrary.qemu.command_line.plan import Plan
from DtsVirtLibrary.qemu.command_line.properties import check_driver, check_properties
from DtsVirtLibrary.spec import (
    BridgeBackend,
    HostForward,
    Nic,
    Origin,
    TapBackend,
    UserBackend,
    VhostUserBackend,
)

LONGEST_INTERFACE_NAME = 15
# What a card's own fields say is not said again among its settings.
_FIELDS = {"id": "id", "mac": "mac", "netdev": "netdev", "bus": "bus", "addr": "address"}
NO_SCRIPT = "no"


def nic_options(plan: Plan, nic: Nic) -> list[Option]:
    """Return the back end and the device of a network card.

    :raises ConfigError: the driver, a property or a part of the back end cannot be had.
    """
    return [*backend_options(plan, nic), nic_device(plan, nic)]


def backend_options(plan: Plan, nic: Nic) -> list[Option]:
    """Return what a card is connected to; nothing if that is made elsewhere."""
    backend, name = nic.backend, netdev_id(nic)
    if isinstance(backend, UserBackend):
        return [_user(plan, backend, name)]
    if isinstance(backend, TapBackend):
        return [_tap(plan, nic, backend, name)]
    if isinstance(backend, BridgeBackend):
        return [pairs("-netdev", "tap", {"id": name, **_made_tap(plan, nic)})]
    if isinstance(backend, VhostUserBackend):
        return _vhost_user(plan, nic, backend, name)
    return []


def nic_device(plan: Plan, nic: Nic) -> Option:
    """Return the card itself; its settings come last and win."""
    driver = check_driver(plan, nic.driver, nic.origin)
    origin = nic.origin
    for name in set(_FIELDS) & set(nic.settings):
        raise plan.refusal(
            origin, f"card '{nic.id}' has '{name}' among its settings; give it as {_FIELDS[name]}"
        )
    if isinstance(nic.backend, VhostUserBackend) and not driver.startswith("virtio-net"):
        raise plan.refusal(
            origin, f"card '{nic.id}' is '{driver}'; a vhost-user back end needs virtio-net-pci"
        )
    connected = nic.backend is not None or nic.netdev is not None
    values = {
        "netdev": netdev_id(nic) if connected else None,
        "mac": nic.mac,
        "bus": nic.bus,
        "addr": plan.addresses.get(nic.id or ""),
        **_queues(nic),
        **_vectors(plan, nic),
        **_announcement(plan, nic, driver),
    }
    given = {name: value for name, value in values.items() if value is not None}
    checked = check_properties(plan, driver, {**given, **nic.settings}, origin)
    return pairs("-device", driver, {"id": nic.id, **checked})


def chardev_socket(plan: Plan, name: str, path: str, origin: Origin | None, more: Values) -> Option:
    """Return a character device on a UNIX socket."""
    values = {"id": name, "path": plan.socket_path(path, origin), **more}
    return pairs("-chardev", "socket", values)


def _user(plan: Plan, backend: UserBackend, name: str) -> Option:
    values = [("id", name)]
    values += [("restrict", "on")] if backend.restrict else []
    values += [("hostfwd", _forward(plan, f, backend.origin)) for f in backend.forwards]
    return pairs("-netdev", "user", tuple(values))


def _forward(plan: Plan, forward: HostForward, origin: Origin | None) -> str:
    for address in (forward.host_address, forward.guest_address):
        if address and not _is_ipv4(address):
            raise plan.refusal(
                origin, f"the forward's address '{address}' is none; give an IPv4 address"
            )
    if forward.protocol not in ("tcp", "udp"):
        raise plan.refusal(
            origin, f"the forward's protocol is '{forward.protocol}'. Allowed: tcp, udp"
        )
    for port, least in ((forward.host_port, 0), (forward.guest_port, 1)):
        if not least <= port <= 65535:
            raise plan.refusal(origin, f"the forward's port {port} is not from {least} to 65535")
    return (
        f"{forward.protocol}:{forward.host_address}:{forward.host_port}"
        f"-{forward.guest_address}:{forward.guest_port}"
    )


def _is_ipv4(address: str) -> bool:
    try:
        ipaddress.IPv4Address(address)
    except ValueError:
        return False
    return True


def _tap(plan: Plan, nic: Nic, backend: TapBackend, name: str) -> Option:
    if backend.vhost and not plan.host.vhost_net:
        raise plan.refusal(
            backend.origin or nic.origin,
            f"card '{nic.id}' asks for vhost=on, and there is no /dev/vhost-net. "
            "Load the module vhost_net (modprobe vhost_net), or leave vhost out.",
        )
    scripts = (backend.script or NO_SCRIPT, backend.downscript or NO_SCRIPT)
    if scripts == (NO_SCRIPT, NO_SCRIPT):
        values = _made_tap(plan, nic, backend.interface)
    else:
        up, down = (s if s == NO_SCRIPT else plan.path(s) for s in scripts)
        values = {"ifname": _interface(plan, nic, backend.interface), "script": up}
        values["downscript"] = down
    return pairs("-netdev", "tap", {"id": name, **values, "vhost": backend.vhost or None})


def _made_tap(plan: Plan, nic: Nic, interface: str | None = None) -> dict[str, str | None]:
    """Name a tap interface that is there before QEMU starts, so that no script is needed."""
    if (number := plan.placement.tap_descriptors.get(nic.id or "")) is not None:
        return {"fd": str(number)}
    name = interface or plan.placement.taps.get(nic.id or "")
    if name is None:
        name = f"tap-{nic.id}"[:LONGEST_INTERFACE_NAME]
        plan.note(f"tap interface '{name}' stands for the one that is made at the start")
    return {
        "ifname": _interface(plan, nic, name), "script": NO_SCRIPT, "downscript": NO_SCRIPT
    }  # fmt: skip


def _interface(plan: Plan, nic: Nic, name: str | None) -> str | None:
    if name is not None and len(name.encode()) > LONGEST_INTERFACE_NAME:
        raise plan.refusal(
            nic.origin,
            f"the tap interface's name '{name}' has {len(name.encode())} bytes, and Linux takes "
            f"at most {LONGEST_INTERFACE_NAME}",
        )
    return name


def _vhost_user(plan: Plan, nic: Nic, backend: VhostUserBackend, name: str) -> list[Option]:
    origin = backend.origin or nic.origin
    if backend.server and backend.reconnect_seconds is not None:
        raise plan.refusal(
            origin,
            f"card '{nic.id}': QEMU is the server of '{backend.path}', and only a client "
            "reconnects. Leave out reconnect; a back end that comes back is served anyway.",
        )
    server: Values = {"server": True, "wait": False} if backend.server else {}
    more: Values = {**server, **_reconnect(plan, backend.reconnect_seconds)}
    return [
        chardev_socket(plan, chardev_id(nic), backend.path, origin, more),
        pairs(
            "-netdev",
            "vhost-user",
            {
                "id": name,
                "chardev": chardev_id(nic),
                "queues": backend.queues if backend.queues > 1 else None,
            },
        ),
    ]


def _reconnect(plan: Plan, seconds: int | None) -> dict[str, str]:
    if seconds is None:
        return {}
    if plan.binary.has_option("chardev", "reconnect-ms"):
        return {"reconnect-ms": str(seconds * 1000)}
    return {"reconnect": str(seconds)}


def _queues(nic: Nic) -> dict[str, str]:
    queues = nic.backend.queues if isinstance(nic.backend, VhostUserBackend) else 1
    return {"mq": "on", "vectors": str(2 * queues + 2)} if queues > 1 else {}


def _announcement(plan: Plan, nic: Nic, driver: str) -> dict[str, str]:
    """Let a clone not tell its neighbours where it is now: on a user network it has none."""
    alone = plan.placement.of_template and isinstance(nic.backend, UserBackend)
    return {"guest_announce": "off"} if alone and driver.startswith("virtio-net") else {}


def _vectors(plan: Plan, nic: Nic) -> dict[str, str]:
    if nic.vectors is not None:
        return {"vectors": str(nic.vectors)}
    fragile = plan.host.accelerator == "tcg" and plan.binary.version < (8,)
    if fragile and isinstance(nic.backend, VhostUserBackend) and "vectors" not in nic.settings:
        plan.note(
            f"card '{nic.id}' gets vectors=0, since QEMU {plan.binary.version_text} on TCG dies "
            "when a guest turns on MSI-X for vhost-user; set vectors to overrule"
        )
        return {"vectors": "0"}
    return {}
