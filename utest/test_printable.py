"""Text from guests: nothing of it may harm a terminal or a report."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from DtsVirtLibrary.printable import LIMIT, printable

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain äöü 漢字", "plain äöü 漢字"),
        ("tab\tand\nnewline", "tab\tand\nnewline"),
        ("\x1b[31;1mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]0;title\x1b\\text", "text"),
        ("\x1bcleared", "cleared"),
        ("a\x00b\x7fc\x9bd\re", "abcde"),
        ("\ud800", "\ufffd"),
        ("\uffff\ufffe", ""),
        (b"\xff\xc3\xa4", "\ufffdä"),
    ],
)
def test_makes_text_safe(text: str | bytes, expected: str) -> None:
    assert printable(text) == expected


def test_long_text_is_cut_and_says_so() -> None:
    assert printable("abcdef", limit=4) == "abcd... (2 more characters)"


def test_text_at_the_limit_is_left_alone() -> None:
    assert printable("x" * LIMIT) == "x" * LIMIT


@given(ANY_TEXT)
def test_result_fits_into_xml_and_utf8(text: str) -> None:
    element = ElementTree.Element("msg")
    element.text = printable(text)
    read_back = ElementTree.fromstring(ElementTree.tostring(element, encoding="utf-8"))
    assert (read_back.text or "") == printable(text)


@given(ANY_TEXT)
def test_result_is_left_alone_by_a_second_pass(text: str) -> None:
    assert printable(printable(text)) == printable(text)
