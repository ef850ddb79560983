"""The floor: what a start takes where nothing is checked, kept, logged or explained.

It spawns QEMU with the library's own command line, waits for the guest agent's event,
gets into step with the agent and waits for the SSH banner. Nothing can be faster on the
same guest.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

NAME, MONITOR, AGENT = 9, 10, 11
SYNC = 4711
TRY_SECONDS = 0.25
FORWARD = re.compile(r"TCP\[HOST_FORWARD\]\s+\d+\s+(\S+)\s+(\d+)\s+\S+\s+22\s")
# The directory of a start, in the path of a file in it.
PLACE = re.compile(r"(?<=path=)[^,]*/(?=[^/,]+(?:,|$))")


@dataclass(frozen=True)
class FloorTimes:
    """Seconds from the launch to the agent's answer and to the SSH banner."""

    agent: float
    banner: float


def measure_floor(argv: Sequence[str]) -> FloorTimes:
    """Start QEMU, wait for the agent and the banner, and end it.

    :param argv: the library's command line; its directory is replaced.
    """
    monitor, their_monitor = socket.socketpair()
    agent, their_agent = socket.socketpair()
    with tempfile.TemporaryDirectory() as directory, monitor, agent:
        words = [PLACE.sub(f"{directory}/", word) for word in argv]
        start = time.monotonic()
        process = spawn(words, {MONITOR: their_monitor, AGENT: their_agent})
        try:
            times = _follow(monitor, agent, start)
        finally:
            process.kill()
            process.wait()
    return times


def spawn(argv: Sequence[str], sockets: dict[int, socket.socket]) -> subprocess.Popen[bytes]:
    """Start a program that inherits sockets under these numbers, and ends with this one."""
    # The shell puts the sockets where the command line wants them, out of numbers above those,
    # and setpriv has QEMU end with this process. The library's QEMU has a session of its own
    # too, which the kernel's scheduler looks at.
    high = {number: fcntl.fcntl(sock, fcntl.F_DUPFD, 100) for number, sock in sockets.items()}
    moves = " ".join(f"{number}<&{descriptor}" for number, descriptor in high.items())
    process = subprocess.Popen(
        ["bash", "-c", f'exec setpriv --pdeathsig KILL -- "$@" {moves}', "bash", *argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=list(high.values()),
        start_new_session=True,
    )
    for descriptor in high.values():
        os.close(descriptor)
    for sock in sockets.values():
        sock.close()
    return process


def _follow(monitor: socket.socket, agent: socket.socket, start: float) -> FloorTimes:
    stream = monitor.makefile("rw")
    stream.readline()
    _execute(stream, "qmp_capabilities")
    text = _execute(stream, "human-monitor-command", {"command-line": "info usernet"})
    found = FORWARD.search(text)
    assert found, text
    _execute(stream, "cont")
    while not _opens_port(json.loads(stream.readline())):
        pass
    _synchronize(agent)
    answered = time.monotonic() - start
    _read_banner(found[1], int(found[2]))
    return FloorTimes(answered, time.monotonic() - start)


def _execute(stream: Any, command: str, arguments: dict[str, str] | None = None) -> Any:
    stream.write(json.dumps({"execute": command, "arguments": arguments or {}}))
    stream.flush()
    while "return" not in (message := json.loads(stream.readline())):
        assert "event" in message, message
    return message["return"]


def _opens_port(message: dict[str, Any]) -> bool:
    return message.get("event") == "VSERPORT_CHANGE" and bool(message["data"]["open"])


def _synchronize(agent: socket.socket) -> None:
    request = {"execute": "guest-sync-delimited", "arguments": {"id": SYNC}}
    agent.sendall(b"\xff" + json.dumps(request).encode() + b"\n")
    received = b""
    while str(SYNC).encode() not in received.rpartition(b"\xff")[2]:
        received += agent.recv(4096)


def _read_banner(host: str, port: int) -> None:
    while True:
        try:
            with socket.create_connection((host, port), TRY_SECONDS) as connection:
                if connection.recv(256).startswith(b"SSH-"):
                    return
        except OSError:
            continue
