"""The grammar of a parameter's value: ``a=1,b=2;a=3`` with quoting.

::

    value  = entry { ";" entry } [ ";" ]
    entry  = option { "," option } [ "," ]
    option = name "=" ( text | quoted ) | text | quoted
    quoted = '"' ... '"' | "'" ... "'"

Blanks around names and values are trimmed, empty options and entries are dropped. In
unquoted text ``%%`` is ``%``. In quoted text every character stands for itself, only
the quote itself is doubled or follows a backslash, and a backslash that is followed by
another one or by the quote is doubled. A quote in the middle of a value is an ordinary
character. ``#`` where an option could begin starts a comment to the end of the line.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from DtsVirtLibrary.config.problems import LONGEST_SHOWN, problem, shown
from DtsVirtLibrary.errors import ConfigError
from DtsVirtLibrary.spec import Origin

# Far more than any VM has; a file full of separators would take seconds to read.
MOST_OPTIONS = 10_000
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
UNQUOTED = re.compile(r"[^,;\n]*")
BLANKS = re.compile(r"[^\S\n]*")
BLANKS_AND_COMMENTS = re.compile(r"(?:\s+|#[^\n]*)*")
INTERPOLATION = re.compile(r"%\([^()]*\)s")
COMMENT = re.compile(r"\s#")
NEEDS_QUOTES = re.compile(r"[,;%#=\n\"']")


@dataclass(frozen=True)
class Line:
    """A line of a value and where it stands."""

    text: str
    origin: Origin


@dataclass(frozen=True)
class WrittenOption:
    """An option as written.

    :ivar name: None for a text that is not of the form ``name=...``.
    :ivar text: the value, or all of it if there is no name.
    """

    name: str | None
    text: str
    origin: Origin


def parse_value(
    lines: Sequence[Line], place: str, conceal: bool = False
) -> list[list[WrittenOption]]:
    """Return the entries of a value, each a list of options; ConfigError if it is none.

    :param place: parameter's name, for messages.
    :param conceal: show no part of the value in messages.
    """
    return _Scanner(lines, place, conceal).entries()


def quote(text: str) -> str:
    """Return `text` so that the grammar reads it back as it is."""
    if text and text == text.strip() and not NEEDS_QUOTES.search(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class _Scanner:
    """Reads one value from left to right."""

    def __init__(self, lines: Sequence[Line], place: str, conceal: bool) -> None:
        self._lines = lines
        self._text = "\n".join(line.text for line in lines)
        self._starts = [0]
        for line in lines[:-1]:
            self._starts.append(self._starts[-1] + len(line.text) + 1)
        self._place = place
        self._conceal = conceal
        self._position = 0
        self._count = 0

    def entries(self) -> list[list[WrittenOption]]:
        entries: list[list[WrittenOption]] = [[]]
        while character := self._next_character():
            if character == ";":
                entries.append([])
            if character in ",;":
                self._position += 1
                continue
            entries[-1].append(self._option())
            self._count += 1
            if self._count > MOST_OPTIONS:
                raise self._problem(self._position - 1, f"more than {MOST_OPTIONS} options")
            if self._next_line_begins_an_entry(entries[-1]):
                entries.append([])
        return [entry for entry in entries if entry]

    def _next_character(self) -> str:
        self._skip(BLANKS_AND_COMMENTS)
        return self._peek()

    def _peek(self) -> str:
        return self._text[self._position : self._position + 1]

    def _skip(self, what: re.Pattern[str]) -> None:
        match = what.match(self._text, self._position)
        self._position = match.end() if match else self._position

    def _option(self) -> WrittenOption:
        origin = self._line(self._position).origin
        if self._is_quote():
            return WrittenOption(None, self._quoted(), origin)
        match = UNQUOTED.match(self._text, self._position)
        assert match is not None
        name, equals, _ = match[0].partition("=")
        if not equals or not NAME.fullmatch(name.strip()):
            self._position = match.end()
            return WrittenOption(None, self._plain(match[0]), origin)
        self._position += len(name) + 1
        self._skip(BLANKS)
        if self._is_quote():
            return WrittenOption(name.strip(), self._quoted(), origin)
        text = self._text[self._position : match.end()]
        self._position = max(self._position, match.end())
        return WrittenOption(name.strip(), self._plain(text), origin)

    def _is_quote(self) -> bool:
        return self._peek() in ('"', "'")

    def _quoted(self) -> str:
        opened, mark = self._position, self._peek()
        characters: list[str] = []
        self._position += 1
        while (character := self._peek()) not in ("", "\n"):
            following = self._text[self._position + 1 : self._position + 2]
            doubled = character == mark == following
            escaped = character == "\\" and following in (mark, "\\")
            if character == mark and not doubled:
                self._position += 1
                self._expect_end_of_option(opened)
                return "".join(characters)
            characters.append(following if escaped else character)
            self._position += 2 if doubled or escaped else 1
        raise self._problem(opened, f"the quote {mark} is not closed on its line")

    def _expect_end_of_option(self, opened: int) -> None:
        self._skip(BLANKS)
        if self._peek() not in (",", ";", "\n", ""):
            raise self._problem(
                opened,
                "text stands behind the closing quote",
                "Quotes enclose a whole value; a quote inside of them is written twice.",
            )

    def _plain(self, raw: str) -> str:
        text = raw.strip()
        if COMMENT.search(text):
            raise self._problem(
                self._position - 1,
                "' #' in a value without quotes",
                "A comment stands on a line of its own or after ';'. "
                "If # belongs to the value, put the value in quotes.",
            )
        if INTERPOLATION.search(text):
            raise self._problem(
                self._position - 1,
                "%(...)s is not replaced by another option's value",
                "Write the value itself, or put the value in quotes if % belongs to it.",
            )
        return text.replace("%%", "%")

    def _next_line_begins_an_entry(self, entry: Sequence[WrittenOption]) -> bool:
        """Tell whether the option just read ends its entry without a separator.

        It may do so where the next line begins with the name that the entry begins
        with, as in the list of devices of the framework's first description.
        """
        self._skip(BLANKS)
        if self._peek() != "\n":
            return False
        end = self._position
        if self._next_character() in ("", ",", ";"):
            return False
        name = NAME.match(self._text, self._position)
        if name and name[0] == entry[0].name:
            return True
        raise self._missing_separator(end, self._position)

    def _missing_separator(self, end: int, begin: int) -> ConfigError:
        first, second = self._line(end), self._line(begin)
        facts = ["Write ',' at its end if the next line continues the entry, ';' if one begins."]
        left, right = first.text.strip(), second.text.strip()
        if not self._conceal and len(left) + len(right) <= 2 * LONGEST_SHOWN:
            facts += [f"One entry:   {left},{right}", f"Two entries: {left};{right}"]
        return self._problem(end, "the line ends without ',' or ';' and another follows", *facts)

    def _line(self, position: int) -> Line:
        return self._lines[bisect_right(self._starts, position) - 1]

    def _problem(self, position: int, text: str, *facts: str) -> ConfigError:
        line = self._line(position)
        if not self._conceal:
            facts = (*facts, f"Found: {shown(line.text.strip())}")
        return problem(line.origin, self._place, text, facts)
