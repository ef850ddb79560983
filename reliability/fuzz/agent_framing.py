"""The guest agent's byte stream: any bytes become the same replies, however they are cut."""

from __future__ import annotations

import json
import re

from DtsVirtLibrary.qemu.agent.framing import AgentReply, ReplyFramer
from DtsVirtLibrary.qemu.foreign_json import DEPTH_LIMIT

LINE_LIMIT = 1000
MANY = 3
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def frame(data: bytes) -> None:
    """Cut a stream into replies, whole and in pieces, and check what is promised of them."""
    whole = list(ReplyFramer(LINE_LIMIT).feed(data))
    framer = ReplyFramer(LINE_LIMIT)
    pieces = [data[at : at + MANY] for at in range(0, len(data), MANY)]
    in_pieces = [reply for piece in pieces for reply in framer.feed(piece)]
    assert in_pieces == whole, (in_pieces, whole)
    for reply in whole:
        _check(reply)


def _check(reply: AgentReply) -> None:
    if reply.problem is not None:
        assert len(reply.problem) < 600, len(reply.problem)
        assert not CONTROLS.search(reply.problem), reply.problem
        reply.problem.encode()
        return
    # A report can hold it: no lone surrogates, no NaN, not deeper than said.
    json.dumps([reply.value, reply.error, reply.id], ensure_ascii=False, allow_nan=False).encode()
    assert _depth(reply.value) <= DEPTH_LIMIT


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0
