"""What programs print becomes plain text, whatever pieces it comes in, and can be searched."""

from __future__ import annotations

import threading

import pytest
from pexpect.exceptions import EOF, TIMEOUT

from DtsVirtLibrary.guest import screen as screen_module
from DtsVirtLibrary.guest.screen import Cleaner, Screen

RAW_AND_CLEAN = [
    (b"plain\n", "plain\n"),
    (b"terminal\r\n", "terminal\n"),
    (b"echo of a line editor\r\r\n", "echo of a line editor\n"),
    (b"10 %\r20 %\rdone\r\n", "10 %\n20 %\ndone\n"),
    (b"\x1b[1;31mred\x1b[0m and \x1b[Kplain", "red and plain"),
    (b"\x1b]0;title\x07text", "text"),
    (b"\x1b]0;title\x1b\\text", "text"),
    (b"\x1b[?2004hprompt", "prompt"),
    (b"\x1b(Btext\x1b=", "text"),
    (b"bell\x07 and null\x00", "bell and null"),
    (b"a\tb", "a\tb"),
    ("größer".encode(), "größer"),
    (b"junk \xff\xfe here", "junk \ufffd\ufffd here"),
    (b"\x1b[31", "[31"),
    (b"\x1b\x1b[0mx", "x"),
]


@pytest.mark.parametrize(("raw", "clean"), RAW_AND_CLEAN)
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_text_is_the_same_in_any_pieces(raw: bytes, clean: str, size: int) -> None:
    cleaner = Cleaner()
    pieces = [cleaner.clean(raw[at : at + size]) for at in range(0, len(raw), size)]
    assert "".join(pieces) + cleaner.clean(b"", final=True) == clean


def test_escape_that_never_ends_does_not_hold_text_back_for_ever() -> None:
    cleaner = Cleaner()
    text = cleaner.clean(b"\x1b[" + b"1" * 1000)
    assert len(text) > 500


def test_search_finds_what_comes_in_two_pieces() -> None:
    screen = Screen()
    screen.feed(b"answer\ntest")
    screen.feed(b"pmd> ")
    assert screen.expect_exact("testpmd>", timeout=5) == 0
    assert screen.before == "answer\n"


def test_search_waits_for_another_thread() -> None:
    screen = Screen()
    feeder = threading.Timer(0.05, screen.feed, [b"late> "])
    feeder.start()
    assert screen.expect_exact("late>", timeout=30) == 0
    feeder.join()


def test_search_ends_with_the_program() -> None:
    screen = Screen()
    screen.feed(b"last words")
    screen.end()
    with pytest.raises(EOF):
        screen.expect_exact("prompt", timeout=30)
    assert screen.text() == "last words"


def test_search_ends_with_its_time() -> None:
    with pytest.raises(TIMEOUT):
        Screen().expect_exact("prompt", timeout=0.01)


def test_take_returns_each_text_once() -> None:
    screen = Screen()
    screen.feed(b"one> two")
    screen.expect_exact("one>", timeout=5)
    screen.feed(b" three")
    assert screen.take() == " two three"
    assert screen.take() == ""


def test_last_lines_are_the_last_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen_module, "TRANSCRIPT_HEAD", 100)
    screen = Screen()
    for number in range(1000):
        screen.feed(f"line {number}\n".encode())
    assert screen.last_lines(2) == ["line 998", "line 999"]


def test_transcript_of_very_much_loses_its_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen_module, "TRANSCRIPT_HEAD", 100)
    monkeypatch.setattr(screen_module, "TRANSCRIPT_TAIL", 100)
    screen = Screen()
    for number in range(1000):
        screen.feed(f"line {number:4}\n".encode())
    text = screen.text()
    assert text.startswith("line    0\n")
    assert text.endswith("line  999\n")
    assert "characters were dropped here" in text
    assert len(text) < 400


def test_unread_text_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen_module, "PENDING_LIMIT", 100)
    screen = Screen()
    for number in range(1000):
        screen.feed(f"line {number:4}\n".encode())
    assert screen.take().endswith("line  999\n")
