"""The library's end of an agent: a tester on one interface."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import DtsVirtLibrary
from DtsVirtLibrary.errors import Evidence, TrafficError
from DtsVirtLibrary.host.protocol import Host, HostProcess, Spawn
from DtsVirtLibrary.host.surroundings import minimal_environment
from DtsVirtLibrary.traffic.fields import FieldValue
from DtsVirtLibrary.traffic.packet import Packet

SOCKET = 3
MODULE = "DtsVirtLibrary.traffic.agent"
# What an answer may take beyond the time that the request itself asks for.
ANSWER_TIMEOUT = 30.0
LONGEST_ANSWER = 256 << 20


@dataclass(frozen=True)
class TesterInfo:
    """A tester: its name, interface, the interface's MAC address, and its network namespace."""

    name: str
    interface: str
    mac: str
    namespace: str | None


@dataclass(frozen=True)
class Received:
    """Packets that matched; where they were too few, the last others and how many these are."""

    found: tuple[Packet, ...]
    others: tuple[Packet, ...]
    other_count: int


@dataclass(frozen=True)
class Throughput:
    """What `Measure Throughput` found.

    :ivar frame_size: bytes of the frames that were sent, without the check sequence.
    :ivar sent: frames sent, and `received` those that came back.
    :ivar send_rate: frames sent a second; `receive_rate` those that came back.
    """

    frame_size: int
    sent: int
    received: int
    send_rate: float
    receive_rate: float

    @property
    def loss(self) -> float:
        """Part of the frames that did not come back, from 0 to 1."""
        return 1 - self.received / self.sent if self.sent else 0.0


class Tester:
    """An agent at work. One request at a time."""

    def __init__(
        self,
        info: TesterInfo,
        process: HostProcess,
        lines: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self.info = info
        self._process = process
        self._reader, self._writer = lines

    @classmethod
    async def open(
        cls, host: Host, name: str, interface: str, namespace: str | None, log: str, seconds: float
    ) -> Tester:
        """Start the agent.

        :param log: file for what it says before it ends in an error.
        :raises TrafficError: it does not start: no scapy, no right, no such interface.
        """
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        inside = () if namespace is None else ("ip", "netns", "exec", namespace)
        python = (sys.executable, "-m", MODULE, str(SOCKET), interface)
        package = str(Path(DtsVirtLibrary.__file__).resolve().parent.parent)
        environment = {**minimal_environment(), "PYTHONPATH": package}
        try:
            process = await host.spawn(
                Spawn(
                    [*inside, *python], log, log, sockets={SOCKET: theirs}, environment=environment
                )
            )
        except BaseException:
            ours.close()
            raise
        lines = await asyncio.open_connection(sock=ours, limit=LONGEST_ANSWER)
        tester = cls(TesterInfo(name, interface, "", namespace), process, lines)
        try:
            hello = await tester._ask({"do": "hello"}, seconds)
        except BaseException as error:
            await tester.close()
            if isinstance(error, TrafficError):
                raise await _not_started(host, tester.info, log) from error
            raise
        tester.info = TesterInfo(name, interface, hello["mac"], namespace)
        return tester

    async def close(self) -> None:
        """End it. Quiet the second time."""
        self._writer.close()
        self._process.send_signal(signal.SIGKILL)
        await self._process.wait()

    async def start_capture(self, path: Path) -> None:
        """Capture into a file from now on."""
        await self._ask({"do": "start_capture", "path": str(path)}, 0)

    async def stop_capture(self) -> int:
        """End the capture and return how many frames it holds."""
        return int(await self._ask({"do": "stop_capture"}, 0))

    async def send(self, packets: Sequence[Packet], count: int, interval: float) -> int:
        """Send packets and return how many these were."""
        request = {
            "do": "send",
            "packets": [packet.to_json() for packet in packets],
            "count": count,
            "interval": interval,
        }
        return int(await self._ask(request, len(packets) * count * (interval + 0.001)))

    async def receive(
        self, count: int, fields: Mapping[str, FieldValue], seconds: float
    ) -> Received:
        """Return captured packets that match, fewer than `count` after `seconds`."""
        request = {"do": "receive", "count": count, "fields": dict(fields), "seconds": seconds}
        answer = await self._ask(request, seconds)
        found, others = (
            tuple(Packet.from_json(item) for item in answer[key]) for key in ("found", "others")
        )
        return Received(found, others, answer["other_count"])

    async def measure(self, packet: Packet, rate: float | None, seconds: float) -> Throughput:
        """Send a packet again and again for `seconds`, and count what comes back."""
        request = {"do": "measure", "packet": packet.to_json(), "rate": rate, "seconds": seconds}
        answer = await self._ask(request, seconds)
        received, receive_seconds = answer["received"], answer["receive_seconds"]
        return Throughput(
            frame_size=answer["frame_size"],
            sent=answer["sent"],
            received=received,
            send_rate=answer["sent"] / answer["send_seconds"],
            receive_rate=(received - 1) / receive_seconds if receive_seconds else 0.0,
        )

    async def _ask(self, request: Mapping[str, Any], seconds: float) -> Any:
        """Return the result of a request that takes `seconds` itself.

        :raises TrafficError: it failed, or the agent has ended or hangs.
        """
        who = f"Tester '{self.info.name}' on {self.info.interface}"
        try:
            self._writer.write(json.dumps(request).encode() + b"\n")
            line = await asyncio.wait_for(self._reader.readline(), seconds + ANSWER_TIMEOUT)
        except asyncio.TimeoutError as error:
            await self.close()
            raise TrafficError(
                f"{who} did not answer '{request['do']}' within {seconds + ANSWER_TIMEOUT:g} s "
                "and was ended. Open it again."
            ) from error
        except OSError:
            line = b""
        if not line:
            code = await self._process.wait()
            raise TrafficError(f"{who} has ended.", Evidence(exit_code=code))
        answer = json.loads(line)
        if "error" in answer:
            raise TrafficError(f"{who} cannot {request['do']}: {answer['error']}.")
        return answer["result"]


async def _not_started(host: Host, info: TesterInfo, log: str) -> TrafficError:
    said = (await host.read_text(log)).strip().splitlines()
    reason = said[-1] if said else "it said nothing"
    remedy = ""
    if "scapy" in reason:
        remedy = "Install it: pip install 'robotframework-dtsvirtlibrary[traffic]'"
    elif "No such device" in reason:
        where = f"ip -n {info.namespace} link" if info.namespace else "ip link"
        remedy = f"There is no such interface; see: {where}"
    elif "not permitted" in reason:
        remedy = "Raw sockets need CAP_NET_RAW, and namespaces root: run as root."
    return TrafficError(
        f"Tester '{info.name}' cannot be opened on {info.interface}: {reason}",
        Evidence(facts=[remedy] if remedy else said[-10:]),
    )
