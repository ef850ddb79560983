"""The keywords of the traffic library."""

from __future__ import annotations

import atexit
from collections import Counter
from collections.abc import Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from robot.api import logger
from robot.api.deco import keyword, library

from DtsVirtLibrary.errors import ConfigError, PacketMismatch, TrafficError, nearest
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.keywords.report import links
from DtsVirtLibrary.keywords.suite import output_directory
from DtsVirtLibrary.loop import LoopThread
from DtsVirtLibrary.traffic import compare, packet
from DtsVirtLibrary.traffic.chart import throughput_html, throughput_text
from DtsVirtLibrary.traffic.fields import read_fields
from DtsVirtLibrary.traffic.packet import Packet
from DtsVirtLibrary.traffic.tester import Tester, TesterInfo, Throughput
from DtsVirtLibrary.version import VERSION

T = TypeVar("T")
ARRIVAL_TIMEOUT = timedelta(seconds=10)


@library(scope="GLOBAL", version=VERSION, listener="SELF", doc_format="ROBOT", auto_keywords=False)
class TrafficLibrary:
    """Keywords for packets: build, send, capture, compare field by field.

    It needs scapy: ``pip install 'robotframework-dtsvirtlibrary[traffic]'``.

    = Testers =

    A tester sends and captures on one interface, in a network namespace of its own if need
    be. It is opened by `Open Tester` and closed at the end of the run at the latest, also
    where the run is killed.

    = Packets and their fields =

    Packets are made of Ethernet, IPv4, UDP, TCP or SCTP, a payload, and VXLAN around
    them. Fields have the names of Wireshark's filters: ``eth.src``, ``ip.dst``,
    ``udp.dstport``, ``ip.checksum.status`` (``Good``, ``Bad``, ``Not present``),
    ``vxlan.vni``, ``payload``, ``payload.len``. Those of a packet inside a tunnel have
    ``inner.`` before them: ``inner.ip.src``. A field is read as ``${packet}[inner.ip.src]``.
    """

    ROBOT_LISTENER_API_VERSION = 3

    def __init__(self) -> None:
        self._loop = LoopThread()
        self._host: LocalHost | None = None
        self._testers: dict[str, Tester] = {}
        self._captures: dict[str, Path] = {}
        self._counts: Counter[str] = Counter()
        atexit.register(self._close)

    @keyword(name="Open Tester", tags=("Traffic",))
    def open_tester(
        self,
        name: str,
        interface: str,
        *,
        namespace: str | None = None,
        timeout: timedelta = timedelta(seconds=30),
    ) -> TesterInfo:
        """Opens an interface for sending and capturing and returns what it is.

        ``namespace`` is the network namespace that the interface is in. The object has
        ``name``, ``interface``, ``mac`` and ``namespace``. Fails if the interface is not
        there, scapy is not installed or the right is missing.

        | ${tester} = | `Open Tester` | tester | eth1 |
        | Log | ${tester.mac} |
        """
        if name in self._testers:
            raise ConfigError(f"Tester '{name}' is open already; use Close Tester first.")
        log = output_directory() / "captures" / f"{name}.log"
        tester = self._run(self._open(name, interface, namespace, log, timeout.total_seconds()))
        self._testers[name] = tester
        logger.info(f"{tester.info}")
        return tester.info

    @keyword(name="Close Tester", tags=("Traffic",))
    def close_tester(self, name: str) -> None:
        """Closes a tester; its capture is ended and linked. One that is not open is fine.

        | `Close Tester` | tester |
        """
        if name in self._testers:
            self.stop_capture(name)
            self._run(self._testers.pop(name).close())

    @keyword(name="Create UDP Packet", tags=("Packet",))
    def create_udp_packet(
        self, payload: str = "", *, payload_size: int | None = None, **fields: str
    ) -> Packet:
        """Returns a UDP packet over IPv4 and Ethernet.

        ``payload`` is text, or bytes as ``hex:0011``; with ``payload_size`` it is filled up
        to that many bytes. ``fields`` are fields by name. Those not given have defaults for
        tests; lengths and checksums are right unless a checksum is given.

        | ${packet} = | `Create UDP Packet` | hello | ip.dst=10.0.0.2 | udp.dstport=4000 |
        | ${wrong} = | `Create UDP Packet` | hello | udp.checksum=0xbad |
        """
        return packet.create("udp", _payload(payload, payload_size), fields)

    @keyword(name="Create TCP Packet", tags=("Packet",))
    def create_tcp_packet(
        self, payload: str = "", *, payload_size: int | None = None, **fields: str
    ) -> Packet:
        """Returns a TCP packet over IPv4 and Ethernet; see `Create UDP Packet`.

        | ${packet} = | `Create TCP Packet` | payload_size=892 | tcp.seq=1000 |
        """
        return packet.create("tcp", _payload(payload, payload_size), fields)

    @keyword(name="Create SCTP Packet", tags=("Packet",))
    def create_sctp_packet(
        self, payload: str = "", *, payload_size: int | None = None, **fields: str
    ) -> Packet:
        """Returns an SCTP packet with a DATA chunk; see `Create UDP Packet`.

        | ${packet} = | `Create SCTP Packet` | hello | sctp.dstport=4000 |
        """
        return packet.create("sctp", _payload(payload, payload_size), fields)

    @keyword(name="Encapsulate In VXLAN", tags=("Packet",))
    def encapsulate_in_vxlan(self, packet: Packet, vni: int, **fields: str) -> Packet:
        """Returns a VXLAN packet with ``packet`` inside; ``fields`` are the outer ones.

        | ${inner} = | `Create UDP Packet` | hello |
        | ${packet} = | `Encapsulate In VXLAN` | ${inner} | 1000 | ip.dst=192.0.2.1 |
        """
        return _encapsulate(packet, vni, fields)

    @keyword(name="Expect In VXLAN", tags=("Packet",))
    def expect_in_vxlan(self, packet: Packet, vni: int, **fields: str) -> Packet:
        """Returns what ``packet`` should be like in a VXLAN packet that somebody else makes.

        It is for `Packet Should Match`. Of the outer layers it tells no more than ``vni``,
        the port of VXLAN and ``fields``, for the rest is the other's business.

        | ${inner} = | `Create UDP Packet` | hello |
        | ${expected} = | `Expect In VXLAN` | ${inner} | 1000 | ip.src=192.0.2.1 |
        """
        return _expect_encapsulated(packet, vni, fields)

    @keyword(name="Get Inner Packet", tags=("Packet", "Getter"))
    def get_inner_packet(self, packet: Packet) -> Packet:
        """Returns the packet inside a VXLAN packet.

        | ${inner} = | `Get Inner Packet` | ${packet} |
        """
        return _inner_packet(packet)

    @keyword(name="Start Capture", tags=("Traffic",))
    def start_capture(self, tester: str) -> None:
        """Captures all that passes a tester's interface from now on, into a pcap file.

        `Receive Packets` finds packets in what was captured since then. A capture that runs
        is ended before.

        | `Start Capture` | tester |
        """
        self.stop_capture(tester)
        self._counts[tester] += 1
        path = output_directory() / "captures" / f"{tester}-{self._counts[tester]}.pcap"
        path = path.absolute()
        self._run(self._tester(tester).start_capture(path))
        self._captures[tester] = path

    @keyword(name="Stop Capture", tags=("Traffic",))
    def stop_capture(self, tester: str) -> Path | None:
        """Ends a capture, links its pcap file in the log and returns the file's path.

        | `Stop Capture` | tester |
        """
        running = self._tester(tester)
        path = self._captures.pop(tester, None)
        if path is None:
            return None
        frames = self._run(running.stop_capture())
        link = links(path.parent, [path.name], output_directory())
        logger.info(f"{link}: {frames} frames", html=True)
        return path

    @keyword(name="Send Packets", tags=("Traffic",))
    def send_packets(
        self,
        tester: str,
        *packets: Packet,
        count: int = 1,
        interval: timedelta = timedelta(0),
    ) -> None:
        """Sends packets from a tester's interface, all of them ``count`` times.

        ``interval`` is the pause after each.

        | ${packet} = | `Create UDP Packet` | hello |
        | `Send Packets` | tester | ${packet} | count=3 |
        """
        for one in packets:
            logger.info(f"{count} x {one}" if count > 1 else str(one))
        self._run(self._tester(tester).send(packets, count, interval.total_seconds()))

    @keyword(name="Receive Packets", tags=("Traffic", "Wait"))
    def receive_packets(
        self,
        tester: str,
        count: int = 1,
        *,
        timeout: timedelta = ARRIVAL_TIMEOUT,
        **fields: str,
    ) -> list[Packet]:
        """Waits until ``count`` packets with these fields have arrived, and returns them.

        It looks at what was captured since `Start Capture` and not received before. What
        the tester sent itself does not count. If too few come within ``timeout`` it fails,
        and shows what came instead.

        | @{packets} = | `Receive Packets` | tester | 3 | vxlan.vni=1000 | inner.udp.dstport=4000 |
        | Log | ${packets}[0][inner.payload] |
        """
        wanted = read_fields(fields)
        received = self._run(self._tester(tester).receive(count, wanted, timeout.total_seconds()))
        for one in received.found:
            logger.info(str(one))
        if len(received.found) < count:
            raise PacketMismatch(
                f"Tester '{tester}' received {len(received.found)} of {count} packets with "
                f"{_words(fields)} within {timeout.total_seconds():g} s, "
                f"and {received.other_count} others.\n" + "\n".join(_shown(received.others, wanted))
            )
        return list(received.found)

    @keyword(name="No Packet Should Arrive", tags=("Traffic", "Assertion"))
    def no_packet_should_arrive(
        self, tester: str, *, within: timedelta = timedelta(seconds=1), **fields: str
    ) -> None:
        """Fails if a packet with these fields arrives, or arrived and was not received.

        | `No Packet Should Arrive` | tester | within=2 s | vxlan.vni=1001 |
        """
        wanted = read_fields(fields)
        received = self._run(self._tester(tester).receive(1, wanted, within.total_seconds()))
        if received.found:
            raise PacketMismatch(
                f"Tester '{tester}' received a packet with {_words(fields)}, "
                f"and none should have come: {received.found[0]}"
            )

    @keyword(name="Packet Should Match", tags=("Packet", "Assertion"))
    def packet_should_match(
        self, packet: Packet, expected: Packet | None = None, **fields: str
    ) -> None:
        """Fails unless the packet has the fields of ``expected`` and these ``fields``.

        ``fields`` have the last word over those of ``expected``. Lengths and checksums of
        ``expected`` are not compared, because they follow from the rest. The failure shows
        each field that differs.

        | @{packets} = | `Receive Packets` | tester |
        | ${sent} = | `Create UDP Packet` | hello |
        | `Packet Should Match` | ${packets}[0] | ${sent} | ip.ttl=63 | ip.checksum.status=Good |
        """
        wanted = compare.expectations(expected, read_fields(fields))
        found = compare.differences(packet, wanted)
        if found:
            fields_word = "field" if len(found) == 1 else "fields"
            lines = [*compare.table(found), f"Packet: {packet}"]
            raise PacketMismatch(
                f"The packet differs from what was expected in {len(found)} {fields_word}:\n"
                + "\n".join(f"    {line}" for line in lines)
            )
        logger.info(f"{len(wanted)} fields are as expected: {packet}")

    @keyword(name="Measure Throughput", tags=("Traffic",))
    def measure_throughput(
        self,
        tester: str,
        packet: Packet,
        *,
        rate: float | None = None,
        duration: timedelta = timedelta(seconds=3),
    ) -> Throughput:
        """Sends a packet again and again, counts what comes back of it, and returns both.

        ``rate`` is how many to send a second, by default as fast as can be. The packet needs
        a payload of 8 bytes, by which it is known again however it is changed or tunnelled.
        Nothing is captured meanwhile. The object has ``frame_size``, ``sent``,
        ``received``, ``send_rate``, ``receive_rate`` and ``loss``.

        | ${packet} = | `Create UDP Packet` | payload_size=64 |
        | ${result} = | `Measure Throughput` | tester | ${packet} | rate=1000 | duration=5 s |
        | `Log Throughput` | ${result} |
        """
        result = self._run(self._tester(tester).measure(packet, rate, duration.total_seconds()))
        logger.info(str(result))
        return result

    @keyword(name="Log Throughput", tags=("Traffic",))
    def log_throughput(self, *results: Throughput) -> None:
        """Shows results of `Measure Throughput` as a table and a chart in the log.

        | ${packet} = | `Create UDP Packet` | payload_size=64 |
        | ${result} = | `Measure Throughput` | tester | ${packet} |
        | `Log Throughput` | ${result} |
        """
        logger.info(throughput_html(results), html=True)
        logger.console(f"\n{throughput_text(results)}")

    def close(self) -> None:
        """The run ended, in whatever way."""
        self._close()

    def _close(self) -> None:
        host, self._host = self._host, None
        self._testers.clear()
        if host is not None:
            self._run(host.close())
        self._loop.close()

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._loop.run(coroutine)

    def _tester(self, name: str) -> Tester:
        if name not in self._testers:
            known = ", ".join(self._testers) or "none"
            raise TrafficError(
                f"There is no tester '{name}'.{nearest(name, self._testers)} Open: {known}. "
                "Open it with 'Open Tester'."
            )
        return self._testers[name]

    async def _open(
        self, name: str, interface: str, namespace: str | None, log: Path, seconds: float
    ) -> Tester:
        if self._host is None:
            self._host = LocalHost()
        await self._host.make_directory(log.parent)
        return await Tester.open(self._host, name, interface, namespace, str(log), seconds)


# Keywords name an argument `packet`, as the module is named.
_encapsulate, _expect_encapsulated = packet.encapsulate, packet.expect_encapsulated
_inner_packet = packet.inner_packet


def _payload(payload: str, size: int | None) -> str:
    try:
        if payload.startswith("hex:"):
            bytes.fromhex(payload.removeprefix("hex:"))
    except ValueError:
        raise ConfigError(
            f"payload '{payload[:40]}' is no bytes: after hex: come two hexadecimal digits a byte, "
            "such as hex:0011ff."
        ) from None
    if size is None:
        return payload
    if payload.startswith("hex:") or len(payload.encode()) > size:
        raise ConfigError(
            f"payload_size={size} fills text up, and '{payload[:40]}' is bytes or is longer."
        )
    pattern = "0123456789abcdefghijklmnopqrstuvwxyz"
    missing = size - len(payload.encode())
    return payload + (pattern * (missing // len(pattern) + 1))[:missing]


def _words(fields: dict[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in fields.items()) or "any fields"


def _shown(others: tuple[Packet, ...], wanted: dict[str, Any]) -> list[str]:
    """Return the last other packets, each with the fields in which it differs."""
    lines = []
    for one in others:
        found = compare.differences(one, wanted)
        reasons = ", ".join(f"{item.field} {compare.show(item.found)}" for item in found[:3])
        lines.append(f"    {one}  ({reasons})")
    return lines
