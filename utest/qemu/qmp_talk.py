"""The least of QMP that tests need to tell a started QEMU to quit."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

SECONDS = 30.0


def quit_qemu(process: subprocess.Popen[Any], monitor: Path) -> Any:
    """Greet a QEMU, ask for its status, tell it to quit, and return the status.

    Only an answer proves that it has taken its command line: it greets before that.
    """
    answers: list[dict[str, Any]] = []
    commands = ("qmp_capabilities", "query-status", "quit")
    text = "".join(json.dumps({"execute": command}) + "\n" for command in commands)
    # A QEMU that refuses its command line closes the monitor after the greeting.
    with _connected(process, monitor) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(text.encode())
        with connection.makefile() as channel:
            for line in channel:
                message = json.loads(line)
                answers += [message] if "return" in message or "error" in message else []
                if len(answers) == len(commands):
                    break
    assert len(answers) == len(commands), (
        f"QEMU answered {answers} and ended with {process.wait(10)}"
    )
    assert all("return" in answer for answer in answers), answers
    return answers[1]["return"]


def _connected(process: subprocess.Popen[Any], monitor: Path) -> socket.socket:
    end = time.monotonic() + SECONDS
    while True:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(SECONDS)
        try:
            connection.connect(bytes(monitor))
            return connection
        except OSError:
            connection.close()
            assert process.poll() is None, f"QEMU ended at once with {process.returncode}"
            assert time.monotonic() < end, "QEMU made no monitor"
            time.sleep(0.005)
