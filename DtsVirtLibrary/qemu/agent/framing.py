"""Cut the guest agent's byte stream into replies and trust none of it.

The agent writes one JSON object a line and sets a 0xFF byte, which no UTF-8 text holds,
before the answer to ``guest-sync-delimited``. What comes may be half a line of an
earlier boot, noise of a firmware that touched the port, or an attack by the guest. No
socket and no loop here: bytes in, replies out, the same however the bytes were split.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from DtsVirtLibrary.printable import printable
from DtsVirtLibrary.qemu.foreign_json import checked_json

# The longest true reply holds two streams of 16 MiB in base64.
LINE_LIMIT = 64 * 1024 * 1024
# The agent's integers have 64 bits, 20 digits at most; Python's reader is quadratic.
DIGIT_LIMIT = 40
SHOWN = 200
DELIMITER = b"\xff"


@dataclass(frozen=True)
class AgentReply:
    """One line of the agent.

    :ivar delimited: a 0xFF stood right before it.
    :ivar problem: why the line is no reply; None if it is one.
    :ivar value: what the command returned; of no meaning with `error` or `problem`.
    :ivar error: the agent's words if it refused.
    :ivar error_class: such as ``CommandNotFound``, empty without `error`.
    :ivar id: the id that the agent echoed, None if it did not.
    """

    delimited: bool
    problem: str | None = None
    value: Any = None
    error: str | None = None
    error_class: str = ""
    id: object = None


class ReplyFramer:
    """Collects bytes and hands out the replies that are complete.

    :param line_limit: a line longer than this is reported once and thrown away.
    """

    def __init__(self, line_limit: int = LINE_LIMIT) -> None:
        self._limit = line_limit
        self._line = bytearray()
        self._delimited = False
        self._overlong = False

    def feed(self, data: bytes) -> Iterator[AgentReply]:
        """Yield the replies that `data` completes."""
        *complete, rest = data.split(b"\n")
        for part in complete:
            yield from self._add(part)
            yield from self._end_line()
        yield from self._add(rest)

    def _add(self, part: bytes) -> Iterator[AgentReply]:
        for number, segment in enumerate(part.split(DELIMITER)):
            if number:
                # Whatever stood before the delimiter is void, however long it was.
                self._line.clear()
                self._overlong = False
                self._delimited = True
            yield from self._append(segment)

    def _append(self, segment: bytes) -> Iterator[AgentReply]:
        if self._overlong:
            return
        self._line += segment
        if len(self._line) > self._limit:
            self._overlong = True
            self._line.clear()
            yield AgentReply(
                self._delimited, problem=f"a line of more than {self._limit} bytes without an end"
            )

    def _end_line(self) -> Iterator[AgentReply]:
        line, delimited, overlong = bytes(self._line), self._delimited, self._overlong
        self._line.clear()
        self._delimited = self._overlong = False
        if not overlong and line.strip():
            yield _read(line, delimited)


def _read(line: bytes, delimited: bool) -> AgentReply:
    try:
        return _reply(_parse(line), delimited)
    except RecursionError:
        problem = "it is nested too deeply"
    except ValueError as error:
        problem = str(error)
    return AgentReply(
        delimited, problem=f"{printable(problem, SHOWN)}: {printable(line[:1000], SHOWN)}"
    )


def _parse(line: bytes) -> object:
    # Undecodable bytes are replaced and not refused: a file name in an error may hold them.
    value = json.loads(
        line.decode("utf-8", "replace"),
        parse_int=_integer,
        parse_float=_float,
        parse_constant=_refuse_constant,
    )
    return checked_json(value)


def _reply(value: object, delimited: bool) -> AgentReply:
    if not isinstance(value, Mapping):
        raise ValueError("it is not an object")
    if ("return" in value) == ("error" in value):
        raise ValueError("it has not exactly one of 'return' and 'error'")
    if "return" in value:
        return AgentReply(delimited, value=value["return"], id=value.get("id"))
    error = value["error"]
    if not isinstance(error, Mapping) or not isinstance(error.get("desc"), str):
        raise ValueError("its 'error' has no text 'desc'")
    return AgentReply(
        delimited,
        error=printable(error["desc"], 2000),
        error_class=printable(str(error.get("class", "GenericError")), SHOWN),
        id=value.get("id"),
    )


def _integer(digits: str) -> int:
    if len(digits) > DIGIT_LIMIT:
        raise ValueError(f"it holds a number of {len(digits)} digits")
    return int(digits)


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("it holds a number that is too large")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"it holds {name}, which is not JSON")
