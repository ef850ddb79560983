"""The least of a vhost-user back end: it answers QEMU's questions and moves no packet."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from pathlib import Path

# The message's header: request, flags, size of the payload; then the payload.
HEADER = struct.Struct("=III")
VERSION, REPLY, NEED_REPLY = 0x1, 0x4, 0x8

GET_FEATURES, GET_VRING_BASE, GET_PROTOCOL_FEATURES, GET_QUEUE_NUM = 1, 11, 15, 17

# VIRTIO_F_VERSION_1, VHOST_USER_F_PROTOCOL_FEATURES, VIRTIO_NET_F_MQ.
FEATURES = 1 << 32 | 1 << 30 | 1 << 22
# VHOST_USER_PROTOCOL_F_MQ, _REPLY_ACK and _CRYPTO_SESSION.
PROTOCOL_FEATURES = 1 << 0 | 1 << 3 | 1 << 7
QUEUES = 8

ANSWERS = {
    GET_FEATURES: FEATURES,
    GET_PROTOCOL_FEATURES: PROTOCOL_FEATURES,
    GET_QUEUE_NUM: QUEUES,
    GET_VRING_BASE: 0,
}


class VhostUserPeer:
    """A back end on a UNIX socket, in threads of its own: it listens, or calls QEMU."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._closed = threading.Event()
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def listen(self) -> None:
        """Listen on the path, and serve whoever connects."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(bytes(self._path))
        listener.listen(4)
        self._sockets.append(listener)
        self._run(self._accept, listener)

    def call(self) -> None:
        """Connect to QEMU as soon as it listens on the path, and serve it."""
        self._run(self._connect)

    def close(self) -> None:
        """End all threads and connections."""
        self._closed.set()
        for item in self._sockets:
            with contextlib.suppress(OSError):
                item.shutdown(socket.SHUT_RDWR)
            item.close()
        for thread in self._threads:
            thread.join(10)

    def _run(self, function: object, *arguments: object) -> None:
        thread = threading.Thread(target=function, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while not self._closed.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self._sockets.append(connection)
            self._run(self._serve, connection)

    def _connect(self) -> None:
        connection = socket.socket(socket.AF_UNIX)
        self._sockets.append(connection)
        while not self._closed.is_set():
            try:
                connection.connect(bytes(self._path))
            except OSError:
                self._closed.wait(0.01)
                continue
            self._serve(connection)
            return

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError):
            while True:
                request, flags, size = HEADER.unpack(_exactly(connection, HEADER.size))
                payload = _exactly(connection, size)
                answer = _answer(request, flags, payload)
                if answer:
                    header = HEADER.pack(request, VERSION | REPLY, len(answer))
                    connection.sendall(header + answer)


def _answer(request: int, flags: int, payload: bytes) -> bytes:
    if request in ANSWERS:
        # The base of a ring is told as two 32-bit numbers, the first being the ring's own.
        return payload[:4] + bytes(4) if request == GET_VRING_BASE else _number(ANSWERS[request])
    return _number(0) if flags & NEED_REPLY else b""


def _number(value: int) -> bytes:
    return struct.pack("=Q", value)


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        # Descriptors that come along are taken, too, and closed with the message.
        part, descriptors, _, _ = socket.recv_fds(connection, size - len(data), 8)
        for descriptor in descriptors:
            socket.close(descriptor)
        if not part:
            raise EOFError
        data += part
    return data
