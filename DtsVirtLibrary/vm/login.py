"""Logging in to a VM: waiting for its SSH server, and what it takes to get in."""

from __future__ import annotations

from dataclasses import replace

from DtsVirtLibrary.errors import ConfigError
from DtsVirtLibrary.guest.banner import wait_for_banner
from DtsVirtLibrary.host.protocol import Host
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.results import GuestAccess
from DtsVirtLibrary.spec import Login
from DtsVirtLibrary.vm.hypervisor import Instance
from DtsVirtLibrary.vm.machine import Machine
from DtsVirtLibrary.vm.passwords import with_passwords


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
