"""What lets the run in to a guest: its password, and the host keys of its SSH server.

Both go through the guest agent, whose channel nobody else can reach. So a password never
is on a command line, and another server that answers at the guest's port is told from it.
"""

from __future__ import annotations

from DtsVirtLibrary.errors import AgentCommandError, AgentError, Evidence
from DtsVirtLibrary.printable import printable
from DtsVirtLibrary.qemu.agent.agent import Agent
from DtsVirtLibrary.results import CommandResult
from DtsVirtLibrary.spec import Login, VmSpec

SECONDS = 10.0
# A guest with a distribution on its disk may be busy with its start.
SCRIPT_SECONDS = 30.0
EMBEDDED_USER = "root"
# Its busybox has no chpasswd.
SET_PASSWORD = """
hash=$(mkpasswd -m sha512 -P 0) && sed -i "s|^root:[^:]*:|root:$hash:|" /etc/shadow
"""
EMBEDDED_HOST_KEY = "/run/ssh_host_ed25519_key.pub"
# The server itself knows where its keys are; where it is none of OpenSSH's, the usual places.
READ_HOST_KEYS = """
keys=$(sshd -T 2>/dev/null | sed -n 's/^hostkey //p')
for key in ${keys:-/etc/ssh/ssh_host_*_key}; do cat "$key.pub" 2>/dev/null; done
true
"""


async def set_password(agent: Agent, spec: VmSpec, login: Login) -> None:
    """Give root of the embedded guest the password of the configuration.

    :raises AgentCommandError: the guest refused it.
    """
    command = ["sh", "-c", SET_PASSWORD]
    line = f"{login.password}\n".encode()
    result = await agent.run(command, timeout=SECONDS, stdin=line)
    if result.rc != 0:
        raise AgentCommandError(
            f"VM '{spec.name}': the guest refused the password of the parameter 'login'. Leave "
            "it out to log in by key.",
            Evidence(vm=spec.name, action="set the password", facts=[_said(result)]),
        )


async def host_keys(agent: Agent, spec: VmSpec) -> frozenset[str] | None:
    """Return the public host keys of the guest's SSH server, None if they cannot be read."""
    try:
        if spec.boot.guest is not None:
            text = (await agent.get_file(EMBEDDED_HOST_KEY, timeout=SECONDS)).decode("ascii")
        else:
            script = ["sh", "-c", READ_HOST_KEYS]
            text = (await agent.run(script, timeout=SCRIPT_SECONDS)).stdout
    except (AgentError, UnicodeDecodeError):
        # Of a guest that cannot tell, the first key seen is the one to stay.
        return None
    fields = [line.split() for line in text.splitlines()]
    return frozenset(" ".join(field[:2]) for field in fields if len(field) >= 2) or None


def _said(result: CommandResult) -> str:
    return f"The guest said: {printable(result.stderr, 200).strip()}"
