"""One QEMU process with its channels, as the rooms above know it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from DtsVirtLibrary.errors import AgentError
from DtsVirtLibrary.host.protocol import HostProcess, ProcessUser
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.qemu.agent.agent import Agent
from DtsVirtLibrary.qemu.inside.name_port import NamePort
from DtsVirtLibrary.qemu.qmp.monitor import Monitor
from DtsVirtLibrary.qemu.qmp.replies import STATUS, ask
from DtsVirtLibrary.qemu.start.prepared import PreparedStart
from DtsVirtLibrary.qemu.start.remains import collect, read_tails
from DtsVirtLibrary.qemu.start.resources import StartResources
from DtsVirtLibrary.results import MonitorEvent


class RunningQemu:
    """A QEMU process: what it was started with, its monitor and its guest's agent.

    :ivar spec: what the VM is made of now, with what was plugged in.
    :ivar name_port: the port on which a clone is told its name; None for none.
    :ivar notes: what is to be told of this start, a log line each.
    :ivar plugged: what each device that was plugged in took from the host, by id.
    """

    def __init__(
        self,
        start: PreparedStart,
        process: HostProcess,
        monitor: Monitor,
        agent: Agent | None,
        name_port: NamePort | None = None,
    ) -> None:
        self.spec = start.spec
        self.host = start.host
        self.process = process
        self.placement = start.placement
        self.accelerator = start.accelerator
        self.monitor = monitor
        self.name_port = name_port
        self.notes: list[str] = list(start.line.notes)
        self.plugged: dict[str, StartResources] = {}
        self._start = start
        self._agent = agent

    @property
    def argv(self) -> Sequence[str]:
        """The command line that was started."""
        return self._start.line.argv

    @property
    def account(self) -> ProcessUser | None:
        """The user that QEMU runs as, if it is not the run's own."""
        return self._start.handover.account

    @property
    def pid(self) -> int:
        """QEMU's process id on the host."""
        return self.process.identity.pid

    @property
    def exit_code(self) -> int | None:
        """How QEMU ended (negative: signal); None while it runs."""
        return self.process.exit_code

    @property
    def end_reason(self) -> str | None:
        """The reason of QMP's last SHUTDOWN event, such as ``guest-shutdown``."""
        for event in reversed(self.monitor.events):
            if event.name == "GUEST_PANICKED":
                return "guest-panicked"
            if event.name == "SHUTDOWN":
                return str(event.data.get("reason", "unknown"))
        return None

    @property
    def has_agent(self) -> bool:
        """Whether the VM has a channel for the guest agent."""
        return self._agent is not None

    @property
    def agent(self) -> Agent:
        """The guest agent.

        :raises AgentError: the VM was created without one.
        """
        if self._agent is None:
            raise AgentError(
                f"VM '{self.spec.name}' has no guest agent channel; "
                "create it with qga=enable=yes (the default)."
            )
        return self._agent

    @property
    def last_events(self) -> str:
        """The newest QMP events with their times, in one line; empty without any."""
        return self.monitor.last_events()

    async def process_state(self) -> str:
        """Say what the kernel does with QEMU: ``T (stopped)``; empty if it is gone."""
        return await self.process.state()

    async def wait_closed(self) -> int:
        """Wait until QEMU has ended and return its exit code."""
        return await self.process.wait()

    async def status(self) -> str:
        """Return QMP's run state: ``running``, ``paused``, ``guest-panicked``, ..."""
        reply = await ask(self.monitor, "query-status", STATUS)
        return str(reply["status"])

    async def power_button(self) -> None:
        """Press the ACPI power button."""
        await self.monitor.execute("system_powerdown")

    async def quit(self) -> None:
        """Ask QEMU to end at once."""
        await self.monitor.execute("quit")

    def send_signal(self, number: int) -> None:
        """Send QEMU a signal."""
        self.process.send_signal(number)

    async def pause(self) -> None:
        """Stop the CPUs."""
        await self.monitor.execute("stop")

    async def resume(self) -> None:
        """Let the CPUs run."""
        await self.monitor.execute("cont")

    async def execute(
        self, command: str, arguments: Mapping[str, Any] | None, *, timeout: float
    ) -> Any:
        """Run a QMP command and return what it returns."""
        return await self.monitor.execute(command, arguments, timeout=timeout)

    async def human(self, line: str, *, timeout: float) -> str:
        """Run a line of the human monitor and return its text."""
        return await self.monitor.human(line, timeout=timeout)

    async def wait_for_event(
        self, names: Collection[str], *, deadline: Deadline, since: float = 0.0
    ) -> MonitorEvent:
        """Return the first event of one of these names after `since` seconds of the launch."""
        return await self.monitor.wait_for_event(names, deadline=deadline, since=since)

    async def tails(self) -> tuple[str, str]:
        """Return the last lines of QEMU's stderr and of the serial console."""
        return await read_tails(self.host, self.placement)

    async def collect(self) -> Mapping[str, bytes]:
        """Return the files worth keeping.

        They are the command line as it was started, the same for pasting into a shell,
        QEMU's stderr, the serial log and the QMP transcript.
        """
        return await collect(
            self.host, self.placement, self.argv, self._start.by_hand, self.monitor
        )

    async def keep(self) -> None:
        """Let QEMU outlive the runner; its directories are removed when it ends."""
        storage = self.placement.storage
        await self.process.keep([self.placement.directory, *([storage] if storage else [])])

    async def release(self) -> None:
        """Close the channels and give back what the start took. Quiet the second time."""
        await self.monitor.close()
        if self._agent is not None:
            await self._agent.close()
        if self.name_port is not None:
            self.name_port.close()
        for taken in self.plugged.values():
            await taken.give_back()
        await self._start.resources.give_back()
