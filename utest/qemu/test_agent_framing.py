"""The agent's bytes become replies, the same however they were split, and none is trusted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from DtsVirtLibrary.qemu.agent.framing import AgentReply, ReplyFramer

LIMIT = 200
GOOD = b'{"return": 7, "id": "a"}\n'


def replies(*chunks: bytes, limit: int = LIMIT) -> list[AgentReply]:
    framer = ReplyFramer(limit)
    return [reply for chunk in chunks for reply in framer.feed(chunk)]


def only(*chunks: bytes) -> AgentReply:
    (reply,) = replies(*chunks)
    return reply


def test_a_return() -> None:
    assert only(GOOD) == AgentReply(delimited=False, value=7, id="a")


def test_a_return_of_null_is_a_reply() -> None:
    assert only(b'{"return": null}\n') == AgentReply(delimited=False, value=None)


def test_an_error() -> None:
    line = b'{"error": {"class": "CommandNotFound", "desc": "no \\u001b[31msuch"}, "id": 3}\n'
    assert only(line) == AgentReply(
        delimited=False, error="no such", error_class="CommandNotFound", id=3
    )


def test_half_a_line_is_no_reply_yet() -> None:
    assert replies(GOOD[:-1]) == []


def test_a_line_is_joined_from_pieces() -> None:
    assert only(*(bytes([byte]) for byte in GOOD)) == only(GOOD)


def test_empty_lines_are_nothing() -> None:
    assert replies(b"\n\r\n  \n") == []


def test_a_delimiter_voids_what_stood_before_it() -> None:
    assert only(b'{"retu\xff' + GOOD) == AgentReply(delimited=True, value=7, id="a")


def test_a_delimiter_counts_for_one_line_only() -> None:
    assert [reply.delimited for reply in replies(b"\xff" + GOOD + GOOD)] == [True, False]


def test_repeated_delimiters_are_one() -> None:
    assert only(b"\xff\xff" + b"\xff" + GOOD).delimited


def test_an_overlong_line_is_reported_once_and_the_next_is_read() -> None:
    overlong, good = replies(b"x" * LIMIT, b"x", b"x" * LIMIT, b"\n" + GOOD)
    assert overlong.problem == "a line of more than 200 bytes without an end"
    assert good.value == 7


def test_a_delimiter_ends_an_overlong_line() -> None:
    overlong, good = replies(b"x" * (LIMIT + 1), b"\xff" + GOOD)
    assert overlong.problem
    assert good == AgentReply(delimited=True, value=7, id="a")


def test_an_overlong_line_is_not_kept_in_memory() -> None:
    framer = ReplyFramer(LIMIT)
    found = [reply for _ in range(1000) for reply in framer.feed(b"x" * 1000)]
    assert len(found) == 1
    assert len(framer._line) <= LIMIT


@pytest.mark.fault(64)
@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"garbage", "Expecting value"),
        (b'{"return": 1', "Expecting ',' delimiter"),
        (b"[1]", "it is not an object"),
        (b'"text"', "it is not an object"),
        (b"{}", "not exactly one of 'return' and 'error'"),
        (b'{"return": 1, "error": {"desc": "x"}}', "not exactly one of"),
        (b'{"error": "x"}', "no text 'desc'"),
        (b'{"error": {"desc": 5}}', "no text 'desc'"),
        (b'{"return": NaN}', "it holds NaN, which is not JSON"),
        (b'{"return": -Infinity}', "it holds -Infinity"),
        (b'{"return": 1e999}', "a number that is too large"),
        (b'{"return": ' + b"9" * 5000 + b"}", "a number of 5000 digits"),
        (b'{"return": ' + b"[" * 65 + b"]" * 65 + b"}", "nested more than 64 deep"),
        (b'{"return": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"return": "\x00"}', "Invalid control character"),
    ],
)
def test_what_is_no_reply_says_why(line: bytes, problem: str) -> None:
    (reply,) = replies(line + b"\n", limit=1_000_000)
    assert reply.problem is not None
    assert problem in reply.problem
    assert len(reply.problem) < 500


@pytest.mark.fault(64)
def test_a_problem_is_printable() -> None:
    problem = only(b"\x1b[31m\x00 \xed\xa0\x80 noise\n").problem
    assert problem is not None
    assert problem.endswith(" \ufffd\ufffd\ufffd noise")


@pytest.mark.fault(64)
def test_lone_surrogates_are_replaced_in_values_and_names() -> None:
    reply = only(b'{"return": {"n\\ud800": ["\\udfff", 1]}}\n')
    assert reply.value == {"n\ufffd": ["\ufffd", 1]}


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert only(b'{"return": "\\ud83d\\ude00"}\n').value == "\U0001f600"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
LINE = st.one_of(
    st.binary(max_size=2 * LIMIT),
    st.builds(lambda value: json.dumps({"return": value, "id": "x"}).encode(), JSON),
    st.builds(lambda value: b"\xff" + json.dumps({"return": value}).encode(), JSON),
)


@given(st.lists(LINE, max_size=6), st.data())
def test_any_split_of_the_bytes_gives_the_same_replies(lines: list[bytes], data: Any) -> None:
    stream = b"\n".join([*lines, b""])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    bounds = list(zip([0, *cuts], [*cuts, len(stream)], strict=True))
    assert replies(*(stream[start:end] for start, end in bounds)) == replies(stream)


@given(JSON)
def test_a_value_comes_through(value: Any) -> None:
    (reply,) = replies(json.dumps({"return": value}).encode() + b"\n", limit=10_000)
    assert reply.value == value


@pytest.mark.fault(63)
@given(st.binary(max_size=500))
def test_noise_before_the_delimiter_never_hides_the_answer(noise: bytes) -> None:
    assert replies(noise + b"\xff" + GOOD)[-1] == AgentReply(delimited=True, value=7, id="a")
