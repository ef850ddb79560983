"""From running CPUs to a guest that can be used, stage by stage."""

from __future__ import annotations

import asyncio
from types import MappingProxyType

from DtsVirtLibrary.errors import ConfigError, Evidence, StartTimeout
from DtsVirtLibrary.guest.banner import require_route, wait_for_banner
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.results import GuestInterface, GuestSession, Readiness
from DtsVirtLibrary.spec import VmSpec
from DtsVirtLibrary.timeline import Timeline
from DtsVirtLibrary.vm.hypervisor import Instance

# DHCP in the guest has no event, and the agent answers in milliseconds.
ADDRESS_POLL = 0.05


def require_channel(spec: VmSpec, readiness: Readiness) -> None:
    """Refuse to wait for an agent that the VM has no channel for.

    :raises ConfigError: the VM is without one.
    """
    if readiness is Readiness.AGENT and not spec.guest_agent:
        raise ConfigError(
            f"VM '{spec.name}': wait_for=agent needs the guest agent, and the VM is without one "
            "(qga=enable=no). Use wait_for=process or wait_for=ssh."
        )


async def wait_until_ready(
    spec: VmSpec,
    instance: Instance,
    readiness: Readiness,
    deadline: Deadline,
    timeline: Timeline,
) -> GuestSession:
    """Wait as far as `readiness` says and return what is known of the guest then.

    For SSH the server's banner has been read, here or before the VM was saved; logging in is
    the caller's.

    :raises AgentTimeout: the guest agent did not answer in time.
    :raises StartTimeout: the control network card got no address in time.
    :raises HostError: this machine has no way to the port that QEMU forwards.
    :raises SshTimeout: the SSH server showed no banner in time.
    """
    interfaces: tuple[GuestInterface, ...] = ()
    control = None
    forward = instance.forward
    if readiness is Readiness.SSH and forward is not None:
        # Long before the guest could answer.
        require_route(spec.name, *forward)
    if readiness is not Readiness.PROCESS and instance.has_agent:
        await instance.wait_for_agent(deadline, timeline)
        if spec.control_nic is not None and readiness is Readiness.SSH:
            control, interfaces = await wait_for_address(spec, instance, deadline)
            timeline.reached("address assigned")
        else:
            interfaces = await instance.interfaces()
        # Before the SSH server is asked: both would only wait for the same processor.
        await instance.freshen()
    if readiness is Readiness.SSH and forward is not None and not instance.serves_ssh:
        await wait_for_banner(spec.name, *forward, deadline=deadline)
        timeline.reached("SSH banner read")
    functions = await instance.pci_functions()
    return GuestSession(
        name=spec.name,
        host=forward[0] if forward else None,
        port=forward[1] if forward else None,
        ip=control.ipv4 if control else None,
        interfaces=MappingProxyType({item.name: item for item in interfaces}),
        pci_mapping=MappingProxyType({item.id: item.address for item in functions if item.id}),
        accelerator=instance.accelerator,
        stages=timeline.stages,
    )


async def wait_for_address(
    spec: VmSpec, instance: Instance, deadline: Deadline
) -> tuple[GuestInterface, tuple[GuestInterface, ...]]:
    """Return the control card's interface once it has an IPv4 address, and all interfaces.

    :raises StartTimeout: it got none in time.
    """
    mac = spec.control_nic.mac if spec.control_nic else None
    while True:
        # The last question may pass the deadline: its answer tells what is missing.
        interfaces = await instance.interfaces()
        control = next((item for item in interfaces if mac and item.mac == mac), None)
        if control is not None and control.ipv4:
            return control, interfaces
        if deadline.expired:
            raise _no_address(spec, control, interfaces, deadline)
        await asyncio.sleep(ADDRESS_POLL)


def _no_address(
    spec: VmSpec,
    control: GuestInterface | None,
    interfaces: tuple[GuestInterface, ...],
    deadline: Deadline,
) -> StartTimeout:
    if control is None:
        found = (
            "The guest has no interface with the MAC address of its control card; is the "
            "driver for it in the guest?"
        )
    else:
        found = (
            f"Its control interface '{control.name}' has no IPv4 address; is DHCP on in the guest?"
        )
    names = ", ".join(f"{item.name} ({item.ipv4 or 'no address'})" for item in interfaces)
    return StartTimeout(
        f"VM '{spec.name}': the guest agent answers, but no address came within "
        f"{deadline.elapsed:.1f} s. {found}",
        Evidence(
            vm=spec.name,
            stage="waiting for the address of host_connect",
            waited=deadline.elapsed,
            facts=[f"Guest interfaces: {names or 'none'}"],
        ),
    )
