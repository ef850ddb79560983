"""What lets the run in to a guest: its password, and the host keys of its SSH server.

Both go through the guest agent, whose channel nobody else can reach. So a password never
is on a command line, and another server that answers at the guest's port is told from it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from DtsVirtLibrary.errors import AgentCommandError, AgentError, Evidence
from DtsVirtLibrary.printable import printable
from DtsVirtLibrary.qemu.agent.agent import Agent
from DtsVirtLibrary.results import CommandResult
from DtsVirtLibrary.spec import Login, VmSpec

SECONDS = 10.0
# A guest with a distribution on its disk may be busy with its start.
SCRIPT_SECONDS = 30.0
# Whom the library's guests know.
USER = "root"
# The embedded guest's busybox has no chpasswd. Another guest is left as it is, unless it says
# by a file that the library made it; then it has no password but the configured one.
SET_PASSWORD = """
if [ -e /etc/dtsvirt-guest ]; then (printf root:; cat) | chpasswd; exit; fi
hash=$(mkpasswd -m sha512 -P 0) && sed -i "s|^root:[^:]*:|root:$hash:|" /etc/shadow
"""
IS_OURS = "test -e /etc/dtsvirt-guest"
TAKE_KEY = """set -e
usermod -p '*' root
mkdir -p /run/dtsvirt
cat >/run/dtsvirt/authorized_key
"""
EMBEDDED_HOST_KEY = "/run/ssh_host_ed25519_key.pub"
# The server itself knows where its keys are; where it is none of OpenSSH's, the usual places.
READ_HOST_KEYS = """
keys=$(sshd -T 2>/dev/null | sed -n 's/^hostkey //p')
for key in ${keys:-/etc/ssh/ssh_host_*_key}; do cat "$key.pub" 2>/dev/null; done
true
"""


@dataclass(frozen=True)
class LoginKey:
    """The user's key pair for guests that the library made.

    :ivar path: its private key file on the host.
    :ivar public: the base64 text of its public half, an ed25519 key.
    """

    path: str
    public: str


async def let_in(
    agent: Agent | None,
    spec: VmSpec,
    login: Login,
    login_key: Callable[[], Awaitable[LoginKey]],
) -> str | None:
    """Make a guest that the library made let `login` in, and no other password or key.

    Return the private key file that it takes then; None for a password, and for other guests.

    :param agent: None for a VM without one: then the embedded guest takes the key alone.
    :raises AgentCommandError: the guest refused the password or the key.
    """
    if login.key is not None:
        return login.key
    embedded = spec.boot.guest is not None
    if embedded and not (agent and login.password):
        return (await login_key()).path
    if agent is None or login.user != USER or not (embedded or await _is_ours(agent)):
        return None
    if login.password:
        await _give(agent, "password of the parameter 'login'", SET_PASSWORD, login.password)
        return None
    key = await login_key()
    await _give(
        agent, f"public half of the key {key.path}", TAKE_KEY, f"ssh-ed25519 {key.public} dtsvirt"
    )
    return key.path


async def _is_ours(agent: Agent) -> bool:
    """Tell whether a guest on a disk says that the library made it."""
    try:
        return (await agent.run(["sh", "-c", IS_OURS], timeout=SCRIPT_SECONDS)).rc == 0
    except AgentError:
        return False


async def _give(agent: Agent, what: str, script: str, line: str) -> None:
    command = ["sh", "-c", script]
    result = await agent.run(command, timeout=SCRIPT_SECONDS, stdin=f"{line}\n".encode())
    if result.rc != 0:
        raise AgentCommandError(
            f"VM '{agent.vm}': the guest refused the {what}.",
            Evidence(vm=agent.vm, action="let the run in", facts=[_said(result)]),
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
