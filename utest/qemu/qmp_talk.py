"""The least of QMP that tests need to tell a started QEMU to quit."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SECONDS = 30.0


def quit_qemu(process: subprocess.Popen[Any], monitor: Path) -> None:
    """Wait until a QEMU has taken its command line, then tell it to quit.

    Only an answer proves that it has: it greets before that.
    """
    talk(process, monitor, [("query-status", {})])


def talk(
    process: subprocess.Popen[Any], monitor: Path, questions: Sequence[tuple[str, dict[str, Any]]]
) -> list[Any]:
    """Ask a QEMU, tell it to quit, and return what it answered."""
    commands = [("qmp_capabilities", {}), *questions, ("quit", {})]
    lines = [json.dumps({"execute": name, "arguments": given}) for name, given in commands]
    answers: list[dict[str, Any]] = []
    # A QEMU that refuses its command line closes the monitor after the greeting.
    with _connected(process, monitor) as connection, contextlib.suppress(ConnectionError):
        connection.sendall("\n".join(lines).encode() + b"\n")
        with connection.makefile() as channel:
            for line in channel:
                message = json.loads(line)
                answers += [message] if "return" in message or "error" in message else []
                if len(answers) == len(commands):
                    break
    assert len(answers) == len(commands), f"QEMU answered {answers}; it ended: {process.poll()}"
    assert all("return" in answer for answer in answers), answers
    return [answer["return"] for answer in answers[1:-1]]


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
