"""The transcript: bounded, valid JSON lines, no secrets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from DtsVirtLibrary.qemu.qmp.transcript import Transcript, redacted, redacted_line


def lines(transcript: Transcript) -> list[dict[str, Any]]:
    return [json.loads(line) for line in transcript.text().splitlines()][1:]


def test_messages_of_both_directions() -> None:
    transcript = Transcript()
    transcript.sent(0.5, {"execute": "quit"})
    transcript.received(1.25, b'{"return": {}}\r\n')
    assert lines(transcript) == [
        {"at": 0.5, "sent": {"execute": "quit"}},
        {"at": 1.25, "received": {"return": {}}},
    ]


def test_a_long_message_is_cut_and_says_so() -> None:
    transcript = Transcript()
    transcript.received(0, b'{"return": "' + b"x" * 100_000 + b'"}')
    (line,) = lines(transcript)
    assert line["received"]["characters"] == 100_014
    assert line["received"]["start"].startswith('{"return": "xxx')
    assert len(transcript.text()) < 5000


def test_the_oldest_lines_go_first_and_are_counted() -> None:
    transcript = Transcript(size_limit=1000)
    for number in range(100):
        transcript.sent(number, {"execute": str(number)})
    kept = lines(transcript)
    head = json.loads(transcript.text().splitlines()[0])
    assert head["dropped"] == 100 - len(kept)
    assert [line["sent"]["execute"] for line in kept] == [
        str(number) for number in range(head["dropped"], 100)
    ]
    assert len(transcript.text()) < 1200


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"protocol": "vnc", "password": "x"}, {"protocol": "vnc", "password": "***"}),
        ({"qom-type": "secret", "data": "x"}, {"qom-type": "secret", "data": "***"}),
        ({"options": [{"passphrase": "x"}]}, {"options": [{"passphrase": "***"}]}),
        ({"input-data": "eA==", "buf-b64": "eA=="}, {"input-data": "***", "buf-b64": "***"}),
        ({"password-secret": "s0"}, {"password-secret": "s0"}),
        ({"command-line": "set_password vnc x"}, {"command-line": "set_password vnc ***"}),
        ({"data": {"n": 1}}, {"data": {"n": 1}}),
    ],
)
def test_secrets_are_hidden(arguments: dict[str, Any], expected: dict[str, Any]) -> None:
    assert redacted({"execute": "x", "arguments": arguments}) == {
        "execute": "x",
        "arguments": expected,
    }


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("set_password vnc swordfish keep", "set_password vnc *** keep"),
        ("change vnc password swordfish", "change vnc password ***"),
        ("object_add secret,id=s0,data=swordfish", "object_add secret,id=s0,data=***"),
        ("object_add secret,data=swordfish,id=s0", "object_add secret,data=***,id=s0"),
        ("info usernet", "info usernet"),
        ("change ide1-cd0 /metadata=x.iso", "change ide1-cd0 /metadata=x.iso"),
    ],
)
def test_secrets_of_the_human_monitor_are_hidden(line: str, expected: str) -> None:
    assert redacted_line(line) == expected


@given(st.dictionaries(st.text(), st.text()))
def test_every_line_is_json(arguments: dict[str, str]) -> None:
    transcript = Transcript()
    transcript.sent(0, {"execute": "x", "arguments": arguments})
    assert set(lines(transcript)[0]["sent"]["arguments"]) == set(arguments)
