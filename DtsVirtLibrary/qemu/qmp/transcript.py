"""What went over a monitor's wire, for whoever reads a failed run: bounded, without secrets."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

# The newest lines are kept; about 40,000 commands with their replies.
SIZE_LIMIT = 5 * 1024 * 1024
LINE_LIMIT = 64 * 1024
# Of a longer message only the start is kept.
SHOWN = 2000
HIDDEN = "***"

_SECRET_NAMES = re.compile(r"pass(word|wd|phrase)|secret$|^data$|^input-data$|^buf-b64$", re.I)
# Human monitor: `set_password vnc X`, `change vnc password X`, `object_add secret,data=X`.
_SECRET_WORDS = re.compile(
    r"^(?P<kept>\s*(?:set_password\s+\S+|change\s+\S+\s+password)\s+)\S+|(?P<name>\bdata=)[^,\s]+"
)


class Transcript:
    """JSON lines such as ``{"at": 1.5, "sent": {"execute": "quit"}}``; `at` in seconds."""

    def __init__(self, size_limit: int = SIZE_LIMIT) -> None:
        self._limit = size_limit
        self._lines: deque[str] = deque()
        self._size = 0
        self._dropped = 0
        self._started = datetime.now(timezone.utc).isoformat(timespec="milliseconds")

    def sent(self, at: float, message: Mapping[str, Any]) -> None:
        """Add a message to QEMU, its secrets hidden."""
        self._add(at, "sent", json.dumps(redacted(message)))

    def received(self, at: float, message: bytes) -> None:
        """Add a message from QEMU, a JSON object as it came."""
        self._add(at, "received", message.decode("utf-8", "replace").strip())

    def text(self) -> str:
        """Return the lines, oldest first.

        The first tells when the times count from (UTC) and how many older lines are gone.
        """
        head = json.dumps({"started": self._started, "dropped": self._dropped})
        return "".join(f"{line}\n" for line in (head, *self._lines))

    def _add(self, at: float, direction: str, message: str) -> None:
        if len(message) > LINE_LIMIT:
            message = json.dumps({"characters": len(message), "start": message[:SHOWN]})
        line = f'{{"at": {at:.6f}, "{direction}": {message}}}'
        self._lines.append(line)
        self._size += len(line)
        while self._size > self._limit:
            self._size -= len(self._lines.popleft())
            self._dropped += 1


def redacted(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return a command with its secret arguments replaced by ``***``."""
    if "arguments" not in message:
        return dict(message)
    return {**message, "arguments": _redacted(message["arguments"])}


def redacted_line(line: str) -> str:
    """Return a line of the human monitor with its secret words replaced by ``***``."""
    return _SECRET_WORDS.sub(lambda found: (found["kept"] or found["name"]) + HIDDEN, line)


def _redacted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _redacted_member(str(name), item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_redacted(item) for item in value]
    return value


def _redacted_member(name: str, value: Any) -> Any:
    if name == "command-line" and isinstance(value, str):
        return redacted_line(value)
    # `password-secret` and its like name a secret object, and are no secret.
    if isinstance(value, str) and _SECRET_NAMES.search(name) and not name.endswith("-secret"):
        return HIDDEN
    return _redacted(value)
