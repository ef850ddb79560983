"""Reads sections and parameters of a .cfg file.

The grammar is that of DTS's files: ``[section]``, ``parameter = value`` with the value on
the same line or on indented lines below, whole lines beginning with ``#`` or ``;`` are
comments. Only sections that are asked for are read as VMs, so that others may hold
anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from DtsVirtLibrary.config.definitions import Parameter
from DtsVirtLibrary.config.entries import Entry, Parameters
from DtsVirtLibrary.config.from_values import entries_from_lines, no_value
from DtsVirtLibrary.config.grammar import Line
from DtsVirtLibrary.config.parameters import find_parameter, is_parameter
from DtsVirtLibrary.config.problems import problem, shown
from DtsVirtLibrary.spec import Origin

SECTION = re.compile(r"\[([^\[\]]+)\]\s*(?:[#;].*)?")
PARAMETER = re.compile(r"([^=:]*)[=:](.*)", re.DOTALL)
COMMENT = ("#", ";")


@dataclass(frozen=True)
class Section:
    """A section's own line and the lines in it, comments and empty ones left out."""

    origin: Origin
    lines: tuple[Line, ...]


def split_sections(source: str, text: str) -> dict[str, Section]:
    """Return the sections of a file by name; ConfigError for a second one of a name."""
    found: list[tuple[str, Origin, list[Line]]] = []
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        origin = Origin(source, number)
        stripped = line.strip()
        if not stripped or stripped.startswith(COMMENT):
            continue
        if header := SECTION.fullmatch(line.rstrip()):
            found.append((header[1].strip(), origin, []))
        elif found:
            found[-1][2].append(Line(line, origin))
        else:
            raise problem(origin, None, _no_section(stripped))
    sections: dict[str, Section] = {}
    for name, origin, lines in found:
        if name in sections:
            facts = [f"The first: {sections[name].origin}"]
            raise problem(origin, None, f"section [{name}] stands there twice", facts)
        sections[name] = Section(origin, tuple(lines))
    return sections


def _no_section(line: str) -> str:
    """Say what is wrong with a line that no section holds."""
    if line.startswith("["):
        return f"{shown(line)} is no section: it begins with '[' and ends with ']', as in [vm0]"
    return f"{shown(line)} stands before the first [section]"


def read_section(section: Section) -> Parameters:
    """Return the parameters of a section; ConfigError for the first line that is wrong."""
    places: dict[str, Origin] = {}
    parameters: dict[str, tuple[Entry, ...]] = {}
    for definition, origin, lines in _parameters(section.lines):
        if definition.name in places:
            facts = [f"The first: {places[definition.name]}"]
            raise problem(origin, definition.name, "the parameter stands there twice", facts)
        places[definition.name] = origin
        entries = entries_from_lines(definition, lines)
        if not entries:
            raise no_value(definition, origin)
        parameters[definition.name] = entries
    return Parameters(parameters)


def _parameters(lines: Sequence[Line]) -> Iterator[tuple[Parameter, Origin, list[Line]]]:
    """Yield each parameter with its value's lines, which are indented more than its own."""
    current: tuple[Parameter, Origin, list[Line]] | None = None
    indentation = 0
    for line in lines:
        indent = len(line.text) - len(line.text.lstrip())
        if current is not None and indent > indentation:
            current[2].append(line)
            continue
        previous, current = current, _begin(line, current)
        indentation = indent
        if previous:
            yield previous
    if current:
        yield current


def _begin(
    line: Line, previous: tuple[Parameter, Origin, list[Line]] | None
) -> tuple[Parameter, Origin, list[Line]]:
    match = PARAMETER.fullmatch(line.text)
    name = match[1].strip() if match else ""
    if match is None or not is_parameter(name):
        _refuse_continuation(line, name, previous[0] if previous else None)
    if match is None or not name:
        raise problem(line.origin, None, "expected [section] or 'parameter = value'")
    return find_parameter(name, line.origin), line.origin, [Line(match[2], line.origin)]


def _refuse_continuation(line: Line, name: str, previous: Parameter | None) -> None:
    """Say of a line that begins with an option that it is not indented."""
    if previous is None or (name and not previous.find_anywhere(name)):
        return
    text = f"the line is not indented, so it does not belong to '{previous.name}' above it"
    raise problem(line.origin, None, text, _repair(line, previous))


def _repair(line: Line, previous: Parameter) -> list[str]:
    if previous.has_secrets:
        return ["Put blanks at its beginning."]
    return [f"Write it with blanks at its beginning: '    {line.text.strip()}'"]
