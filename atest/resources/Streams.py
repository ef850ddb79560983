"""Receives what a process sends to a UNIX socket into a file."""

from __future__ import annotations

import mmap
import shutil
import socket
import tempfile
import threading
from pathlib import Path

from robot.api.deco import keyword, library

LONGEST = 240.0


@library(scope="SUITE", auto_keywords=False)
class Streams:
    """Streams under way, by the file that they go to."""

    def __init__(self) -> None:
        self._receivers: dict[str, threading.Thread] = {}

    @keyword
    def receive_stream(self, file: str) -> str:
        """Listens for one stream into a file and returns the path of the socket."""
        path = f"{tempfile.mkdtemp(prefix='stream-', dir='/tmp')}/socket"
        listener = socket.socket(socket.AF_UNIX)
        listener.settimeout(LONGEST)
        listener.bind(path)
        listener.listen(1)
        receiver = threading.Thread(target=_receive, args=(listener, file), daemon=True)
        receiver.start()
        self._receivers[file] = receiver
        return path

    @keyword
    def finish_stream(self, file: str) -> None:
        """Waits until a stream has ended."""
        receiver = self._receivers.pop(file)
        receiver.join(LONGEST)
        if receiver.is_alive():
            raise AssertionError(f"The stream into {file} has not ended within {LONGEST:g} s.")

    @keyword
    def stream_should_contain(self, file: str, text: str) -> None:
        """Fails unless the text is somewhere in the file."""
        with open(file, "rb") as stream, mmap.mmap(stream.fileno(), 0, prot=mmap.PROT_READ) as data:
            if data.find(text.encode()) < 0:
                raise AssertionError(f"'{text}' is not in the {len(data)} bytes of {file}.")


def _receive(listener: socket.socket, file: str) -> None:
    path = Path(listener.getsockname())
    try:
        with listener, open(file, "wb") as target:
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as source:
                shutil.copyfileobj(source, target)
    finally:
        shutil.rmtree(path.parent)
