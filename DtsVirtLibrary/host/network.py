"""Taps, bridges, network namespaces and veth pairs of a host, made with iproute2.

Nothing is written below /etc. Everything made here is gone at the latest when the runner
is, and a name that is taken already is never taken over.
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.host.guarded import guarded
from DtsVirtLibrary.host.protocol import Completed, Host

COMMAND_TIMEOUT = 30.0
# The kernel's IFNAMSIZ is 16 with the closing NUL.
NAME_BYTES = 15
TUN_DEVICE = "/dev/net/tun"
# It may still be where it was made.
REMOVE_MOVED_LINK = '"$1" link delete dev "$2" || "$1" -n "$3" link delete dev "$2"'
# A bridge may carry another run's ports by then, which must not lose it.
REMOVE_EMPTY_BRIDGE = '[ -n "$(ls "/sys/class/net/$1/brif")" ] || exec "$2" link delete dev "$1"'


@dataclass(frozen=True)
class Interface:
    """A tap, bridge or veth pair (its near end) that was made; `token`: runner-death undo.

    :ivar namespace: network namespace that it was put in, None for the host's own.
    """

    name: str
    token: str
    namespace: str | None = None


@dataclass(frozen=True)
class Bridge:
    """A bridge; `token` is None if it was there before, and then it is not ours to remove."""

    name: str
    token: str | None

    @property
    def made(self) -> bool:
        """Whether it was made here."""
        return self.token is not None


@dataclass(frozen=True)
class Namespace:
    """A network namespace that was made; `token` is its runner-death undo."""

    name: str
    token: str


def unique_interface_name(stem: str) -> str:
    """Return a name of at most 15 bytes that no other run has: ``tap-1f09c2aa``."""
    return f"{stem[:6]}-{secrets.token_hex(4)}"


async def make_tap(
    host: Host,
    name: str | None = None,
    *,
    bridge: str | None = None,
    owner: int | None = None,
) -> Interface:
    """Make a tap interface, bring it up and, with `bridge`, put it on that bridge.

    :param name: at most 15 bytes; None for a unique one.
    :param owner: numeric id of the user who may open it; None for root only.
    :raises HostError: a right, iproute2 or /dev/net/tun is missing, or the name is taken.
    """
    name = await _free_name(host, name, "tap")
    if await host.status(TUN_DEVICE) is None:
        raise HostError(
            f"Tap '{name}' cannot be made on {host.name}: {TUN_DEVICE} is missing. "
            "As root: modprobe tun (in a container, add the device to it)."
        )
    user = () if owner is None else ("user", str(owner))
    commands = [
        ("tuntap", "add", "dev", name, "mode", "tap", *user),
        *_joined(name, bridge),
        ("link", "set", "dev", name, "up"),
    ]
    return Interface(name, await _make_link(host, f"Tap '{name}'", name, commands))


async def remove_tap(host: Host, tap: Interface) -> None:
    """Remove a tap. Quiet if it is gone.

    :raises HostError: the kernel refused.
    """
    await _remove_link(host, tap.name)
    await host.forget(tap.token)


async def make_bridge(host: Host, name: str | None = None, *, address: str | None = None) -> Bridge:
    """Make a bridge and bring it up; one that is there already is used as it is.

    :param name: at most 15 bytes; None for a unique one.
    :param address: the host's address on a new bridge, ``192.0.2.1/24``.
    :raises HostError: a right or iproute2 is missing, or `name` is no bridge.
    """
    name = _checked(name) if name else unique_interface_name("br")
    if await host.status(f"/sys/class/net/{name}") is not None:
        if await host.status(f"/sys/class/net/{name}/bridge") is None:
            raise HostError(f"Interface '{name}' of {host.name} is there, but is not a bridge.")
        return Bridge(name, None)
    commands = [
        ("link", "add", "name", name, "type", "bridge"),
        *_addressed(name, address),
        ("link", "set", "dev", name, "up"),
    ]
    undo = ("sh", "-c", REMOVE_EMPTY_BRIDGE, "sh", name, await _iproute(host))
    return Bridge(name, await _make_link(host, f"Bridge '{name}'", name, commands, undo))


async def remove_bridge(host: Host, bridge: Bridge) -> bool:
    """Remove a bridge that was made here and carries no port any more.

    :returns: whether it is gone; False where it was not ours or still has ports.
    :raises HostError: the kernel refused.
    """
    if bridge.token is None:
        return False
    if await host.list_directory(f"/sys/class/net/{bridge.name}/brif"):
        return False
    await _remove_link(host, bridge.name)
    await host.forget(bridge.token)
    return True


async def make_namespace(host: Host, name: str | None = None) -> Namespace:
    """Make a network namespace with its loopback up, as ``ip netns`` knows them.

    :param name: None for a unique one.
    :raises HostError: a right or iproute2 is missing, or the name is taken.
    """
    name = name or unique_interface_name("ns")
    if "/" in name or name in {".", ".."}:
        raise HostError(f"'{name}' is not a name for a network namespace: it is a file's name.")
    if await host.status(f"/run/netns/{name}") is not None:
        raise HostError(
            f"Network namespace '{name}' is there already on {host.name} and is not touched. "
            f"Choose another name; to remove it: ip netns delete {name}"
        )
    ip = await _iproute(host)
    what = f"Network namespace '{name}'"

    async def make() -> None:
        await run_ip(host, what, ("netns", "add", name))
        try:
            await run_ip(host, what, ("-n", name, "link", "set", "lo", "up"))
        except BaseException:
            await remove()
            raise

    async def remove() -> None:
        await run_ip(host, what, ("netns", "delete", name))

    _, token = await guarded(host, (ip, "netns", "delete", name), make(), remove)
    return Namespace(name, token)


async def remove_namespace(host: Host, namespace: Namespace) -> None:
    """Remove a network namespace with all interfaces in it. Quiet if it is gone.

    :raises HostError: the kernel refused.
    """
    if await host.status(f"/run/netns/{namespace.name}") is not None:
        what = f"Network namespace '{namespace.name}'"
        await run_ip(host, what, ("netns", "delete", namespace.name))
    await host.forget(namespace.token)


async def make_veth(
    host: Host,
    name: str | None = None,
    peer: str | None = None,
    *,
    namespace: str | None = None,
    bridge: str | None = None,
    address: str | None = None,
    peer_address: str | None = None,
    near_namespace: str | None = None,
) -> tuple[Interface, str]:
    """Make a veth pair, bring both ends up and return the near end and the far end's name.

    :param namespace: network namespace that the far end is put in.
    :param bridge: bridge that the near end joins.
    :param address: address of the near end, ``192.0.2.1/24``; `peer_address` of the far one.
    :param near_namespace: network namespace that the near end is put in, instead of a bridge.
    :raises HostError: a right or iproute2 is missing, or a name is taken.
    """
    name = await _free_name(host, name, "veth")
    peer = _checked(peer) if peer else unique_interface_name("peer")
    near, far = _inside(near_namespace), _inside(namespace)
    where = () if namespace is None else ("netns", namespace)
    commands = [
        ("link", "add", "name", name, "type", "veth", "peer", "name", peer, *where),
        *_moved(name, near_namespace),
        *_joined(name, bridge),
        *((*near, *command) for command in _addressed(name, address)),
        *((*far, *command) for command in _addressed(peer, peer_address)),
        (*near, "link", "set", "dev", name, "up"),
        (*far, "link", "set", "dev", peer, "up"),
    ]
    token = await _make_link(host, f"Veth pair '{name}'", name, commands, namespace=near_namespace)
    return Interface(name, token, near_namespace), peer


async def remove_veth(host: Host, veth: Interface) -> None:
    """Remove a veth pair. Quiet if it is gone.

    :raises HostError: the kernel refused.
    """
    await _remove_link(host, veth.name, veth.namespace)
    await host.forget(veth.token)


def _inside(namespace: str | None) -> tuple[str, ...]:
    return () if namespace is None else ("-n", namespace)


def _moved(name: str, namespace: str | None) -> list[tuple[str, ...]]:
    return [] if namespace is None else [("link", "set", "dev", name, "netns", namespace)]


def _joined(name: str, bridge: str | None) -> list[tuple[str, ...]]:
    return [] if bridge is None else [("link", "set", "dev", name, "master", bridge)]


def _addressed(name: str, address: str | None) -> list[tuple[str, ...]]:
    if address is None:
        return []
    if not _has_network(address):
        raise HostError(
            f"'{address}' is not the address of an interface: write it with the size of its "
            "network, such as 192.0.2.1/24."
        )
    return [("address", "add", address, "dev", name)]


def _has_network(address: str) -> bool:
    with suppress(ValueError):
        # Without a size the kernel would take it for a network of this one address.
        return "/" in address and bool(ipaddress.ip_interface(address))
    return False


def _checked(name: str) -> str:
    size = len(name.encode())
    if not 0 < size <= NAME_BYTES or "/" in name or name in {".", ".."} or name.split() != [name]:
        raise HostError(
            f"'{name}' is not a name for an interface: 1 to {NAME_BYTES} bytes without blanks "
            f"and slashes are allowed, this has {size}."
        )
    return name


async def _free_name(host: Host, name: str | None, stem: str) -> str:
    if name is None:
        return unique_interface_name(stem)
    if await host.status(f"/sys/class/net/{_checked(name)}") is not None:
        raise HostError(
            f"Interface '{name}' is there already on {host.name} and is not touched. "
            f"Choose another name, or none to have one made up; to remove it: ip link delete {name}"
        )
    return name


async def _make_link(
    host: Host,
    what: str,
    name: str,
    commands: Sequence[Sequence[str]],
    undo: Sequence[str] | None = None,
    namespace: str | None = None,
) -> str:
    """Run the commands, the first of which makes the link `name`; return the undo's token.

    :param namespace: network namespace that the commands put it in.
    """
    ip = await _iproute(host)
    if undo is None:
        undo = (ip, "link", "delete", "dev", name)
    if namespace is not None:
        undo = ("sh", "-c", REMOVE_MOVED_LINK, "sh", ip, name, namespace)

    async def make() -> None:
        await run_ip(host, what, commands[0])
        try:
            for command in commands[1:]:
                await run_ip(host, what, command)
        except BaseException:
            await _remove_link(host, name, namespace)
            raise

    _, token = await guarded(host, undo, make(), lambda: _remove_link(host, name, namespace))
    return token


async def _remove_link(host: Host, name: str, namespace: str | None = None) -> None:
    if await host.status(f"/sys/class/net/{name}") is not None:
        await run_ip(host, f"Interface '{name}'", ("link", "delete", "dev", name))
    elif namespace is not None:
        # It may have gone with its namespace already.
        ip = await _iproute(host)
        argv = (ip, "-n", namespace, "link", "delete", "dev", name)
        await host.run(argv, timeout=COMMAND_TIMEOUT, check=False)


async def _iproute(host: Host) -> str:
    for candidate in ("ip", "/usr/sbin/ip", "/sbin/ip"):
        if path := await host.which(candidate):
            return path
    raise HostError(f"iproute2 is not installed on {host.name}. As root: apt-get install iproute2")


async def run_ip(host: Host, what: str, arguments: Sequence[str]) -> Completed:
    argv = (await _iproute(host), *arguments)
    completed = await host.run(argv, timeout=COMMAND_TIMEOUT, check=False)
    if completed.exit_code == 0:
        return completed
    said = completed.stderr.strip()
    text = f"{what} on {host.name}: 'ip {' '.join(arguments)}' failed: {said}"
    if "not permitted" in said or "Permission denied" in said:
        needed = "CAP_SYS_ADMIN and CAP_NET_ADMIN" if "netns" in arguments else "CAP_NET_ADMIN"
        raise HostError(
            f"{text}\nThe capability {needed} is missing"
            f"{f' (and the right to open {TUN_DEVICE})' if 'tuntap' in arguments else ''}: run as "
            "root, or let an administrator make it beforehand and give its name."
        )
    raise HostError(text)
