"""Virtual functions (SR-IOV) of a host's network cards."""

from __future__ import annotations

from dataclasses import dataclass

from DtsVirtLibrary.errors import ConfigError, HostError
from DtsVirtLibrary.host import pci
from DtsVirtLibrary.host.guarded import guarded
from DtsVirtLibrary.host.network import run_ip
from DtsVirtLibrary.host.protocol import Host

# The kernel changes the number of virtual functions only by way of 0.
SET_COUNT = 'echo 0 > "$1"; [ "$2" = 0 ] || echo "$2" > "$1"'


@dataclass(frozen=True)
class VirtualFunctions:
    """Virtual functions that were made.

    :ivar physical_function: address of the card's function.
    :ivar addresses: addresses of the virtual functions, by index.
    :ivar former_count: how many there were before.
    """

    physical_function: str
    addresses: tuple[str, ...]
    former_count: int
    sysfs: str
    token: str


async def create_virtual_functions(
    host: Host, physical_function: str, count: int, sysfs: str = "/sys"
) -> VirtualFunctions:
    """Have a card offer `count` virtual functions, in place of those it has.

    :raises HostError: there is no such function, it offers fewer, virtual functions of it
        are in use by vfio-pci, or the kernel refused.
    """
    card = await _card(host, physical_function, sysfs)
    if not 0 < count <= card.total_virtual_functions:
        raise HostError(
            f"PCI function {card.address} of {host.name} offers 1 to "
            f"{card.total_virtual_functions} virtual functions; {count} were asked for."
        )
    await _require_unused(host, card, sysfs)
    former = len(card.virtual_functions)
    addresses, token = await guarded(
        host,
        undo_argv(card.address, former, sysfs),
        _create(host, card.address, count, former, sysfs),
        lambda: _set_count(host, card.address, former, sysfs),
    )
    return VirtualFunctions(card.address, addresses, former, sysfs, token)


def undo_argv(address: str, former_count: int, sysfs: str) -> tuple[str, ...]:
    """Return the command that sets the number of before, for a runner that died."""
    return ("sh", "-c", SET_COUNT, "sh", _count_path(address, sysfs), str(former_count))


async def destroy_virtual_functions(host: Host, made: VirtualFunctions) -> None:
    """Take the virtual functions away, back to the number that was before.

    A VM that holds one must be stopped first: the kernel waits for it.

    :raises HostError: the kernel refused.
    """
    await _set_count(host, made.physical_function, made.former_count, made.sysfs)
    await host.forget(made.token)


async def set_virtual_function(
    host: Host,
    physical_function: str,
    index: int,
    *,
    mac: str | None = None,
    vlan: int | None = None,
    trust: bool | None = None,
    spoofchk: bool | None = None,
    sysfs: str = "/sys",
) -> None:
    """Set what the card enforces for a virtual function; None leaves a setting as it is.

    :param index: number of the virtual function, from 0.
    :param vlan: VLAN 1 to 4094 that the card adds and removes; 0 for none.
    :raises HostError: there is no such function, or the card refused.
    """
    card = await _card(host, physical_function, sysfs)
    made = len(card.virtual_functions)
    if not 0 <= index < made:
        raise HostError(
            f"PCI function {card.address} of {host.name} has no virtual function {index}; it has "
            + (f"{made} (0 to {made - 1})." if made else "none: use Create Virtual Functions.")
        )
    if not card.interfaces:
        raise HostError(
            f"PCI function {card.address} of {host.name} has no network interface "
            f"(driver: {card.driver or 'none'}), so its virtual functions cannot be set. "
            "Give it back to its kernel driver first: Restore Host Device."
        )
    settings = _settings(mac, vlan, trust, spoofchk)
    if not settings:
        raise ConfigError("Set Virtual Function was given nothing to set.")
    interface = card.interfaces[0]
    what = f"Virtual function {index} of {card.address}"
    await run_ip(host, what, ("link", "set", "dev", interface, "vf", str(index), *settings))


def _settings(
    mac: str | None, vlan: int | None, trust: bool | None, spoofchk: bool | None
) -> list[str]:
    words: list[str] = []
    if mac is not None:
        words += ["mac", mac]
    if vlan is not None:
        if not 0 <= vlan <= 4094:
            raise ConfigError(f"VLAN {vlan} does not exist; 1 to 4094, or 0 for none.")
        words += ["vlan", str(vlan)]
    for name, value in (("trust", trust), ("spoofchk", spoofchk)):
        if value is not None:
            words += [name, "on" if value else "off"]
    return words


async def _card(host: Host, address: str, sysfs: str) -> pci.HostPciFunction:
    card = await pci.function(host, address, sysfs)
    if card.physical_function is not None:
        raise HostError(
            f"PCI function {card.address} of {host.name} is itself a virtual function of "
            f"{card.physical_function}; name that one."
        )
    if not card.total_virtual_functions:
        raise HostError(
            f"PCI function {card.address} of {host.name} offers no virtual functions: the card, "
            f"its firmware settings or its driver ({card.driver or 'none'}) have no SR-IOV."
        )
    return card


async def _require_unused(host: Host, card: pci.HostPciFunction, sysfs: str) -> None:
    for address in card.virtual_functions:
        if (await pci.function(host, address, sysfs)).driver == pci.VFIO:
            raise HostError(
                f"Virtual function {address} of {card.address} on {host.name} is bound to "
                f"{pci.VFIO}, so a VM may hold it. Stop that VM, give the function back (Restore "
                "Host Device), and destroy the virtual functions first."
            )


async def _create(host: Host, address: str, count: int, former: int, sysfs: str) -> tuple[str, ...]:
    try:
        await _set_count(host, address, count, sysfs)
        made = (await pci.function(host, address, sysfs)).virtual_functions
        if len(made) != count:
            raise HostError(
                f"PCI function {address} of {host.name} made {len(made)} virtual functions "
                f"instead of {count}. The kernel's reason is at the end of: dmesg"
            )
    except BaseException:
        await _set_count(host, address, former, sysfs)
        raise
    return made


async def _set_count(host: Host, address: str, count: int, sysfs: str) -> None:
    path = _count_path(address, sysfs)
    now = int(await host.read_text(path))
    if now and now != count:
        await host.write_control(path, "0")
    if count and now != count:
        await host.write_control(path, str(count))


def _count_path(address: str, sysfs: str) -> str:
    return f"{sysfs}/bus/pci/devices/{address}/sriov_numvfs"
