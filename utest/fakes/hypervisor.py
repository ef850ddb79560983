"""A hypervisor without processes, whose VMs live and die as a test says."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

from DtsVirtLibrary.errors import (
    AgentClosed,
    AgentTimeout,
    MonitorClosed,
    MonitorTimeout,
    TemplateError,
    TemplateMissing,
)
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.results import (
    CommandResult,
    GuestAccess,
    GuestAddress,
    GuestInterface,
    GuestLoss,
    MonitorEvent,
    PciFunction,
    TemplateInfo,
    VmDisplay,
)
from DtsVirtLibrary.spec import Device, Disk, Login, VmSpec
from DtsVirtLibrary.timeline import Timeline
from DtsVirtLibrary.vm.warm import with_overlays

# What can end a process, in the order in which a stop tries it.
AGENT = "guest-shutdown by the agent"
BUTTON = "power button"
QUIT = "quit"
EVERYTHING = frozenset({AGENT, BUTTON, QUIT, "SIGTERM", "SIGKILL"})


class FakeAgent:
    """The agent of a guest that is well, unless `deaf`."""

    def __init__(self, instance: FakeInstance) -> None:
        self._instance = instance
        self.deaf = False
        self.boots = 1

    async def ping(self, *, timeout: float) -> float:
        await self._answer("ping")
        return 0.004

    async def interfaces(self, *, timeout: float) -> tuple[GuestInterface, ...]:
        await self._answer("interfaces")
        nic = self._instance.spec.control_nic
        address = GuestAddress("10.0.2.15", 24, "ipv4")
        return (GuestInterface("host_connect", nic.mac if nic else None, (address,)),)

    async def run(
        self, command: str | Sequence[str], *, timeout: float, stdin: bytes | None = None
    ) -> CommandResult:
        await self._answer("run")
        return CommandResult(0, "", "")

    async def put_file(
        self, data: bytes, path: str, *, timeout: float, mode: int | None = None
    ) -> None:
        await self._answer("put_file")

    async def get_file(self, path: str, *, timeout: float) -> bytes:
        await self._answer("get_file")
        return b""

    async def boot_id(self, *, timeout: float) -> str:
        await self._answer("boot_id")
        return f"boot {self.boots}"

    async def shutdown(self, mode: str, *, timeout: float) -> None:
        await self._answer(f"shutdown {mode}")
        if mode == "reboot":
            self.boots += 1
        else:
            self._instance.stimulus(AGENT, "guest-shutdown")

    async def _answer(self, call: str) -> None:
        self._instance.calls.append(f"agent {call}")
        await asyncio.sleep(0)
        if self._instance.exit_code is not None:
            raise AgentClosed("The connection is gone.")
        if self.deaf:
            raise AgentTimeout("The guest agent did not answer.")


class FakeInstance:
    """A process that ends by what `ends_by` names, and by :meth:`end`.

    :ivar calls: what was asked of it, in order.
    """

    def __init__(self, spec: VmSpec, ends_by: Collection[str] = EVERYTHING) -> None:
        self.spec = spec
        self.hypervisor: FakeHypervisor | None = None
        self.ends_by = set(ends_by)
        self.calls: list[str] = []
        self.argv: Sequence[str] = ("fake-vm", spec.name)
        self.pid = 4711
        self.accelerator = "tcg"
        self.notes: Sequence[str] = ()
        self.forward: tuple[str, int] | None = None
        self.exit_code: int | None = None
        self.end_reason: str | None = None
        self.agent = FakeAgent(self)
        self.has_agent = spec.guest_agent
        self.serves_ssh = False
        self.run_state = "running"
        self.console = "console's last line"
        self.deaf = False
        self.released = 0
        self.agent_ready = asyncio.Event()
        self.agent_ready.set()
        self.plugged: list[Device | Disk] = []
        self.functions: tuple[PciFunction, ...] = ()
        self._ended = asyncio.Event()
        self.loss: asyncio.Future[GuestLoss] = asyncio.get_running_loop().create_future()
        self.surprises: list[str] = []
        self.resets: list[str] = []
        self.last_events = ""
        self.events: list[MonitorEvent] = []
        self.connected = True
        self.resets_expected = False
        self.access = GuestAccess()

    def end(self, exit_code: int = 0, reason: str | None = None) -> None:
        """End the process, as if by itself."""
        if not self._ended.is_set():
            self.exit_code, self.end_reason = exit_code, reason
            self._ended.set()

    def stimulus(self, name: str, reason: str | None, exit_code: int = 0) -> None:
        """End the process if it is one that ends by this."""
        if name in self.ends_by:
            self.end(exit_code, reason)

    @property
    def agent_connected(self) -> bool:
        return self.has_agent

    @property
    def lost(self) -> bool:
        return self.loss.done()

    @property
    def unasked_resets(self) -> Sequence[str]:
        return self.resets

    async def wait_lost(self) -> GuestLoss:
        return await asyncio.shield(self.loss)

    async def backend_connected(self, card: str) -> bool:
        await self._monitor(f"backend_connected {card}")
        return self.connected

    def on_reset(self, function: Callable[[], None]) -> None:
        self.reset_listener = function

    def settle(self) -> None:
        self.resets_expected = False

    async def process_state(self) -> str:
        return "T (stopped)"

    async def take_surprises(self) -> Sequence[str]:
        told, self.surprises = self.surprises, []
        return told

    def expect_reset(self) -> None:
        self.resets_expected = True

    async def wait_for_agent(self, deadline: Deadline, timeline: Timeline) -> None:
        self.calls.append("wait_for_agent")
        try:
            await asyncio.wait_for(self.agent_ready.wait(), deadline.remaining)
        except asyncio.TimeoutError:
            raise AgentTimeout("The guest agent did not answer.") from None
        timeline.reached("agent answered")

    async def wait_for_boot(self, old_boot: str, deadline: Deadline) -> None:
        self.calls.append(f"wait_for_boot after {old_boot}")

    async def interfaces(self) -> tuple[GuestInterface, ...]:
        return await self.agent.interfaces(timeout=1)

    async def save_template(self, *, serves_ssh: bool) -> None:
        self.calls.append(f"save_template serves_ssh={serves_ssh}")
        assert self.hypervisor is not None
        if self.hypervisor.save_failure is not None:
            raise self.hypervisor.save_failure
        self.hypervisor.has_template = True

    async def save_snapshot(self, name: str, deadline: Deadline) -> None:
        await self._monitor(f"save_snapshot {name}")

    async def restore_snapshot(self, name: str, deadline: Deadline) -> None:
        await self._monitor(f"restore_snapshot {name}")

    async def freshen(self) -> None:
        self.calls.append("freshen")

    async def prepare_login(self, login: Login) -> GuestAccess:
        self.calls.append("prepare_login")
        return self.access

    async def wait_closed(self) -> int:
        await self._ended.wait()
        assert self.exit_code is not None
        return self.exit_code

    async def status(self) -> str:
        await self._monitor("status")
        return self.run_state

    async def power_button(self) -> None:
        await self._monitor("power_button")
        self.stimulus(BUTTON, "guest-shutdown")

    async def quit(self) -> None:
        await self._monitor("quit")
        self.stimulus(QUIT, "host-qmp-quit")

    def send_signal(self, number: int) -> None:
        name = signal.Signals(number).name
        self.calls.append(name)
        self.stimulus(name, "host-signal" if name == "SIGTERM" else None, -number)

    async def pause(self) -> None:
        await self._monitor("pause")
        self.run_state = "paused"

    async def resume(self) -> None:
        await self._monitor("resume")
        self.run_state = "running"

    async def reset(self) -> None:
        await self._monitor("reset")

    async def execute(
        self, command: str, arguments: Mapping[str, Any] | None, *, timeout: float
    ) -> Any:
        await self._monitor(command)
        return arguments

    async def human(self, line: str, *, timeout: float) -> str:
        await self._monitor(line)
        return ""

    async def wait_for_event(
        self, names: Collection[str], *, deadline: Deadline, since: float = 0.0
    ) -> MonitorEvent:
        await self._monitor("wait_for_event")
        return next(item for item in self.events if item.name in names and item.at >= since)

    async def pci_functions(self) -> tuple[PciFunction, ...]:
        await self._monitor("pci_functions")
        return self.functions

    async def guest_pci_address(self, device: str) -> str:
        raise NotImplementedError

    async def plug(self, device: Device | Disk) -> str:
        await self._monitor("plug")
        self.plugged.append(device)
        return device.id or f"plug{len(self.plugged) - 1}"

    async def unplug(self, device_id: str, deadline: Deadline) -> None:
        await self._monitor(f"unplug {device_id}")

    async def display(self) -> VmDisplay:
        return VmDisplay("127.0.0.1", 5900)

    async def screenshot(self) -> bytes:
        return b"\x89PNG"

    async def tails(self) -> tuple[str, str]:
        return "stderr's last line", self.console

    async def collect(self) -> Mapping[str, bytes]:
        return {"command-line.sh": b"fake-vm\n", "serial.log": b"console's last line\n"}

    async def keep(self) -> None:
        self.calls.append("keep")

    async def release(self) -> None:
        self.released += 1

    async def _monitor(self, call: str) -> None:
        self.calls.append(call)
        await asyncio.sleep(0)
        if self.exit_code is not None:
            raise MonitorClosed("The connection is gone.")
        if self.deaf:
            raise MonitorTimeout("The monitor did not answer.")


class FakeHypervisor:
    """Launches fake instances.

    :ivar ends_by: what ends the processes that are launched from now on.
    :ivar failure: raised by a launch instead, which then keeps the files in `remains`.
    :ivar has_template: whether a clone can be launched; a source that is saved sets it.
    :ivar template_failure: raised by the launch of a clone.
    :ivar source_failure: raised by the launch of a source.
    :ivar save_failure: raised by the saving of a source.
    :ivar agents_ready: whether the guests of new processes open their agent's port.
    """

    def __init__(self) -> None:
        self.ends_by: Collection[str] = EVERYTHING
        self.failure: BaseException | None = None
        self.remains: Mapping[str, bytes] = {}
        self.agents_ready = True
        self.launched: list[FakeInstance] = []
        self.notes: Sequence[str] = ()
        self.arrived = asyncio.Event()
        self.has_template = False
        self.template_failure: TemplateError | None = None
        self.source_failure: TemplateError | None = None
        self.save_failure: TemplateError | None = None

    async def command_line(self, spec: VmSpec) -> tuple[Sequence[str], str]:
        return ["fake-vm", spec.name], f"fake-vm {spec.name}\n"

    async def launch(
        self,
        spec: VmSpec,
        deadline: Deadline,
        timeline: Timeline,
        keep: Callable[[Mapping[str, bytes]], Awaitable[None]],
    ) -> FakeInstance:
        if self.failure is not None:
            if self.remains:
                await keep(self.remains)
            raise self.failure
        instance = FakeInstance(spec, self.ends_by)
        instance.notes = self.notes
        if not self.agents_ready:
            instance.agent_ready.clear()
        timeline.reached("process started")
        self.launched.append(instance)
        self.arrived.set()
        return instance

    async def launch_clone(
        self,
        spec: VmSpec,
        deadline: Deadline,
        timeline: Timeline,
        keep: Callable[[Mapping[str, bytes]], Awaitable[None]],
    ) -> FakeInstance:
        if self.template_failure is not None:
            timeline.reached("QMP answered")
            raise self.template_failure
        if not self.has_template:
            raise TemplateMissing("There is no template yet.")
        timeline.reached("state restored")
        return await self.launch(with_overlays(spec), deadline, timeline, keep)

    async def launch_source(
        self,
        spec: VmSpec,
        deadline: Deadline,
        timeline: Timeline,
        keep: Callable[[Mapping[str, bytes]], Awaitable[None]],
    ) -> FakeInstance | None:
        if self.source_failure is not None:
            raise self.source_failure
        instance = await self.launch(with_overlays(spec), deadline, timeline, keep)
        instance.hypervisor = self
        return instance

    async def save_running(self, spec: VmSpec, instance: FakeInstance, deadline: Deadline) -> None:
        instance.calls.append(f"save_running {spec.nics[0].mac}")
        self.has_template = True

    async def templates(self) -> tuple[TemplateInfo, ...]:
        return ()

    async def remove_template(self, spec: VmSpec) -> bool:
        had, self.has_template = self.has_template, False
        return had

    async def version(self, binary: str | None) -> str:
        return "1.2.3"
