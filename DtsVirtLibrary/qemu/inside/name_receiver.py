"""A program in a template's guest that waits to be told its clone's name and time.

To start a program is what takes a guest longest that was just restored: under emulation all
that runs is translated anew. So the program is in the template, started and waiting, and a
clone's agent only hands it a line. It reads from a pipe that the agent holds open; where the
agent goes or closes it, the program ends and nothing is left.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import time
from dataclasses import dataclass

from DtsVirtLibrary.errors import AgentCommandError, AgentTimeout
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.qemu.agent.agent import Agent

PLACE = "/run"
SECONDS = 10.0
# The agent tells of a program's end only when asked, and each question keeps the guest from it.
FIRST_PAUSE = 0.025
LONGEST_PAUSE = 0.1
# Without a program of its own for the name, and `exec` lets the shell become the other.
WAIT = """exec 3<"$0" && rm -f "$0" && read -r name now <&3 || exit 1
echo "$name" >/proc/sys/kernel/hostname && exec date -u -s "@$now" >/dev/null
"""
UNTIL_OPEN = 'while [ -e "$0" ]; do sleep 0.05; done'


@dataclass(frozen=True)
class NameReceiver:
    """The waiting program.

    :ivar pid: its process id in the guest.
    :ivar handle: the agent's handle of the pipe that it reads from.
    """

    pid: int
    handle: int


async def start_receiver(agent: Agent) -> NameReceiver:
    """Start the program in a guest that is about to become a template.

    :raises AgentError: the guest refused.
    """
    path = f"{PLACE}/dtsvirt-{secrets.token_hex(8)}"
    made = await agent.run(["mkfifo", "-m", "600", path], timeout=SECONDS)
    if made.rc != 0:
        raise AgentCommandError(f"VM '{agent.vm}': mkfifo '{path}' failed: {made.stderr.strip()}")
    # For reading too, so that to open it waits for nobody.
    handle = int(await agent.execute("guest-file-open", {"path": path, "mode": "r+"}))
    arguments = {"path": "/bin/sh", "arg": ["-c", WAIT, path]}
    started = await agent.execute("guest-exec", arguments)
    # A pipe that was closed before it was opened would never end.
    await agent.run(["/bin/sh", "-c", UNTIL_OPEN, path], timeout=SECONDS)
    return NameReceiver(int(started["pid"]), handle)


async def dismiss_receiver(agent: Agent, receiver: NameReceiver) -> None:
    """Let the program of a guest that became no template end."""
    await agent.execute("guest-file-close", {"handle": receiver.handle})


async def tell_receiver(agent: Agent, receiver: NameReceiver, name: str) -> None:
    """Give a clone its name and the present time; return when it has both.

    :raises AgentCommandError: the program is not there, or failed.
    """
    line = f"{name} {round(time.time())}\n".encode()
    text = base64.b64encode(line).decode("ascii")
    await agent.execute("guest-file-write", {"handle": receiver.handle, "buf-b64": text})
    # This writes what the agent has buffered.
    await agent.execute("guest-file-close", {"handle": receiver.handle})
    deadline, pause = Deadline(SECONDS), FIRST_PAUSE
    while True:
        status = await agent.execute("guest-exec-status", {"pid": receiver.pid})
        if status["exited"]:
            break
        if deadline.expired:
            raise AgentTimeout(
                f"VM '{agent.vm}': the clone's name and time were not set within {SECONDS:g} s."
            )
        await asyncio.sleep(pause)
        pause = min(LONGEST_PAUSE, pause * 1.5)
    if code := status.get("exitcode", 1):
        raise AgentCommandError(
            f"VM '{agent.vm}': the clone's name and time could not be set (exit code {code})."
        )
