"""What the agent of a VM's guest is asked for: files, and addresses."""

from __future__ import annotations

from pathlib import Path

from DtsVirtLibrary.errors import AgentError, ConfigError, nearest
from DtsVirtLibrary.host.protocol import Host
from DtsVirtLibrary.results import GuestInterface
from DtsVirtLibrary.vm.machine import Machine


async def put_file(
    machine: Machine, runner: Host, source: Path, destination: str, seconds: float
) -> None:
    """Copy a file of the runner's machine into the guest by its agent.

    :raises ConfigError: the source is missing.
    """
    if await runner.status(source) is None:
        raise ConfigError(f"'{source}' does not exist, so it cannot be put into '{machine.name}'.")
    data = await runner.read_bytes(source)
    await machine.use(
        "Put File In Guest",
        lambda instance: instance.agent.put_file(data, destination, timeout=seconds),
        needs_guest=True,
    )


async def get_file(
    machine: Machine, runner: Host, source: str, destination: Path, seconds: float
) -> None:
    """Copy a file of the guest to the runner's machine by the agent."""
    data = await machine.use(
        "Get File From Guest",
        lambda instance: instance.agent.get_file(source, timeout=seconds),
        needs_guest=True,
    )
    await runner.make_directory(destination.parent)
    await runner.write_bytes(destination, data, mode=0o644)


async def ip_address(machine: Machine, interface: str | None, seconds: float) -> str:
    """Return an IPv4 address of the guest: of `interface`, else of the control card.

    :raises AgentError: there is no such interface, or it has no IPv4 address.
    """
    found = await machine.use(
        "Get VM IP",
        lambda instance: instance.agent.interfaces(timeout=seconds),
        needs_guest=True,
    )
    chosen = _choose(machine, interface, found)
    if chosen.ipv4 is None:
        raise AgentError(
            f"VM '{machine.name}': guest interface '{chosen.name}' has no IPv4 address."
        )
    return chosen.ipv4


def _choose(
    machine: Machine, interface: str | None, found: tuple[GuestInterface, ...]
) -> GuestInterface:
    if interface is not None:
        match = [item for item in found if item.name == interface]
        what = f"guest interface '{interface}'"
    else:
        nic = machine.specification().control_nic
        match = [item for item in found if nic is not None and item.mac == nic.mac]
        what = "control interface"
    if not match:
        names = [item.name for item in found]
        raise AgentError(
            f"VM '{machine.name}' has no {what}.{nearest(interface or '', names)} "
            f"Guest interfaces: {', '.join(names) or 'none'}."
        )
    return match[0]
