"""What a guest that goes on from a saved state has to be told: the time, and its own name."""

from __future__ import annotations

import time
from contextlib import suppress

from DtsVirtLibrary.errors import AgentCommandError
from DtsVirtLibrary.qemu.agent.agent import Agent
from DtsVirtLibrary.qemu.inside.name_port import NamePort
from DtsVirtLibrary.spec import VmSpec

FRESHEN_SECONDS = 10.0
# The guest's own name and clock in one go; each program started costs tens of milliseconds.
FRESHEN = 'hostname "$0" && date -u -s "@$1" >/dev/null'


async def freshen(agent: Agent, spec: VmSpec, port: NamePort | None = None) -> None:
    """Give a restored guest its clock and, if it is an embedded one, its own name.

    :param port: where a program in the guest waits for them.
    :raises AgentError: the guest refused.
    """
    if port is not None:
        with suppress(AgentCommandError):
            await port.tell(spec.name)
            return
    if spec.boot.guest is None:
        await agent.set_time(time.time_ns(), timeout=FRESHEN_SECONDS)
        return
    now = str(round(time.time()))
    await agent.run(["sh", "-c", FRESHEN, spec.name, now], timeout=FRESHEN_SECONDS)
