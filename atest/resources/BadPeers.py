"""vhost-user back ends that do not do what QEMU needs of them."""

from __future__ import annotations

import contextlib
import os
import socket
import threading

from robot.api.deco import keyword, library


@library(scope="SUITE", auto_keywords=False, listener="SELF")
class BadPeers:
    """Back ends that listen until the end of the suite."""

    ROBOT_LISTENER_API_VERSION = 3

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []
        self._paths: list[str] = []

    def end_suite(self, data: object, result: object) -> None:
        """Close all of them."""
        for item in self._sockets:
            with contextlib.suppress(OSError):
                item.shutdown(socket.SHUT_RDWR)
            item.close()
        for path in self._paths:
            os.unlink(path)
        self._sockets.clear()
        self._paths.clear()

    @keyword
    def listen_as_bad_peer(self, path: str, behaviour: str) -> None:
        """Listens on a path; to whom connects it is `silent`, it `closes`, or talks `garbage`."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(16)
        self._sockets.append(listener)
        self._paths.append(path)
        threading.Thread(target=self._serve, args=(listener, behaviour), daemon=True).start()

    def _serve(self, listener: socket.socket, behaviour: str) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                self._sockets.append(connection)
                if behaviour == "closes":
                    connection.recv(4)
                    connection.close()
                elif behaviour == "garbage":
                    threading.Thread(target=_babble, args=(connection,), daemon=True).start()


def _babble(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while connection.recv(4096):
            connection.sendall(b"\xa5" * 64)
