"""Knowing by events, not by polling, when the guest agent is there."""

from __future__ import annotations

import asyncio

from DtsVirtLibrary.errors import AgentClosed, AgentError, AgentTimeout, Evidence
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.qemu.agent.agent import Agent
from DtsVirtLibrary.qemu.names import AGENT_CHARDEV, AGENT_PORT
from DtsVirtLibrary.qemu.qmp.monitor import Monitor
from DtsVirtLibrary.qemu.qmp.replies import CHARDEVS, ask
from DtsVirtLibrary.results import MonitorEvent
from DtsVirtLibrary.timeline import Timeline

# QEMU sends VSERPORT_CHANGE at most once a second for a port, so a close and an open in
# one second (a reboot) can hide: then frontend-open is read instead.
EVENT_LIMIT = 1.0
# No event tells that the old boot is over, so its id is asked for again.
BOOT_POLL = 0.1


async def agent_port_open(monitor: Monitor) -> bool:
    """Ask QEMU whether the guest holds the agent's port open."""
    reply = await ask(monitor, "query-chardev", CHARDEVS)
    return any(chardev["label"] == AGENT_CHARDEV and chardev["frontend-open"] for chardev in reply)


class AgentReadiness:
    """Follows the guest's side of the agent port."""

    def __init__(self, vm: str, monitor: Monitor, agent: Agent) -> None:
        self._vm = vm
        self._monitor = monitor
        self._agent = agent
        self._open = asyncio.Event()
        monitor.on_event(self._note)

    @property
    def connected(self) -> bool:
        """Whether the guest holds the port open, as far as events told."""
        return self._open.is_set()

    def _note(self, event: MonitorEvent) -> None:
        if event.name == "VSERPORT_CHANGE" and event.data.get("id") == AGENT_PORT:
            if event.data.get("open"):
                self._open.set()
            else:
                self._closed("the guest closed the agent's port")
        elif event.name == "RESET":
            self._closed("the guest was reset")

    def _closed(self, reason: str) -> None:
        self._open.clear()
        self._agent.reset(reason)

    async def wait(self, deadline: Deadline, timeline: Timeline) -> None:
        """Return when the guest opened the port and the agent answered a sync.

        One that closes the port before it has answered, as in a reboot, is waited for again.

        :raises AgentTimeout: it did not in time; the text tells how far it came.
        :raises AgentClosed: the connection to QEMU ended.
        """
        while True:
            await self._wait_open(deadline)
            timeline.reached("agent port opened")
            try:
                await self._agent.synchronize(deadline)
            except AgentClosed:
                if self._agent.closed:
                    raise
            else:
                timeline.reached("agent answered")
                return

    async def wait_for_boot(self, old_boot: str, deadline: Deadline) -> None:
        """Return when the agent answers from another boot than `old_boot`.

        :raises AgentTimeout: it did not in time.
        """
        while True:
            await self._wait_open(deadline)
            try:
                await self._agent.synchronize(deadline)
                if await self._agent.boot_id(timeout=deadline.at_most(10.0)) != old_boot:
                    return
            except AgentTimeout:
                raise
            except AgentError:
                # The guest went down under the question: that is what is waited for.
                pass
            if deadline.expired:
                raise self._timeout(deadline, "The guest is still in its old boot.")
            await asyncio.sleep(deadline.at_most(BOOT_POLL))

    async def _wait_open(self, deadline: Deadline) -> None:
        while not self._open.is_set():
            try:
                await asyncio.wait_for(self._open.wait(), deadline.at_most(EVENT_LIMIT))
            except (TimeoutError, asyncio.TimeoutError):
                if await agent_port_open(self._monitor):
                    self._open.set()
                elif deadline.expired:
                    raise self._timeout(
                        deadline,
                        "The guest never opened the agent's port: it is still booting, or "
                        "qemu-guest-agent is not installed or not started in it.",
                    ) from None

    def _timeout(self, deadline: Deadline, found: str) -> AgentTimeout:
        return AgentTimeout(
            f"VM '{self._vm}': the guest agent did not answer within {deadline.elapsed:.1f} s. "
            f"{found}",
            Evidence(vm=self._vm, stage="waiting for the guest agent", waited=deadline.elapsed),
        )
