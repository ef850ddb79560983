"""Boots guests with a bare command line, so that what fails is the guest and nothing else."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.host.protocol import HostProcess, Spawn
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.qemu.agent.agent import Agent
from DtsVirtLibrary.qemu.agent.readiness import AgentReadiness
from DtsVirtLibrary.qemu.names import AGENT_PORT, AGENT_PORT_NAME
from DtsVirtLibrary.qemu.qmp.monitor import Monitor
from DtsVirtLibrary.timeline import Timeline

# Under TCG on a busy machine a guest takes many times what it takes on an idle one.
BOOT_SECONDS = 300.0
MONITOR_FD, AGENT_FD = 3, 4
BASE = (
    "qemu-system-x86_64 -nodefaults -no-user-config -display none -accel tcg -cpu max -m 512 -S "
    f"-chardev socket,id=mon,fd={MONITOR_FD} -mon chardev=mon,mode=control "
    f"-chardev socket,id=agent,fd={AGENT_FD} -device virtio-serial-pci "
    f"-device virtserialport,chardev=agent,id={AGENT_PORT},name={AGENT_PORT_NAME} "
    "-netdev user,id=control,hostfwd=tcp:127.0.0.1:0-:22"
).split()


@dataclass
class Booted:
    """A guest whose agent has answered."""

    process: HostProcess
    monitor: Monitor
    agent: Agent
    readiness: AgentReadiness
    serial: Path

    async def sh(self, script: str) -> str:
        """Run a shell script in the guest and return what it printed; it must succeed."""
        result = await self.agent.run(["/bin/sh", "-c", script], timeout=BOOT_SECONDS)
        assert result.rc == 0, (script, result)
        return result.stdout

    async def ssh_port(self) -> int:
        """Return the port of the host that leads to the guest's SSH server."""
        text = await self.monitor.human("info usernet")
        found = re.search(r"HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)", text)
        assert found, text
        return int(found[1])


@asynccontextmanager
async def booted(
    host: LocalHost, directory: Path, arguments: Sequence[str]
) -> AsyncIterator[Booted]:
    """Boot a guest, yield it once its agent answers, and end it."""
    serial = directory / "serial.log"
    ours, theirs = zip(socket.socketpair(), socket.socketpair(), strict=True)
    process = await host.spawn(
        Spawn(
            argv=[*BASE, "-serial", f"file:{serial}", *arguments],
            stdout=directory / "stderr.log",
            stderr=directory / "stderr.log",
            sockets={MONITOR_FD: theirs[0], AGENT_FD: theirs[1]},
        )
    )
    for end in theirs:
        end.close()
    monitor, agent = Monitor("guest"), Agent("guest", ours[1])
    deadline = Deadline(BOOT_SECONDS)
    try:
        await monitor.connect(ours[0], deadline)
        readiness = AgentReadiness("guest", monitor, agent)
        await monitor.execute("cont")
        await readiness.wait(deadline, Timeline())
        yield Booted(process, monitor, agent, readiness, serial)
    except BaseException:
        print((directory / "stderr.log").read_text(), serial.read_text(errors="replace")[-3000:])
        raise
    finally:
        process.send_signal(9)
        await process.wait()
        await agent.close()
        await monitor.close()


async def ended(guest: Booted) -> int:
    """Return the exit code of a guest that is shutting down."""
    return await asyncio.wait_for(guest.process.wait(), BOOT_SECONDS)
