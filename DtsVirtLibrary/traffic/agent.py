"""The program in the tester's network namespace: ``python -m DtsVirtLibrary.traffic.agent``.

Its arguments are the number of an inherited stream socket and the interface. A line of JSON
is a request ``{do, ...}``; the answer is a line too, ``{result}`` or ``{error}``. It ends when
the socket is closed.
"""

from __future__ import annotations

import json
import secrets
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from DtsVirtLibrary.traffic import frames
from DtsVirtLibrary.traffic.capture import Capture, Counter, Port
from DtsVirtLibrary.traffic.packet import Packet

TOKEN_BYTES = 8
# The path is taken to be empty when nothing came for this long after the last frame was sent.
SILENCE = 1.0
UNMATCHED_SHOWN = 20


class Agent:
    """Does what the requests say, one after the other."""

    def __init__(self, interface: str) -> None:
        self._port = Port(interface)

    def hello(self) -> dict[str, Any]:
        """Return what the interface is."""
        return {"mac": self._port.mac}

    def start_capture(self, path: str) -> None:
        """Write all that passes to a file from now on, instead of a former one."""
        self.stop_capture()
        self._port.capture = Capture(path)

    def stop_capture(self) -> int:
        """End the capture and return how many frames it holds."""
        capture, self._port.capture = self._port.capture, None
        if capture is None:
            return 0
        capture.close()
        return capture.frames

    def send(self, packets: list[dict[str, Any]], count: int, interval: float) -> int:
        """Send packets, all of them `count` times; return how many these were."""
        built = [frames.build(Packet.from_json(packet)) for packet in packets]
        for _ in range(count):
            for frame in built:
                self._port.send(frame)
                if interval:
                    time.sleep(interval)
        return count * len(built)

    def receive(self, count: int, fields: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Return captured packets with these fields, and the last others if they are too few."""
        if self._port.capture is None:
            raise ValueError("nothing is captured")
        found, others = self._port.capture.take(count, fields, seconds)
        return {
            "found": [packet.to_json() for packet in found],
            "others": [packet.to_json() for packet in others[-UNMATCHED_SHOWN:]],
            "other_count": len(others),
        }

    def measure(self, packet: dict[str, Any], rate: float | None, seconds: float) -> dict[str, Any]:
        """Send a packet again and again, and count what comes back of it."""
        token = secrets.token_bytes(TOKEN_BYTES)
        frame = frames.with_token(Packet.from_json(packet), token)
        counter = Counter(token)
        self._port.count(counter)
        try:
            sent, took = self._send_paced(frame, rate, seconds)
            self._wait_for_silence(counter, sent)
        finally:
            self._port.count(None)
        return {
            "frame_size": len(frame),
            "sent": sent,
            "send_seconds": took,
            "received": counter.received,
            "receive_seconds": counter.last - counter.first,
        }

    def _send_paced(self, frame: bytes, rate: float | None, seconds: float) -> tuple[int, float]:
        start = time.monotonic()
        sent = 0
        while (now := time.monotonic() - start) < seconds:
            due = sent + 1 if rate is None else int(now * rate)
            for _ in range(due - sent):
                self._port.send(frame)
            sent = due
            if rate is not None:
                time.sleep(max(0.0, min((sent + 1) / rate - now, seconds - now)))
        return sent, time.monotonic() - start

    def _wait_for_silence(self, counter: Counter, sent: int) -> None:
        end = time.monotonic()
        while counter.received < sent:
            if time.monotonic() - max(end, counter.last) > SILENCE:
                return
            time.sleep(0.01)


def serve(requests: socket.socket, agent: Agent) -> None:
    """Answer requests until the other end is closed."""
    actions: dict[str, Callable[..., Any]] = {
        name: getattr(agent, name)
        for name in ("hello", "start_capture", "stop_capture", "send", "receive", "measure")
    }
    with requests.makefile("r", encoding="utf-8") as lines:
        for line in lines:
            request = json.loads(line)
            try:
                answer = {"result": actions[request.pop("do")](**request)}
            except (OSError, ValueError) as error:
                answer = {"error": str(error)}
            requests.sendall(json.dumps(answer).encode() + b"\n")


def main() -> None:
    """Serve the socket that is named on the command line."""
    requests = socket.socket(fileno=int(sys.argv[1]))
    serve(requests, Agent(sys.argv[2]))


if __name__ == "__main__":
    main()
