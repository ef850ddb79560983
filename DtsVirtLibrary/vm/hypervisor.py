"""What a VM asks of a hypervisor.

:class:`Hypervisor` starts processes, :class:`Instance` is one of them from its launch to
its end. QEMU is the first implementation; nothing in this room or above it names one.
All methods are coroutines on the library's loop unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.results import (
    CommandResult,
    GuestAccess,
    GuestInterface,
    GuestLoss,
    MonitorEvent,
    PciFunction,
    TemplateInfo,
    VmDisplay,
)
from DtsVirtLibrary.spec import Device, Disk, Login, VmSpec
from DtsVirtLibrary.timeline import Timeline

# Takes files worth keeping, by name.
Keep = Callable[[Mapping[str, bytes]], Awaitable[None]]


class GuestAgent(Protocol):
    """The guest's agent: it works with no network."""

    async def ping(self, *, timeout: float) -> float:
        """Return the round trip in seconds."""

    async def interfaces(self, *, timeout: float) -> tuple[GuestInterface, ...]:
        """Return the guest's network interfaces with their addresses."""

    async def run(
        self, command: str | Sequence[str], *, timeout: float, stdin: bytes | None = None
    ) -> CommandResult:
        """Run a command; text goes through the guest's shell, a list does not."""

    async def put_file(
        self, data: bytes, path: str, *, timeout: float, mode: int | None = None
    ) -> None:
        """Write a file in the guest, replacing it."""

    async def get_file(self, path: str, *, timeout: float) -> bytes:
        """Return a file of the guest."""

    async def boot_id(self, *, timeout: float) -> str:
        """Return what tells this boot of the guest from every other."""

    async def shutdown(self, mode: str, *, timeout: float) -> None:
        """Ask for ``powerdown``, ``reboot`` or ``halt``; success has no answer."""


class Instance(Protocol):
    """One started VM process."""

    @property
    def spec(self) -> VmSpec:
        """What it is made of now, with what was plugged in."""

    @property
    def argv(self) -> Sequence[str]:
        """The command line that was started."""

    @property
    def pid(self) -> int:
        """Process id on the host."""

    @property
    def accelerator(self) -> str:
        """``kvm`` or ``tcg``."""

    @property
    def notes(self) -> Sequence[str]:
        """Translations and warnings made for this start, a log line each."""

    @property
    def forward(self) -> tuple[str, int] | None:
        """Host address and port that lead to the guest's SSH server."""

    @property
    def exit_code(self) -> int | None:
        """How the process ended (negative: signal); None while it runs."""

    @property
    def end_reason(self) -> str | None:
        """Why the guest ended, as far as the hypervisor said so."""

    @property
    def agent(self) -> GuestAgent:
        """The guest agent."""

    @property
    def has_agent(self) -> bool:
        """Whether the VM has a channel for the agent."""

    @property
    def agent_connected(self) -> bool:
        """Whether the guest's side of the agent's channel is open."""

    @property
    def lost(self) -> bool:
        """Whether something keeps the guest from going on now, though the process lives."""

    @property
    def unasked_resets(self) -> Sequence[str]:
        """The resets since the launch that no keyword asked for, a line each."""

    @property
    def last_events(self) -> str:
        """The hypervisor's newest events with their times, in one line; empty without any."""

    async def wait_lost(self) -> GuestLoss:
        """Return what keeps the guest from going on, at once if something does already.

        A reset that nobody asked for counts too, but only one that is yet to come.
        """

    async def take_surprises(self) -> Sequence[str]:
        """Return what happened unasked since the last call, a line each."""

    async def backend_connected(self, card: str) -> bool:
        """Return whether the back end of a network card, a process of its own, is connected.

        :raises ConfigError: there is no such card.
        """

    def on_reset(self, function: Callable[[], None]) -> None:
        """Call `function` whenever the guest is reset or panics; not a coroutine."""

    def expect_reset(self) -> None:
        """The resets from now on are asked for, until :meth:`settle`; not a coroutine."""

    def settle(self) -> None:
        """The guest has come up: its next reset is a surprise; not a coroutine."""

    async def process_state(self) -> str:
        """Say what the kernel does with the process: ``S (sleeping)``; empty if it is gone."""

    async def wait_for_agent(self, deadline: Deadline, timeline: Timeline) -> None:
        """Return when the guest agent has answered."""

    async def wait_for_boot(self, old_boot: str, deadline: Deadline) -> None:
        """Return when the agent answers from another boot than `old_boot`."""

    @property
    def serves_ssh(self) -> bool:
        """Whether the guest's SSH server is known to answer, as in a clone's template."""

    async def interfaces(self) -> tuple[GuestInterface, ...]:
        """Return the guest's network interfaces with their addresses."""

    async def save_template(self, *, serves_ssh: bool) -> None:
        """Save a VM that :meth:`Hypervisor.launch_source` started, and leave it stopped.

        :param serves_ssh: its SSH server has answered.
        :raises TemplateError: it cannot be saved, and runs on.
        """

    async def save_snapshot(self, name: str, deadline: Deadline) -> None:
        """Save the VM's present state under a name; it runs on."""

    async def restore_snapshot(self, name: str, deadline: Deadline) -> None:
        """Bring the VM back to a snapshot of this start; its CPUs run then."""

    async def freshen(self) -> None:
        """Give the guest of a clone what must be its own: its clock, its name."""

    async def prepare_login(self, login: Login) -> GuestAccess:
        """Make the guest let `login` in over SSH, and return what it takes to get in."""

    async def wait_closed(self) -> int:
        """Wait until the process has ended and return its exit code."""

    async def status(self) -> str:
        """Return the hypervisor's word: ``running``, ``paused``, ``guest-panicked``, ..."""

    async def power_button(self) -> None:
        """Press the ACPI power button."""

    async def quit(self) -> None:
        """Ask the process to end at once."""

    def send_signal(self, number: int) -> None:
        """Send the process a signal; not a coroutine."""

    async def pause(self) -> None:
        """Stop the CPUs."""

    async def resume(self) -> None:
        """Let the CPUs run."""

    async def reset(self) -> None:
        """Press the reset button."""

    async def execute(
        self, command: str, arguments: Mapping[str, Any] | None, *, timeout: float
    ) -> Any:
        """Run a command of the machine monitor and return what it returns."""

    async def human(self, line: str, *, timeout: float) -> str:
        """Run a line of the human monitor and return its text."""

    async def wait_for_event(
        self, names: Collection[str], *, deadline: Deadline, since: float = 0.0
    ) -> MonitorEvent:
        """Return the first event of one of these names after `since` seconds of the launch."""

    async def pci_functions(self) -> tuple[PciFunction, ...]:
        """Return the guest's PCI functions."""

    async def guest_pci_address(self, device: str) -> str:
        """Return a device's address in the guest, by its id or its address on the host."""

    async def plug(self, device: Device | Disk) -> str:
        """Plug a device into the running VM and return its id."""

    async def unplug(self, device_id: str, deadline: Deadline) -> None:
        """Unplug a device; return when the guest has let it go."""

    async def display(self) -> VmDisplay:
        """Return where the VNC display is.

        :raises VmStateError: there is none.
        """

    async def screenshot(self) -> bytes:
        """Return the display's picture as PNG."""

    async def tails(self) -> tuple[str, str]:
        """Return the last lines of the process's stderr and of the serial console."""

    async def collect(self) -> Mapping[str, bytes]:
        """Return the files worth keeping of this start, by name."""

    async def keep(self) -> None:
        """Let the process outlive the runner."""

    async def release(self) -> None:
        """Close the channels and give back what the start took. Quiet the second time."""


class Hypervisor(Protocol):
    """Starts VMs on one host."""

    async def command_line(self, spec: VmSpec) -> tuple[Sequence[str], str]:
        """Return the command line as a list and as shell text; nothing is started."""

    async def launch(
        self,
        spec: VmSpec,
        deadline: Deadline,
        timeline: Timeline,
        keep: Keep,
    ) -> Instance:
        """Start the VM and return once its CPUs run.

        Whatever fails, nothing stays behind; the error carries what the process said, and
        `keep` gets the files that are worth keeping.
        """

    async def launch_clone(
        self, spec: VmSpec, deadline: Deadline, timeline: Timeline, keep: Keep
    ) -> Instance:
        """Start a clone of the specification's template and return once its CPUs run.

        :raises TemplateMissing: there is none yet.
        :raises TemplateError: none can be made of it, or the one there is cannot serve.
        """

    async def launch_source(
        self, spec: VmSpec, deadline: Deadline, timeline: Timeline, keep: Keep
    ) -> Instance | None:
        """Boot a VM that can be saved as the specification's template.

        Returns None if somebody else has made the template meanwhile.

        :raises TemplateError: no template can be made; the text says why.
        """

    async def save_running(self, spec: VmSpec, instance: Any, deadline: Deadline) -> None:
        """Save a running VM, as it is now, as the specification's template; it runs on.

        :param instance: one of this hypervisor's.
        :raises TemplateError: no template can be made; the text says why.
        :raises VmStateError: it was started cold, or has other devices now.
        """

    async def templates(self) -> tuple[TemplateInfo, ...]:
        """Return the templates that are stored, the one used last first."""

    async def remove_template(self, spec: VmSpec) -> bool:
        """Remove the specification's template; return whether there was one."""

    async def version(self, binary: str | None) -> str:
        """Return the hypervisor's version."""
