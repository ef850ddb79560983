"""Entries from text in the grammar, from YAML and from Python's and Robot Framework's values."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TypeGuard

from DtsVirtLibrary.config.definitions import Parameter
from DtsVirtLibrary.config.entries import Entry, OptionText, SecretText
from DtsVirtLibrary.config.grammar import Line, WrittenOption, parse_value, quote
from DtsVirtLibrary.config.option_types import TEXT
from DtsVirtLibrary.config.parameters import find_parameter
from DtsVirtLibrary.config.problems import LONGEST_SHOWN, problem, unknown
from DtsVirtLibrary.errors import ConfigError
from DtsVirtLibrary.printable import without_surrogates
from DtsVirtLibrary.spec import Origin

# Far above everything that is allowed, and Python still turns it into text.
LARGEST_NUMBER = 10**18
HOW_TO_QUOTE = 'A value that holds a comma or semicolon is put in quotes: name="a,b".'


class LocatedText(str):
    """Text from a file, with the place where it stands."""

    origin: Origin

    def __new__(cls, text: str, origin: Origin) -> LocatedText:
        located = super().__new__(cls, text)
        located.origin = origin
        return located


def entries_from_value(parameter: str, value: object, origin: Origin) -> tuple[Entry, ...]:
    """Return the entries of a parameter from what a tester gave for it.

    :param value: text in the grammar of the .cfg file; a mapping option -> value; a
        list of these; a single number or truth value, for the parameter's main option.
        None stands for a parameter that is not given.
    :raises ConfigError: for an unknown parameter or a value that cannot be read.
    """
    definition = find_parameter(parameter, _origin_of(parameter, origin))
    if value is None:
        return ()
    items = value if _is_list(value) else [value]
    entries = [entry for item in items for entry in _entries(definition, item, origin)]
    if not entries:
        raise no_value(definition, _origin_of(parameter, origin))
    return tuple(entries)


def entries_from_lines(definition: Parameter, lines: Sequence[Line]) -> tuple[Entry, ...]:
    """Return the entries of a parameter from lines of text in the grammar."""
    written = parse_value(lines, definition.name, conceal=definition.has_secrets)
    return tuple(_entry(definition, options) for options in written)


def no_value(definition: Parameter, origin: Origin) -> ConfigError:
    """Return the error that a parameter was named and given nothing."""
    hint = (
        "Write type=none for a VM without a network card."
        if definition.name == "net"
        else ("Take the parameter out to have its default.")
    )
    known = ", ".join(definition.names)
    return problem(origin, definition.name, "no value", (f"Options: {known}", hint))


def _entries(definition: Parameter, value: object, origin: Origin) -> tuple[Entry, ...]:
    origin = _origin_of(value, origin)
    if isinstance(value, Mapping):
        return (_entry_from_mapping(definition, value, origin),)
    text = _text(definition, None, value, origin)
    if isinstance(text, str):
        lines = [Line(line, origin) for line in text.split("\n")]
        return entries_from_lines(definition, lines)
    raise problem(origin, definition.name, "a secret is the value of an option, not of all of it")


def _entry_from_mapping(
    definition: Parameter, value: Mapping[object, object], origin: Origin
) -> Entry:
    options: dict[str, OptionText] = {}
    origins: dict[str, Origin] = {}
    for name, item in value.items():
        if not isinstance(name, str):
            raise problem(origin, definition.name, f"option {name!r} is not a text")
        if item is not None:
            origins[name] = _origin_of(name, origin)
            options[str(name)] = _option_text(definition, name, item, origins[name])
    first = next(iter(origins.values()), origin)
    return Entry(options, first, origins)


def _option_text(definition: Parameter, name: str, value: object, origin: Origin) -> OptionText:
    """Return the text of an option; a mapping becomes ``a=1,b=2``, a list is joined."""
    option = definition.find_anywhere(name)
    if isinstance(value, Mapping):
        items = {str(key): _plain(definition, name, item, origin) for key, item in value.items()}
        return ",".join(f"{key}={item.replace(',', ',,')}" for key, item in items.items())
    if _is_list(value):
        join = (option.type if option else TEXT).join
        return join([_plain(definition, name, item, origin) for item in value])
    return _text(definition, name, value, origin)


def _plain(definition: Parameter, name: str, value: object, origin: Origin) -> str:
    text = _text(definition, name, value, origin)
    if not isinstance(text, str):
        raise problem(origin, definition.name, f"{name}: a secret stands alone, not in a list")
    return text


def _text(definition: Parameter, name: str | None, value: object, origin: Origin) -> OptionText:
    if isinstance(value, bool):
        return "on" if value else "off"
    place = definition.name if name is None else f"{definition.name}: {name}"
    if isinstance(value, str):
        return _passable(str(value), place, origin)
    if isinstance(value, float) and not value.is_integer():
        return str(value)
    if isinstance(value, int | float):
        if abs(value) >= LARGEST_NUMBER:
            raise problem(origin, place, f"a number of {LARGEST_NUMBER} or more")
        return str(int(value))
    if isinstance(value, os.PathLike):
        return _passable(os.fsdecode(value), place, origin)
    if isinstance(value, SecretText) and isinstance(value.value, str):
        _passable(value.value, place, origin)
        return value
    kind = type(value).__name__
    raise problem(origin, place, f"a value of type {kind}, expected text, a number, yes or no")


def _passable(text: str, place: str, origin: Origin) -> str:
    """Return `text`, which may be a secret, if a program and QMP's JSON can be handed it."""
    if "\0" in text:
        raise problem(origin, place, "a NUL character, which no program can be handed")
    if without_surrogates(text) != text:
        raise problem(origin, place, "half of a pair of surrogates, so it is no Unicode text")
    return text


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray)


def _origin_of(value: object, otherwise: Origin) -> Origin:
    return value.origin if isinstance(value, LocatedText) else otherwise


def _entry(definition: Parameter, written: Sequence[WrittenOption]) -> Entry:
    options: dict[str, OptionText] = {}
    origins: dict[str, Origin] = {}
    for index, option in enumerate(written):
        name, text = option.name, option.text
        if name is None:
            name, text = _named(definition, option, written[:index])
        if name in options:
            raise problem(option.origin, definition.name, f"option '{name}' stands there twice")
        options[name] = text
        origins[name] = option.origin
    return Entry(options, written[0].origin, origins, in_grammar=True)


def _named(
    definition: Parameter, option: WrittenOption, before: Sequence[WrittenOption]
) -> tuple[str, str]:
    """Return name and text of what was written without ``name=``."""
    if definition.find_anywhere(option.text):
        return option.text, ""
    if definition.main and not before:
        return definition.main, option.text
    known = definition.names
    if definition.has_secrets:
        text = f"a text without a name. Known: {', '.join(known)}"
        raise problem(option.origin, definition.name, text, (HOW_TO_QUOTE,))
    facts = [quoting_hint(before[-1].name, before[-1].text, option.text)] if before else []
    raise problem(option.origin, definition.name, unknown("option", option.text, known), facts)


def quoting_hint(name: str | None, text: str, rest: str) -> str:
    """Return the advice to quote the value of the option before an unknown one."""
    if name is None or len(text) + len(rest) > LONGEST_SHOWN:
        return HOW_TO_QUOTE
    return (
        f"If it belongs to the value of '{name}' before it, put all of that value in quotes: "
        f"{name}={quote(f'{text},{rest}')}"
    )
