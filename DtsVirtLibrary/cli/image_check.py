"""``dtsvirt guest check``: what a disk image lacks of the guest's preparation.

The image is booted on a throw-away overlay and asked: only that proves that agent, address
and SSH server come up by themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from DtsVirtLibrary.cli.findings import Finding, Status
from DtsVirtLibrary.config import Parameters, entries_from_value
from DtsVirtLibrary.errors import AgentError, DtsVirtError, HostError, StartTimeout
from DtsVirtLibrary.guest.banner import wait_for_banner
from DtsVirtLibrary.host.protocol import Host
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.qemu.hypervisor import QemuHypervisor
from DtsVirtLibrary.qemu.start.facts import GuestFiles, QemuSettings
from DtsVirtLibrary.results import GuestInterface, Readiness
from DtsVirtLibrary.spec import Origin, VmSpec
from DtsVirtLibrary.timeline import Timeline
from DtsVirtLibrary.vm.artifacts import ArtifactStore
from DtsVirtLibrary.vm.context import MachineContext
from DtsVirtLibrary.vm.hypervisor import Hypervisor, Instance
from DtsVirtLibrary.vm.machine import Machine
from DtsVirtLibrary.vm.readiness import wait_for_address

ACTION = "dtsvirt guest check"
CONTROL_NAME = "host_connect"
COMMAND_SECONDS = 120.0
MEBIBYTES = 1024

AGENT_REMEDY = (
    "install qemu-guest-agent in the guest and have it started at the boot; if the guest may not"
    " have booted at all, look at its display (vnc parameter) or try --format"
)
SSH_REMEDY = "install openssh-server, have it started at the boot, and let nothing block port 22"
ADDRESS_REMEDY = "have DHCP on that interface at the boot (docs/guest.md shows one way)"
NAME_REMEDY = "add the udev rule of docs/guest.md, which names the card in slot 1f (1e on q35)"
FIREWALL_REMEDY = "switch it off at the boot, such as: systemctl disable --now {}"
EXEC_REMEDY = "allow guest-exec in the agent's configuration; Execute In Guest needs it too"
SERIAL_REMEDY = "add console=ttyS0 to the kernel's command line; failed starts then show its end"

# Prints a line for every firewall that is on, and every rule that keeps packets out.
FIREWALLS = """
for service in firewalld ufw; do
    systemctl is-active --quiet $service 2>/dev/null && echo $service
done
{ nft list ruleset; iptables -S; } 2>/dev/null | grep -iqwE 'drop|reject' && echo nftables
true
"""


async def check_image(
    host: Host, image: str, image_format: str | None, seconds: float
) -> list[Finding]:
    """Boot `image` on an overlay and return what it has and lacks.

    :param image_format: ``qcow2``, ``raw``, ...; None decides by the name.
    :param seconds: deadline for everything that is waited for.
    :raises ImageError: the image is missing or of another format.
    :raises DtsVirtError: the VM could not be started, or ended meanwhile.
    """

    async def no_guest(flavour: str) -> GuestFiles:
        raise AssertionError(f"A VM with a disk does not boot the guest '{flavour}'.")

    hypervisor = QemuHypervisor(host, QemuSettings(), no_guest)
    return await examine(host, hypervisor, _parameters(image, image_format), seconds)


async def examine(
    host: Host, hypervisor: Hypervisor, parameters: Parameters, seconds: float
) -> list[Finding]:
    """Start a VM and return what its guest has and lacks; nothing of the VM stays."""
    directory = await host.private_directory("check")
    artifacts = ArtifactStore(host, Path(directory))
    machine = Machine("image", parameters, MachineContext(hypervisor, host, artifacts, "check"))
    try:
        await machine.start(Readiness.PROCESS, seconds)
        deadline = Deadline(seconds)
        return await machine.use(
            ACTION, lambda instance: _look(instance.spec, instance, deadline), needs_guest=True
        )
    finally:
        await machine.kill()
        await host.remove(directory)


def as_lines(findings: Sequence[Finding]) -> list[str]:
    """Return the findings for people: a line each, its remedy below it, and a verdict."""
    lines = []
    for finding in findings:
        lines.append(f"{finding.status.value:<8} {finding.name}: {finding.text}")
        if finding.remedy:
            lines.append(f"         -> {finding.remedy}")
    missing = [finding.name for finding in findings if finding.status is Status.MISSING]
    if missing:
        return [*lines, f"The image lacks: {', '.join(missing)}."]
    return [*lines, "The image is prepared."]


def _parameters(image: str, image_format: str | None) -> Parameters:
    disk = {"file": image, "overlay": "yes"}
    if image_format is not None:
        disk["opt_format"] = image_format
    made = Parameters()
    for name, value in (("disk", disk), ("mem", {"size": str(MEBIBYTES)})):
        made.set(name, entries_from_value(name, value, Origin(ACTION)))
    return made


async def _look(spec: VmSpec, instance: Instance, deadline: Deadline) -> list[Finding]:
    by_agent, ssh = await asyncio.gather(
        _by_agent(spec, instance, deadline), _ssh(spec, instance, deadline)
    )
    return [*by_agent, ssh, await _serial(instance)]


async def _by_agent(spec: VmSpec, instance: Instance, deadline: Deadline) -> list[Finding]:
    try:
        await instance.wait_for_agent(deadline, Timeline())
    except AgentError as error:
        unknown = "cannot be asked without the agent"
        return [
            _missing("guest agent", _short(error), AGENT_REMEDY),
            _note("address", unknown),
            _note("interface name", unknown),
            _note("firewall", unknown),
        ]
    agent = _ok("guest agent", f"answered after {deadline.elapsed:.0f} s")
    return [agent, *await _network(spec, instance, deadline), await _firewall(instance)]


async def _network(spec: VmSpec, instance: Instance, deadline: Deadline) -> list[Finding]:
    try:
        control, _ = await wait_for_address(spec, instance, deadline)
    except StartTimeout as error:
        found = await _control_interface(spec, instance)
        address = _missing("address", _short(error), ADDRESS_REMEDY)
        if found is None:
            return [address, _note("interface name", "the card has no driver in the guest")]
        return [address, _interface_name(found)]
    return [_ok("address", f"{control.ipv4} by DHCP"), _interface_name(control)]


async def _control_interface(spec: VmSpec, instance: Instance) -> GuestInterface | None:
    mac = spec.control_nic.mac if spec.control_nic else None
    interfaces = await instance.agent.interfaces(timeout=COMMAND_SECONDS)
    return next((item for item in interfaces if item.mac == mac), None)


def _interface_name(control: GuestInterface) -> Finding:
    if control.name == CONTROL_NAME:
        return _ok("interface name", CONTROL_NAME)
    text = f"the card is named '{control.name}', not {CONTROL_NAME}"
    return _missing("interface name", text, NAME_REMEDY)


async def _firewall(instance: Instance) -> Finding:
    try:
        result = await instance.agent.run(FIREWALLS, timeout=COMMAND_SECONDS)
    except AgentError as error:
        return _note("firewall", f"not known: {_short(error)}", EXEC_REMEDY)
    if services := result.stdout.split():
        text = f"{', '.join(services)} keeps packets out, or may do so"
        return _missing("firewall", text, FIREWALL_REMEDY.format(" ".join(services)))
    return _ok("firewall", "none is on")


async def _ssh(spec: VmSpec, instance: Instance, deadline: Deadline) -> Finding:
    if instance.forward is None:
        raise HostError(f"VM '{spec.name}' has no way to the guest's SSH server.")
    try:
        banner = await wait_for_banner(spec.name, *instance.forward, deadline=deadline)
    except DtsVirtError as error:
        return _missing("SSH server", _short(error), SSH_REMEDY)
    return _ok("SSH server", banner)


async def _serial(instance: Instance) -> Finding:
    _, serial = await instance.tails()
    if serial.strip():
        return _ok("serial console", "the guest writes to it")
    return _note("serial console", "nothing was written to it (optional)", SERIAL_REMEDY)


def _short(error: DtsVirtError) -> str:
    """Return an error's first line without the name of a VM that the user does not know."""
    return error.summary.removeprefix("VM 'image': ")


def _ok(name: str, text: str) -> Finding:
    return Finding("image", name, Status.OK, text)


def _missing(name: str, text: str, remedy: str) -> Finding:
    return Finding("image", name, Status.MISSING, text, remedy)


def _note(name: str, text: str, remedy: str = "") -> Finding:
    return Finding("image", name, Status.NOTE, text, remedy)
