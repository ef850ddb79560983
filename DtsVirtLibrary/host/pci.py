"""PCI functions of a host: what they are, and which driver has them.

Everything is read and written below an injectable sysfs root.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from DtsVirtLibrary.errors import ConfigError, HostError, nearest
from DtsVirtLibrary.host.guarded import guarded
from DtsVirtLibrary.host.protocol import Host

VFIO = "vfio-pci"
# Drivers that leave a function alone, so that the rest of its IOMMU group can be given away.
HARMLESS = frozenset({VFIO, "pci-stub", "vfio-mdev"})
BRIDGE_CLASS = "06"
ADDRESS = re.compile(r"^(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}):([01][0-9a-f])\.([0-7])$")
# The arguments are the sysfs root, the address, and the override and driver of before.
RESTORE = """cd "$1/bus/pci/devices/$2" || exit
echo "$3" > driver_override
[ ! -e driver ] || echo "$2" > driver/unbind
[ -z "$4" ] || echo "$2" > "$1/bus/pci/drivers_probe"
"""


@dataclass(frozen=True)
class HostPciFunction:
    """A PCI function of the host.

    :ivar address: ``0000:07:10.0``.
    :ivar vendor_device: ``8086:10ed``.
    :ivar class_code: six hexadecimal digits, ``020000`` for an Ethernet controller.
    :ivar driver: name of the driver that has it; None if none has.
    :ivar iommu_group: number of its IOMMU group; None without an IOMMU.
    :ivar numa_node: its NUMA node; None if it has none.
    :ivar interfaces: names of its network interfaces.
    :ivar physical_function: address of the function it is a virtual function of, else None.
    :ivar virtual_functions: addresses of its virtual functions, by index.
    :ivar total_virtual_functions: how many virtual functions it offers.
    """

    address: str
    vendor_device: str
    class_code: str
    driver: str | None
    iommu_group: int | None
    numa_node: int | None
    interfaces: tuple[str, ...] = ()
    physical_function: str | None = None
    virtual_functions: tuple[str, ...] = ()
    total_virtual_functions: int = 0


@dataclass(frozen=True)
class Binding:
    """A function that :func:`bind` gave to `driver`.

    :ivar before: the function as it was, with its former driver.
    :ivar former_override: its driver_override of before; empty for none.
    """

    before: HostPciFunction
    driver: str
    former_override: str
    sysfs: str
    token: str


@dataclass(frozen=True)
class IommuGroup:
    """The functions that an IOMMU cannot keep apart.

    :ivar blockers: those that keep the group from being passed through.
    """

    number: int
    members: tuple[HostPciFunction, ...]
    blockers: tuple[HostPciFunction, ...]

    @property
    def viable(self) -> bool:
        """Whether its functions can be passed through to a VM."""
        return not self.blockers

    def explain(self) -> str:
        """Return a line for each member: its driver, and what is to be done about it."""
        return "\n".join(
            f"    {member.address} {member.vendor_device} driver {member.driver or 'none'}"
            + (f" <- in the way: Bind Host Device {member.address}" * (member in self.blockers))
            for member in self.members
        )


def full_address(text: str) -> str:
    """Return a PCI address with domain, in lower case: ``07:10.0`` -> ``0000:07:10.0``.

    :raises ConfigError: it is not one.
    """
    match = ADDRESS.match(text.strip().lower())
    if match is None:
        raise ConfigError(
            f"'{text}' is not a PCI address; write it as lspci -D does: 0000:07:10.0 "
            "(domain:bus:slot.function in hexadecimal, the domain may be left out)."
        )
    domain, bus, slot, function_number = match.groups()
    return f"{domain or '0000'}:{bus}:{slot}.{function_number}"


async def functions(host: Host, sysfs: str = "/sys") -> tuple[HostPciFunction, ...]:
    """Return all PCI functions of the host, sorted by address."""
    addresses = await host.list_directory(f"{sysfs}/bus/pci/devices")
    return tuple([await _function(host, address, sysfs) for address in addresses])


async def function(host: Host, address: str, sysfs: str = "/sys") -> HostPciFunction:
    """Return one PCI function of the host.

    :raises ConfigError: `address` is not a PCI address.
    :raises HostError: the host has no such function.
    """
    address = full_address(address)
    known = await host.list_directory(f"{sysfs}/bus/pci/devices")
    if address not in known:
        raise HostError(
            f"{host.name} has no PCI function {address}.{nearest(address, known)}\n"
            f"It has: {', '.join(known) or 'none at all'}."
        )
    return await _function(host, address, sysfs)


async def bind(
    host: Host, address: str, driver: str = VFIO, *, sysfs: str = "/sys", proc: str = "/proc"
) -> Binding:
    """Give a function to a driver, by driver_override so that no other function follows.

    Other members of its IOMMU group are not looked at, because they are bound one by one;
    see :func:`require_viable`.

    :raises HostError: there is no such function or driver, no IOMMU for vfio-pci, the
        host's own network goes through the function, or the driver did not take it.
    """
    found = await function(host, address, sysfs)
    await _require_driver(host, driver, sysfs)
    if driver == VFIO:
        await _require_iommu(host, found, sysfs)
    if found.driver != driver:
        await _require_spare(host, found, proc)
    former = await _override(host, found.address, sysfs)
    _, token = await guarded(
        host,
        undo_argv(found, former, sysfs),
        _bind_or_undo(host, found, driver, former, sysfs),
        lambda: _put_back(host, found, former, sysfs),
    )
    return Binding(found, driver, former, sysfs, token)


def undo_argv(before: HostPciFunction, former_override: str, sysfs: str) -> tuple[str, ...]:
    """Return the command that does what :func:`restore` does, for a runner that died."""
    driver = before.driver or ""
    return ("sh", "-c", RESTORE, "sh", sysfs, before.address, former_override, driver)


async def restore(host: Host, binding: Binding) -> None:
    """Give a function back to the driver it had before :func:`bind`, or to none.

    :raises HostError: that driver did not take it.
    """
    before = binding.before
    driver = await _put_back(host, before, binding.former_override, binding.sysfs)
    if driver != before.driver:
        raise HostError(
            f"PCI function {before.address} of {host.name} did not go back to its driver "
            f"{before.driver}; {_has(driver)}. As root: modprobe {before.driver}; "
            f"echo {before.address} > {binding.sysfs}/bus/pci/drivers_probe"
        )
    await host.forget(binding.token)


async def iommu_group(host: Host, address: str, sysfs: str = "/sys") -> IommuGroup:
    """Return the IOMMU group of a function with all its members.

    :raises HostError: there is no such function, or no IOMMU.
    """
    found = await function(host, address, sysfs)
    if found.iommu_group is None:
        raise _no_iommu(host, found)
    directory = f"{sysfs}/kernel/iommu_groups/{found.iommu_group}/devices"
    names = [name for name in await host.list_directory(directory) if ADDRESS.match(name)]
    members = tuple([await _function(host, name, sysfs) for name in names])
    blockers = tuple(member for member in members if not _harmless(member))
    return IommuGroup(found.iommu_group, members, blockers)


async def require_viable(host: Host, address: str, sysfs: str = "/sys") -> None:
    """Check that a function can be passed through to a VM now.

    :raises HostError: it is not bound to vfio-pci, there is no IOMMU, or another member
        of its group is in the way; the text lists the group.
    """
    found = await function(host, address, sysfs)
    if found.driver != VFIO:
        raise HostError(
            f"PCI function {found.address} of {host.name} cannot be passed through: "
            f"{_has(found.driver)}, it must be {VFIO}. Use the keyword first: "
            f"Bind Host Device    {found.address}"
        )
    if found.iommu_group is None and await _without_iommu(host, sysfs):
        return
    group = await iommu_group(host, address, sysfs)
    if not group.viable:
        raise HostError(
            f"PCI function {found.address} of {host.name} cannot be passed through: its IOMMU "
            f"group {group.number} is shared with functions that the host uses. All of a group "
            f"go to one VM, or to no driver:\n{group.explain()}"
        )


async def _function(host: Host, address: str, sysfs: str) -> HostPciFunction:
    directory = f"{sysfs}/bus/pci/devices/{address}"
    names = set(await host.list_directory(directory))

    async def text(name: str) -> str:
        return (await host.read_text(f"{directory}/{name}")).strip() if name in names else ""

    async def target(name: str) -> str | None:
        if name not in names:
            return None
        return (await host.real_path(f"{directory}/{name}")).rpartition("/")[2]

    group = await target("iommu_group")
    node = int(await text("numa_node") or -1)
    indexes = sorted(int(name[6:]) for name in names if re.fullmatch(r"virtfn\d+", name))
    virtual = [await target(f"virtfn{index}") for index in indexes]
    vendor, device = (await text("vendor"))[2:], (await text("device"))[2:]
    return HostPciFunction(
        address=address,
        vendor_device=f"{vendor}:{device}",
        class_code=(await text("class"))[2:],
        driver=await target("driver"),
        iommu_group=None if group is None else int(group),
        numa_node=node if node >= 0 else None,
        interfaces=tuple(await host.list_directory(f"{directory}/net") if "net" in names else ()),
        physical_function=await target("physfn"),
        virtual_functions=tuple(name for name in virtual if name),
        total_virtual_functions=int(await text("sriov_totalvfs") or 0),
    )


async def _bind_or_undo(
    host: Host, found: HostPciFunction, driver: str, former: str, sysfs: str
) -> None:
    try:
        taken = await _rebind(host, found.address, driver, sysfs)
        if taken != driver:
            raise HostError(
                f"Driver {driver} did not take PCI function {found.address} of {host.name}; "
                f"{_has(taken)}. The kernel's reason is at the end of: dmesg"
            )
    except BaseException:
        await _put_back(host, found, former, sysfs)
        raise


async def _put_back(host: Host, before: HostPciFunction, override: str, sysfs: str) -> str | None:
    now = (await _function(host, before.address, sysfs)).driver
    if now == before.driver and await _override(host, before.address, sysfs) == override:
        return now
    return await _rebind(host, before.address, override, sysfs, probe=before.driver is not None)


async def _rebind(
    host: Host, address: str, override: str, sysfs: str, *, probe: bool = True
) -> str | None:
    """Set the override, have the kernel choose a driver anew, and return its name."""
    bus = f"{sysfs}/bus/pci"
    now = (await _function(host, address, sysfs)).driver
    if now != override:
        await host.write_control(f"{bus}/devices/{address}/driver_override", f"{override}\n")
        if now is not None:
            await host.write_control(f"{bus}/devices/{address}/driver/unbind", address)
        if probe:
            # The write returns only when a driver has taken the function or refused.
            await host.write_control(f"{bus}/drivers_probe", address)
    return (await _function(host, address, sysfs)).driver


async def _override(host: Host, address: str, sysfs: str) -> str:
    text = (await host.read_text(f"{sysfs}/bus/pci/devices/{address}/driver_override")).strip()
    return "" if text == "(null)" else text


async def _require_driver(host: Host, driver: str, sysfs: str) -> None:
    drivers = await host.list_directory(f"{sysfs}/bus/pci/drivers")
    if driver not in drivers:
        raise HostError(
            f"{host.name} has no PCI driver '{driver}' loaded.{nearest(driver, drivers)} "
            f"As root: modprobe {driver}\nLoaded are: {', '.join(drivers) or 'none'}."
        )


async def _require_iommu(host: Host, found: HostPciFunction, sysfs: str) -> None:
    if found.iommu_group is None and not await _without_iommu(host, sysfs):
        raise _no_iommu(host, found)


async def _without_iommu(host: Host, sysfs: str) -> bool:
    path = f"{sysfs}/module/vfio/parameters/enable_unsafe_noiommu_mode"
    return await host.status(path) is not None and (await host.read_text(path)).strip() in "Y1"


def _no_iommu(host: Host, found: HostPciFunction) -> HostError:
    return HostError(
        f"PCI function {found.address} of {host.name} has no IOMMU group: the IOMMU is missing "
        "or off. Turn it on in the firmware (VT-d, AMD-Vi) and boot with intel_iommu=on iommu=pt "
        "(AMD: iommu=pt). For DPDK without protection, as root: "
        "echo 1 > /sys/module/vfio/parameters/enable_unsafe_noiommu_mode"
    )


async def _require_spare(host: Host, found: HostPciFunction, proc: str) -> None:
    """Refuse to cut the host off: the card that its routes go through stays."""
    if not found.interfaces:
        return
    routes = (await host.read_text(f"{proc}/net/route")).splitlines()[1:]
    used = {line.split()[0] for line in routes if line.strip()}
    if busy := sorted(used & set(found.interfaces)):
        raise HostError(
            f"PCI function {found.address} of {host.name} is its network interface {busy[0]}, "
            "which the host has routes through. If the host can do without: "
            f"ip address flush dev {busy[0]}"
        )


def _harmless(member: HostPciFunction) -> bool:
    return (
        member.driver is None
        or member.driver in HARMLESS
        or member.class_code.startswith(BRIDGE_CLASS)
    )


def _has(driver: str | None) -> str:
    return "no driver has it" if driver is None else f"its driver is {driver}"
