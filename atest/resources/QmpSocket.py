"""Talks QMP to a QEMU that was started by hand."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

from robot.api.deco import keyword, library

PATIENCE = 30.0


@library(scope="GLOBAL", auto_keywords=False)
class QmpSocket:
    """A monitor behind a UNIX socket."""

    @keyword
    def ask_qemu_on_socket(self, path: str, *commands: str) -> list[Any]:
        """Connects to QEMU's socket as soon as it is there, and returns each command's answer."""
        with self._connected(path) as connection, connection.makefile("rw") as stream:
            greeting = json.loads(stream.readline())
            assert "QMP" in greeting, greeting
            return [self._ask(stream, command) for command in ("qmp_capabilities", *commands)][1:]

    @staticmethod
    def _connected(path: str) -> socket.socket:
        end = time.monotonic() + PATIENCE
        while True:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(PATIENCE)
            try:
                connection.connect(path)
                return connection
            except OSError as error:
                connection.close()
                if time.monotonic() > end:
                    raise AssertionError(f"Nothing answers on {path}: {error}") from error
                time.sleep(0.02)

    @staticmethod
    def _ask(stream: Any, command: str) -> Any:
        stream.write(json.dumps({"execute": command}))
        stream.flush()
        while "return" not in (answer := json.loads(stream.readline())):
            assert "event" in answer, answer
        return answer["return"]
