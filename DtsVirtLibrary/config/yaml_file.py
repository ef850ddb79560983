"""Reads YAML as nothing but text, lists and mappings, each text with its place.

YAML would otherwise read 0000:04:00.0, 52:54:00:12:34:56, 22:22 and off as numbers and
truth values. Duplicate keys are refused; depth, number of nodes and what aliases add
to them are bounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from DtsVirtLibrary.config.from_values import LocatedText
from DtsVirtLibrary.config.problems import problem, shown
from DtsVirtLibrary.errors import ConfigError
from DtsVirtLibrary.spec import Origin

DEEPEST = 8
MOST_NODES = 20000
TEXT_TAGS = (None, "!", "tag:yaml.org,2002:str")


def read_yaml(source: str, text: str) -> object:
    """Return the document as text, lists and dictionaries; None for an empty one."""
    try:
        return _Reader(source, text).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        origin = Origin(source, mark.line + 1 if mark else None)
        said = error.problem or error.context
        raise problem(origin, None, f"this is no YAML: {said}") from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        said = str(error).splitlines()[0]
        raise problem(Origin(source), None, f"this is no YAML: {said}") from error


class _Reader:
    """Builds the document from the parser's events, which come without recursion."""

    def __init__(self, source: str, text: str) -> None:
        self._source = source
        self._events: Iterator[Any] = yaml.parse(text, Loader=yaml.BaseLoader)
        self._nodes = 0
        self._anchors: dict[str, tuple[object, int]] = {}

    def document(self) -> object:
        next(self._events)  # the beginning of the stream
        begin = next(self._events)
        if isinstance(begin, yaml.StreamEndEvent):
            return None
        content = self._value(next(self._events), 1)
        next(self._events)  # the end of the document
        further = next(self._events)
        if not isinstance(further, yaml.StreamEndEvent):
            raise self._problem(further, "a second document, where only one is allowed")
        return content

    def _value(self, event: Any, depth: int) -> object:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        before = self._nodes
        self._count(event, 1)
        if depth > DEEPEST:
            raise self._problem(event, f"nested deeper than {DEEPEST} levels")
        if event.tag not in TEXT_TAGS:
            raise self._problem(event, f"tag {shown(str(event.tag))}, but everything is text here")
        if isinstance(event, yaml.ScalarEvent):
            value: object = LocatedText(event.value, self._origin(event))
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(depth)
        else:
            value = self._mapping(depth)
        if event.anchor:
            self._anchors[event.anchor] = (value, self._nodes - before)
        return value

    def _alias(self, event: Any) -> object:
        if event.anchor not in self._anchors:
            raise self._problem(event, f"alias *{event.anchor} is not defined before it")
        value, size = self._anchors[event.anchor]
        self._count(event, size)
        return value

    def _sequence(self, depth: int) -> list[object]:
        items: list[object] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._value(event, depth + 1))
        return items

    def _mapping(self, depth: int) -> dict[LocatedText, object]:
        items: dict[LocatedText, object] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._value(event, depth + 1)
            if not isinstance(key, LocatedText):
                raise self._problem(event, "a name is expected, not a list or mapping")
            if key in items:
                raise problem(key.origin, None, f"{shown(key)} stands there twice")
            items[key] = self._value(next(self._events), depth + 1)
        return items

    def _count(self, event: Any, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MOST_NODES:
            raise self._problem(event, f"more than {MOST_NODES} values, aliases counted in full")

    def _origin(self, event: Any) -> Origin:
        return Origin(self._source, event.start_mark.line + 1)

    def _problem(self, event: Any, text: str) -> ConfigError:
        return problem(self._origin(event), None, text)
