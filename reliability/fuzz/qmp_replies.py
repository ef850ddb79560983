"""The readers of QEMU's answers: any JSON leads to a value or to an error of the library's.

An input is the answers in turn, parted by 0x1E. What is no JSON stands for a refusal. The first
byte says who reads.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

from DtsVirtLibrary.errors import DtsVirtError, MonitorClosed, MonitorCommandError
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.qemu.binary.probe import probe
from DtsVirtLibrary.qemu.command_line.placement import Descriptor, Placement
from DtsVirtLibrary.qemu.foreign_json import checked_json
from DtsVirtLibrary.qemu.hotplug import facts, unplugging
from DtsVirtLibrary.qemu.instance import QemuInstance
from DtsVirtLibrary.qemu.qmp.events import Match, named
from DtsVirtLibrary.qemu.qmp.monitor import Monitor
from DtsVirtLibrary.qemu.running.snapshots import Snapshots
from DtsVirtLibrary.qemu.start import pinning
from DtsVirtLibrary.qemu.start.prepared import PreparedStart
from DtsVirtLibrary.qemu.templates import migration
from DtsVirtLibrary.results import MonitorEvent
from DtsVirtLibrary.spec import Cpu, HostPciDevice, Nic, VmSpec
from reliability.fuzz.eager_loop import run
from reliability.fuzz.script import TURN

SPEC = VmSpec(
    "vm0", cpu=Cpu(pins=(0, 1)), devices=(Nic(control=True), HostPciDevice("0000:07:10.0", "pt_0"))
)
PLACES = Placement("/run/vm0", Descriptor(10), Descriptor(11))


def read(data: bytes) -> None:
    """Let one reader read the answers, those that come in events too."""
    reader = READERS[data[0] % len(READERS)] if data else READERS[0]
    run(_read(reader, _Answers(data[1:])))


async def _read(reader: Callable[[QemuInstance], Awaitable[object]], answers: _Answers) -> None:
    try:
        repr(await reader(_instance(answers))).encode()
    except DtsVirtError as error:
        str(error).encode()


class _Answers(Monitor):
    """A monitor whose answers and events are those of the input."""

    def __init__(self, data: bytes) -> None:
        super().__init__("vm0")
        self._values: Iterator[bytes] = iter(data.split(TURN))

    def value(self) -> Any:
        """Return the next answer; a refusal, or the end of the connection, is raised."""
        text = next(self._values, None)
        if text is None:
            raise MonitorClosed("the input has ended")
        try:
            return checked_json(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise MonitorCommandError(repr(text)) from error

    async def execute(
        self, command: str, arguments: Any = None, *, timeout: float | None = None
    ) -> Any:
        """Return the next answer; commands that have none to read take none."""
        return self.value() if command.startswith(("query-", "qom-", "human-")) else {}

    async def pass_socket(self, name: str, sock: socket.socket) -> None:
        """Take it; nothing will come over it."""

    async def wait_for_event(
        self,
        names: Collection[str],
        *,
        deadline: Deadline,
        match: Match | None = None,
        since: float | None = None,
    ) -> MonitorEvent:
        """Return the next answer that is an event's data and matches."""
        matches = named(names, match)
        while True:
            data = self.value()
            for name in names:
                event = MonitorEvent(name, data if isinstance(data, dict) else {}, 0.0)
                if matches(event):
                    return event


class _Host:
    """A host on which all goes well; a binary there answers with the input."""

    name = "localhost"

    def __init__(self, answers: _Answers) -> None:
        self._answers = answers
        self._affinity: tuple[int, ...] = ()

    async def which(self, program: str) -> str:
        return program

    async def status(self, path: str) -> SimpleNamespace:
        return SimpleNamespace(size=1, modified_ns=1)

    async def read_text(self, path: str) -> str:
        return "0-7" if path == pinning.ONLINE else ""

    async def list_directory(self, path: str) -> list[str]:
        return []

    async def make_directory(self, path: str, mode: int) -> None:
        """Nothing is kept."""

    async def write_bytes(self, path: str, data: bytes) -> None:
        """Nothing is kept."""

    async def set_affinity(self, thread: int, cpus: Sequence[int]) -> None:
        self._affinity = tuple(cpus)

    async def affinity(self, thread: int) -> tuple[int, ...]:
        return self._affinity

    async def run(self, argv: Sequence[str], **given: Any) -> SimpleNamespace:
        """Print the rest of the input, an answer a line."""
        texts = [text.decode("utf-8", "replace") for text in self._answers._values]
        return SimpleNamespace(stdout="\n".join(texts), stderr="")


def _instance(answers: _Answers) -> QemuInstance:
    host = cast(Any, _Host(answers))
    nothing = cast(Any, None)
    start = PreparedStart(
        SPEC,
        host,
        PLACES,
        cast(Any, SimpleNamespace(notes=())),
        "tcg",
        nothing,
        "",
        10.0,
        nothing,
        nothing,
    )
    return QemuInstance(start, nothing, answers, None)


async def _port(instance: QemuInstance) -> object:
    await instance.find_forward()
    return instance.forward


async def _probed(instance: QemuInstance) -> Mapping[str, Any]:
    return vars(await probe(instance.host, "/usr/bin/qemu", "/cache"))


READERS: Sequence[Callable[[QemuInstance], Awaitable[object]]] = (
    lambda instance: instance.status(),
    lambda instance: instance.pci_functions(),
    lambda instance: instance.guest_pci_address("pt_0"),
    _port,
    lambda instance: facts.peripherals(instance.monitor),
    lambda instance: facts.free_port(instance.monitor, "vm0"),
    lambda instance: facts.free_slot(instance.monitor, "vm0"),
    lambda instance: facts.require_shared_memory(instance.monitor, "vm0"),
    lambda instance: facts.wait_connected(
        instance.monitor, "vm0", "chr0", "/a.sock", Deadline(1.0)
    ),
    lambda instance: pinning.pin(instance.host, instance.monitor, SPEC),
    lambda instance: migration.load_state(instance.monitor, b""),
    lambda instance: Snapshots(instance).save("one", Deadline(1.0)),
    lambda instance: unplugging.require_ours(instance, "nic0", known=False),
    lambda instance: unplugging.delete_device(instance, "nic0", Deadline(1.0)),
    _probed,
)
