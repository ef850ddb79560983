"""One QEMU process from its launch to its end: implements the hypervisor protocol's Instance."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from DtsVirtLibrary.errors import (
    AgentCommandError,
    AgentError,
    TemplateError,
)
from DtsVirtLibrary.host.protocol import HostProcess
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.qemu.agent.agent import Agent
from DtsVirtLibrary.qemu.agent.readiness import AgentReadiness
from DtsVirtLibrary.qemu.hotplug import plugging
from DtsVirtLibrary.qemu.inside import access
from DtsVirtLibrary.qemu.inside.fresh_identity import renew_identity
from DtsVirtLibrary.qemu.inside.freshen import freshen
from DtsVirtLibrary.qemu.inside.late_cards import wait_for_cards
from DtsVirtLibrary.qemu.inside.name_port import NamePort
from DtsVirtLibrary.qemu.qmp.monitor import Monitor
from DtsVirtLibrary.qemu.qmp.replies import PCI_BUSES, ask
from DtsVirtLibrary.qemu.running import display
from DtsVirtLibrary.qemu.running.back_end_connections import BackEndConnections
from DtsVirtLibrary.qemu.running.guest_state import GuestState
from DtsVirtLibrary.qemu.running.pci import guest_address, pci_functions, unnumbered_bridges
from DtsVirtLibrary.qemu.running.qemu import RunningQemu
from DtsVirtLibrary.qemu.running.snapshots import Snapshots
from DtsVirtLibrary.qemu.running.usernet import ssh_forward
from DtsVirtLibrary.qemu.start.prepared import PreparedStart
from DtsVirtLibrary.qemu.start.remains import disk_room
from DtsVirtLibrary.qemu.templates.draft import TemplateDraft
from DtsVirtLibrary.qemu.templates.inheritance import Inheritance
from DtsVirtLibrary.qemu.templates.manifest import GuestAsSaved
from DtsVirtLibrary.results import (
    GuestAccess,
    GuestInterface,
    GuestLoss,
    LossKind,
    PciFunction,
    VmDisplay,
)
from DtsVirtLibrary.spec import Device, Disk, HostPciDevice, Login, Nic
from DtsVirtLibrary.timeline import Timeline

LOGGER = logging.getLogger("DtsVirtLibrary.qemu")
# The agent has just answered; a guest that lives answers this in milliseconds.
BOOT_SECONDS = 1.0


class QemuInstance(RunningQemu):
    """A QEMU process whose CPUs run, with its channels and its directory."""

    def __init__(
        self,
        start: PreparedStart,
        process: HostProcess,
        monitor: Monitor,
        agent: Agent | None,
        name_port: NamePort | None = None,
    ) -> None:
        super().__init__(start, process, monitor, agent, name_port)
        self.forward: tuple[str, int] | None = None
        self._snapshots = Snapshots(self)
        self.draft: TemplateDraft | None = None
        self.inherited = Inheritance(monitor)
        # Ids of cards that the guest of a clone has yet to find.
        self._unmet: set[str | None] = set()
        self._readiness = AgentReadiness(start.spec.name, monitor, agent) if agent else None
        self._state = GuestState(monitor)
        self._backends = BackEndConnections(self)
        self._noting: asyncio.Task[None] | None = None
        self._display_password: str | None = None

    @property
    def agent_connected(self) -> bool:
        """Whether the guest holds the agent's port open."""
        return self._readiness is not None and self._readiness.connected

    async def wait_lost(self) -> GuestLoss:
        """Return what keeps the guest from going on, or a reset that nobody asked for."""
        loss = await self._state.wait_lost()
        if loss.kind is not LossKind.IO_ERROR:
            return loss
        room = await disk_room(self.host, self.spec, self.placement, self._state.failed_disk)
        return replace(loss, facts=(*loss.facts, *room))

    @property
    def lost(self) -> bool:
        """Whether something keeps the guest from going on now."""
        return self._state.loss is not None

    @property
    def unasked_resets(self) -> Sequence[str]:
        """The resets of this start that no keyword asked for, a line each."""
        return self._state.unasked_resets

    async def take_surprises(self) -> Sequence[str]:
        """Return what happened unasked since the last call, a line each."""
        return [*self._state.take_surprises(), *await self._backends.take_losses()]

    async def backend_connected(self, card: str) -> bool:
        """Return whether a card's vhost-user back end is connected."""
        return await self._backends.connected(card)

    def on_reset(self, function: Callable[[], None]) -> None:
        """Call `function` on the loop whenever the guest is reset or panics."""
        ends = ("RESET", "GUEST_PANICKED")
        self.monitor.on_event(lambda event: function() if event.name in ends else None)

    def expect_reset(self) -> None:
        """The resets from now on are asked for, until :meth:`settle`."""
        self._state.expect_reset()

    def settle(self) -> None:
        """The guest has come up, so its next reset is a surprise; learn which boot this is."""
        self._state.settle()
        if self._state.boot is None and self.agent_connected and self._noting is None:
            self._noting = asyncio.ensure_future(self._note_boot())

    async def _note_boot(self) -> None:
        """Ask for the boot's id behind the keywords' back: none of them is to wait for it."""
        try:
            self._state.boot = await self.agent.boot_id(timeout=BOOT_SECONDS)
        except AgentError as error:
            LOGGER.debug("the boot's id is not known: %s", error.summary)
        finally:
            self._noting = None

    async def wait_for_agent(self, deadline: Deadline, timeline: Timeline) -> None:
        """Return when the guest agent has answered; see :class:`AgentReadiness`."""
        await self._ready_agent().wait(deadline, timeline)
        await self._meet_cards()

    async def wait_for_boot(self, old_boot: str, deadline: Deadline) -> None:
        """Return when the agent answers from another boot than `old_boot`."""
        await self._ready_agent().wait_for_boot(old_boot, deadline)

    def _ready_agent(self) -> AgentReadiness:
        if self._readiness is None:
            _ = self.agent
        assert self._readiness is not None
        return self._readiness

    @property
    def serves_ssh(self) -> bool:
        """Whether the guest's SSH server is known to answer, as that of a clone at its start."""
        return self.inherited.serves_ssh and self._state.as_saved

    async def interfaces(self) -> tuple[GuestInterface, ...]:
        """Return the guest's network interfaces."""
        return self.inherited.interfaces() or await self.agent.interfaces()

    async def come_from(self, saved: GuestAsSaved, later: Sequence[Nic]) -> None:
        """Take what is known of the guest's template, whose state was loaded.

        :param later: cards that the clone gets and the template has not; they are plugged in.
        """
        fresh = self.spec.fresh_identity
        self.inherited.take(saved, with_others=bool(later), fresh_identity=fresh)
        self._unmet = {nic.id for nic in later}
        for nic in later:
            await self.plug(nic)

    async def save_template(self, *, serves_ssh: bool) -> None:
        """Save the VM as the template that it was started for, and leave it stopped.

        :raises TemplateError: it cannot be saved, and runs on.
        """
        if self.draft is None:
            raise TemplateError(f"VM '{self.spec.name}' was not started to become a template.")
        await self.draft.save(self, serves_ssh=serves_ssh)

    async def save_snapshot(self, name: str, deadline: Deadline) -> None:
        """Save the VM's present state under a name; see :class:`.snapshots.Snapshots`."""
        await self._snapshots.save(name, deadline)

    async def restore_snapshot(self, name: str, deadline: Deadline) -> None:
        """Bring the VM back to a snapshot of this start; its CPUs run then."""
        await self._snapshots.restore(name, deadline)

    async def freshen(self) -> None:
        """Give the guest of a clone what must be its own; one that has booted has it."""
        if not self.placement.restored:
            return
        try:
            port = self.name_port if self.inherited.listens() else None
            await freshen(self.agent, self.spec, port)
        except AgentCommandError as error:
            self.notes.append(f"VM '{self.spec.name}': its clock was not set: {error.summary}")
        if self.spec.fresh_identity:
            await renew_identity(self.agent)

    async def _meet_cards(self) -> None:
        """Wait, once, until the guest has the cards that a template could not hold."""
        cards = [nic for nic in self.spec.nics if nic.id in self._unmet]
        self._unmet = set()
        for card in await wait_for_cards(self.agent, cards) if cards else ():
            self.notes.append(
                f"VM '{self.spec.name}': its card '{card.id}' was plugged in, but the guest shows "
                "no interface for it. Is there a driver for it in the guest?"
            )

    async def protect_display(self) -> None:
        """Let only those look at the VNC display who know its password."""
        self._display_password = await display.protect(self.monitor, self.spec)

    async def display(self) -> VmDisplay:
        """Return where the VNC display is, with its password."""
        return await display.whereabouts(self.monitor, self.spec, self._display_password)

    async def prepare_login(self, login: Login) -> GuestAccess:
        """Make the guest let `login` in, and return what it takes to get in."""
        agent = self.agent if self.has_agent else None
        key = await access.let_in(agent, self.spec, login, self._start.login_key)
        keys: frozenset[str] | None = self.inherited.host_keys() or None
        if keys is None and self.has_agent:
            keys = await access.host_keys(self.agent, self.spec)
        return GuestAccess(key, keys, self._state.reset_at)

    async def reset(self) -> None:
        """Press the reset button; what the agent still owed is void."""
        mark = self.monitor.mark()
        self.expect_reset()
        await self.monitor.execute("system_reset")
        # QEMU answers before it resets, and the agent of the old boot would answer on.
        await self.monitor.wait_for_event(
            ["RESET"], deadline=Deadline(self.monitor.answer_seconds), since=mark
        )
        if self._agent is not None:
            self._agent.reset()

    async def pci_functions(self) -> tuple[PciFunction, ...]:
        """Return the guest's PCI functions, those behind bridges included."""
        return self._functions(await self._query_pci())

    async def _query_pci(self) -> Any:
        return await ask(self.monitor, "query-pci", PCI_BUSES)

    def _functions(self, view: Any) -> tuple[PciFunction, ...]:
        hosts = {
            device.id: device.host
            for device in self.spec.devices
            if isinstance(device, HostPciDevice)
        }
        return pci_functions(view, host_addresses=hosts)

    async def guest_pci_address(self, device: str) -> str:
        """Return a device's address in the guest, by its id or its address on the host.

        :raises ConfigError: there is no such device; the text lists those there are.
        :raises VmStateError: it may sit behind a bridge that the guest has not numbered yet.
        """
        view = await self._query_pci()
        return guest_address(self._functions(view), device, unnumbered=unnumbered_bridges(view))

    async def plug(self, device: Device | Disk) -> str:
        """Plug a device into the running VM and return its id."""
        return await plugging.plug(self, device)

    async def unplug(self, device_id: str, deadline: Deadline) -> None:
        """Unplug a device and wait until the guest has let it go."""
        await plugging.unplug(self, device_id, deadline)

    async def screenshot(self) -> bytes:
        """Return the display's picture as PNG.

        :raises VmStateError: the VM has no display.
        """
        return await display.screenshot(self)

    async def find_forward(self) -> None:
        """Learn which port QEMU bound for the guest's SSH server."""
        if self.spec.control_nic is not None:
            self.forward = ssh_forward(await self.monitor.human("info usernet"))

    async def release(self) -> None:
        """Close the channels and give back what the start took. Quiet the second time."""
        if self._noting is not None:
            self._noting.cancel()
        await super().release()
