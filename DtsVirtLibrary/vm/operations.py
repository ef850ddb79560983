"""What is done with one running VM beyond starting and stopping it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from DtsVirtLibrary.errors import AgentError, ConfigError, nearest
from DtsVirtLibrary.guest.banner import wait_for_banner
from DtsVirtLibrary.host.protocol import Host
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.results import GuestAccess, GuestInterface, Readiness, VmStatus
from DtsVirtLibrary.spec import Login
from DtsVirtLibrary.timeline import Timeline
from DtsVirtLibrary.vm.hypervisor import Instance
from DtsVirtLibrary.vm.machine import Machine
from DtsVirtLibrary.vm.passwords import with_passwords
from DtsVirtLibrary.vm.readiness import wait_until_ready

AGENT_SECONDS = 10.0


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


async def capture_screenshot(
    machine: Machine, runner: Host, file: Path | None
) -> tuple[Path, bytes]:
    """Save the display's picture and return its path and the PNG's bytes."""
    picture = await machine.use("Capture VM Screenshot", lambda instance: instance.screenshot())
    assert machine.artifacts is not None
    path = machine.artifacts.next_picture() if file is None else file
    await runner.make_directory(path.parent)
    await runner.write_bytes(path, picture, mode=0o644)
    return path, picture


async def pause(machine: Machine) -> None:
    """Stop the CPUs; one that is paused already stays so."""
    await machine.use("Pause VM", lambda instance: instance.pause())
    _note_status(machine, VmStatus.PAUSED)


async def resume(machine: Machine) -> None:
    """Let the CPUs run again."""
    await machine.use("Resume VM", lambda instance: instance.resume())
    _note_status(machine, VmStatus.RUNNING)


def _note_status(machine: Machine, status: VmStatus) -> None:
    if machine.started:
        machine.status = status


async def reset(machine: Machine) -> None:
    """Press the reset button."""
    await machine.use("Reset VM", lambda instance: instance.reset())


async def reboot(machine: Machine, seconds: float) -> None:
    """Reboot the guest by its agent and wait until the new boot is as ready as the start was.

    :raises AgentTimeout: the agent did not come back in time.
    :raises StartTimeout: the control card got no address in time.
    :raises SshTimeout: the SSH server did not come back in time.
    """
    deadline = Deadline(seconds)

    async def work(instance: Instance) -> None:
        old_boot = await instance.agent.boot_id(timeout=AGENT_SECONDS)
        instance.expect_reset()
        await instance.agent.shutdown("reboot", timeout=AGENT_SECONDS)
        await instance.wait_for_boot(old_boot, deadline)
        await _ready_again(machine, instance, deadline)

    await machine.use("Reboot Guest", work, needs_guest=True)


async def wait_until_ready_again(machine: Machine, seconds: float) -> None:
    """Wait until the guest is as ready as it was after its start.

    :raises AgentTimeout: the agent did not answer in time.
    :raises StartTimeout: the control card got no address in time.
    :raises SshTimeout: the SSH server showed no banner in time.
    """
    deadline = Deadline(seconds)

    async def work(instance: Instance) -> None:
        # Who waits for the guest expects it to boot, however that came about.
        instance.expect_reset()
        await _ready_again(machine, instance, deadline)

    await machine.use("Wait Until Guest Is Ready", work, needs_guest=True)


async def wait_for_login(machine: Machine) -> None:
    """Wait until the guest's SSH server answers.

    :raises ConfigError: the VM has no way in for SSH.
    :raises SshTimeout: the SSH server showed no banner in time.
    """
    spec = machine.specification()
    if machine.session is None or machine.session.port is None:
        raise ConfigError(
            f"VM '{machine.name}' has no network card with a user network, so there is no way in "
            "for SSH. Leave the parameter net out, or give it type=nic and type=user."
        )
    deadline = Deadline(spec.timeouts.login)

    async def work(instance: Instance) -> None:
        # A clone's server answers at once when it is started, but may have been ended since.
        if instance.forward is not None:
            await wait_for_banner(spec.name, *instance.forward, deadline=deadline)

    await machine.use("Log In To VM", work, needs_guest=True)


async def prepare_login(host: Host, machine: Machine) -> tuple[Login, GuestAccess]:
    """Make the guest let the configured login in; return that, and what it takes to get in.

    The host keys are those of the first login since the guest booted.

    :raises AgentCommandError: the guest refused the configured password.
    """
    login = (await with_passwords(host, machine.specification())).login
    found = await machine.use(
        "SSH login", lambda instance: instance.prepare_login(login), needs_guest=True
    )
    return replace(login, key=found.key), machine.host_keys.hold(found)


async def _ready_again(machine: Machine, instance: Instance, deadline: Deadline) -> None:
    machine.session = await wait_until_ready(
        machine.specification(),
        instance,
        Readiness.SSH if machine.uses_ssh else Readiness.AGENT,
        deadline,
        Timeline(),
    )
