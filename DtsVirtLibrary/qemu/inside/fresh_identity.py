"""What makes a clone another machine than its template: its keys, its id, its seed."""

from __future__ import annotations

import secrets

from DtsVirtLibrary.errors import AgentCommandError, Evidence
from DtsVirtLibrary.printable import printable
from DtsVirtLibrary.qemu.agent.agent import Agent

SEED_BYTES = 64
# A guest under emulation may need a minute for an RSA key.
RENEW_SECONDS = 120.0
# The seed comes first, as the keys are made of it. systemd mounts a machine id of its own over
# the file where an image came without one. The keys are made beside the old ones and
# moved, so that a server that is asked meanwhile has either. A server with connections from
# before it was saved would wait for their ends before it reads its keys: so they are ended.
RENEW = """set -e
cat >/dev/urandom
tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id.new
chmod 0444 /etc/machine-id.new
id=/etc/machine-id
mv $id.new $id 2>/dev/null || { umount $id && mv $id.new $id; }
if [ -f /var/lib/dbus/machine-id ] && [ ! -L /var/lib/dbus/machine-id ]; then
    cat /etc/machine-id >/var/lib/dbus/machine-id
fi
changed=
for key in /etc/ssh/ssh_host_*_key /run/ssh_host_*_key; do
    [ -f "$key" ] || continue
    type=${key##*/ssh_host_}
    rm -f "$key.new" "$key.new.pub"
    ssh-keygen -q -t "${type%_key}" -N '' -f "$key.new"
    mv "$key.new.pub" "$key.pub"
    mv "$key.new" "$key"
    changed=yes
done
[ -n "$changed" ] || exit 0
servers=$(pidof sshd | tr ' ' '\\n' | sort -n)
first=$(echo "$servers" | head -n 1)
for server in $servers; do
    [ "$server" = "$first" ] || kill "$server" 2>/dev/null || :
done
[ -z "$first" ] || kill -HUP "$first"
"""


async def renew_identity(agent: Agent) -> None:
    """Give a Linux guest SSH host keys, a machine id and a random seed of its own.

    :raises AgentCommandError: the guest could not do it; the text has its words.
    """
    seed = secrets.token_bytes(SEED_BYTES)
    result = await agent.run(RENEW, timeout=RENEW_SECONDS, stdin=seed)
    if result.rc != 0:
        words = printable(result.stderr, 500).strip() or f"exit code {result.rc}"
        raise AgentCommandError(
            f"VM '{agent.vm}': the clone could not be given an identity of its own "
            f"(fresh_identity): {words}. It needs a shell and ssh-keygen in the guest.",
            Evidence(vm=agent.vm, action="fresh_identity"),
        )
