"""Capturing the frames that pass an interface, in the agent's process."""

from __future__ import annotations

import errno
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from DtsVirtLibrary.traffic import compare, frames
from DtsVirtLibrary.traffic.fields import FieldValue
from DtsVirtLibrary.traffic.packet import Packet

ALL_PROTOCOLS = 0x0003
SO_RCVBUFFORCE = 33
SOL_PACKET, PACKET_IGNORE_OUTGOING = 263, 23
# Room for a burst while this process is busy, in bytes.
BUFFER = 64 << 20
LONGEST_FRAME = 1 << 16
# Packets that nobody asked for are forgotten, the oldest first.
REMEMBERED = 100_000
POLL_INTERVAL = 0.2
SEND_PAUSE = 0.0005

# libpcap's file: magic, version 2.4, no time zone, snapshot length, Ethernet.
PCAP_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, LONGEST_FRAME, 1)


class Port:
    """Raw sockets on an interface; a thread takes in all that passes, both ways."""

    def __init__(self, interface: str) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        self._socket.bind((interface, ALL_PROTOCOLS))
        # A socket of its own, for none is shown what it sends itself.
        self._sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._sender.bind((interface, 0))
        self.mac: str = self._socket.getsockname()[4].hex(":")
        self.capture: Capture | None = None
        self.counter: Counter | None = None
        threading.Thread(target=self._read, name="capture", daemon=True).start()

    def count(self, counter: Counter | None) -> None:
        """Count what comes in from now on, instead of capturing; None goes back to that."""
        self._socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, counter is not None)
        self.counter = counter

    def send(self, frame: bytes) -> None:
        """Send a frame, waiting while the interface is full."""
        while True:
            try:
                self._sender.send(frame)
                return
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.ENOBUFS):
                    raise
                time.sleep(SEND_PAUSE)

    def _read(self) -> None:
        while True:
            frame, address = self._socket.recvfrom(LONGEST_FRAME)
            outgoing = address[2] == socket.PACKET_OUTGOING
            if self.counter is not None:
                if not outgoing:
                    self.counter.count(frame)
            elif self.capture is not None:
                self.capture.add(frame, outgoing)


class Counter:
    """Counts the frames that hold a token."""

    def __init__(self, token: bytes) -> None:
        self._token = token
        self.received = 0
        self.first = self.last = 0.0

    def count(self, frame: bytes) -> None:
        """Take a frame in."""
        if self._token in frame:
            self.last = time.monotonic()
            if not self.received:
                self.first = self.last
            self.received += 1


class Capture:
    """Keeps what passes, in a file and in memory, and finds packets in it."""

    def __init__(self, path: str) -> None:
        self.frames = 0
        self._start = time.time()
        self._file: IO[bytes] = Path(path).open("wb")  # noqa: SIM115 - open as long as it is
        self._file.write(PCAP_HEADER)
        self._changed = threading.Condition()
        self._waiting: deque[tuple[float, bytes]] = deque(maxlen=REMEMBERED)
        self._packets: deque[Packet] = deque(maxlen=REMEMBERED)

    def add(self, frame: bytes, outgoing: bool) -> None:
        """Take a frame in; what we sent ourselves is for the file only."""
        now = time.time()
        with self._changed:
            if self._file.closed:
                return
            seconds, microseconds = divmod(round(now * 1e6), 1_000_000)
            size = len(frame)
            self._file.write(struct.pack("<IIII", seconds, microseconds, size, size) + frame)
            self.frames += 1
            if not outgoing:
                self._waiting.append((now - self._start, frame))
                self._changed.notify_all()

    def take(
        self, count: int, expected: Mapping[str, FieldValue], seconds: float
    ) -> tuple[list[Packet], list[Packet]]:
        """Wait for packets that match; return them (they are taken out) and all others.

        They are fewer than `count` if no more came within `seconds`.
        """
        end = time.monotonic() + seconds
        while True:
            self._dissect()
            found = [one for one in self._packets if compare.matches(one, expected)][:count]
            left = end - time.monotonic()
            if len(found) >= count or left <= 0:
                break
            with self._changed:
                self._changed.wait_for(lambda: self._waiting, min(left, POLL_INTERVAL))
        taken = {id(packet) for packet in found}
        self._packets = deque(
            (one for one in self._packets if id(one) not in taken), maxlen=REMEMBERED
        )
        return found, list(self._packets)

    def close(self) -> None:
        """End the file."""
        with self._changed:
            self._file.close()

    def _dissect(self) -> None:
        with self._changed:
            new = list(self._waiting)
            self._waiting.clear()
        self._packets.extend(frames.dissect(frame, at) for at, frame in new)
