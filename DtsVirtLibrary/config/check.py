"""Checks parameters against the table and gives their options types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from DtsVirtLibrary.config.definitions import PREFIX, Option, OptionSet, Parameter
from DtsVirtLibrary.config.device_parameters import FRAMEWORK_DRIVERS
from DtsVirtLibrary.config.entries import Entry, OptionText, Parameters, plain_text
from DtsVirtLibrary.config.from_values import HOW_TO_QUOTE, quoting_hint
from DtsVirtLibrary.config.parameters import find_parameter
from DtsVirtLibrary.config.problems import problem, shown, unknown
from DtsVirtLibrary.config.values import PROPERTY
from DtsVirtLibrary.errors import ConfigError
from DtsVirtLibrary.spec import Origin

# vhost-usr is a misspelt driver, vhost-user-fs-pci is a device of QEMU.
SLIP = 0.85
LONGEST_SLIP = 2


@dataclass(frozen=True)
class Checked:
    """An entry whose options are typed.

    :ivar values: the options that were written and those that have a default.
    :ivar given: the options that were written.
    :ivar extra: options outside of the table, where any are taken.
    :ivar added: the entry was added by itself, not with the configuration.
    """

    origin: Origin
    values: Mapping[str, Any]
    given: frozenset[str]
    extra: Mapping[str, str]
    added: bool = False

    def __getitem__(self, name: str) -> Any:
        """Return the value of an option, None if it has none."""
        return self.values.get(name)


CheckedParameters = Mapping[str, tuple[Checked, ...]]


def check_parameters(parameters: Parameters) -> CheckedParameters:
    """Return the typed entries by parameter; ConfigError for the first that is wrong."""
    checked: dict[str, tuple[Checked, ...]] = {}
    for name in parameters:
        entries = parameters.entries(name)
        definition = find_parameter(name, entries[0].origin)
        if len(entries) > 1 and not definition.repeatable:
            raise _second_entry(definition, entries)
        given = len(parameters.given(name))
        checked[definition.name] = tuple(
            check_entry(definition, entry, added=index >= given)
            for index, entry in enumerate(entries)
        )
    return checked


def check_entry(definition: Parameter, entry: Entry, added: bool = False) -> Checked:
    """Return the typed options of one entry; ConfigError if one is wrong or missing."""
    place, options = _options_of(definition, entry)
    values: dict[str, Any] = {}
    extra: dict[str, str] = {}
    for written, text in entry.options.items():
        option = options.find(written)
        origin = entry.origin_of(written)
        if option is None:
            name = _extra_name(place, options, entry, written)
            extra[name] = plain_text(text)
        elif option.name in values:
            raise problem(origin, place, f"option '{option.name}' stands there twice")
        else:
            values[option.name] = _typed(option, text, origin, place)
    given = frozenset(values)
    for option in options.options:
        if option.required and option.name not in values:
            raise _missing(place, option.name, options, entry.origin)
    values = {**dict(_defaults(options)), **values}
    return Checked(entry.origin, values, given, extra, added)


def _options_of(definition: Parameter, entry: Entry) -> tuple[str, OptionSet]:
    """Return the place for messages and the options that the entry may have."""
    if not definition.selector:
        return definition.name, definition
    selector = definition.find(definition.selector)
    assert selector is not None
    text = entry.options.get(selector.name)
    origin = entry.origin_of(selector.name)
    if text is None:
        known = [variant.name for variant in definition.variants]
        facts = [f"Known: {', '.join(known)}"]
        raise problem(origin, definition.name, f"option '{selector.name}' is missing", facts)
    name = str(_typed(selector, text, origin, definition.name))
    variant = definition.variant(name)
    assert variant is not None
    if variant is definition.other:
        _refuse_slip(definition, name, origin)
    options = (*definition.options, *variant.options)
    return f"{definition.name} {name}", OptionSet(options, variant.extra)


def _refuse_slip(definition: Parameter, name: str, origin: Origin) -> None:
    """Refuse what is almost the name of a driver that the framework has and QEMU has not."""
    near = get_close_matches(name, FRAMEWORK_DRIVERS, n=1, cutoff=SLIP)
    if near and abs(len(near[0]) - len(name)) <= LONGEST_SLIP:
        known = ", ".join(variant.name for variant in definition.variants)
        text = f"unknown driver {shown(name)}. Did you mean '{near[0]}'? Known: {known}"
        raise problem(origin, definition.name, f"{text}, or any device of QEMU")


def _typed(option: Option, text: OptionText, origin: Origin, place: str) -> object:
    if option.refused:
        raise problem(origin, place, f"{option.name}: {option.refused}")
    plain = plain_text(text)
    if plain == "":
        if option.empty is None:
            facts = [f"It is of type: {option.type.name}"]
            raise problem(origin, place, f"option '{option.name}' has no value", facts)
        plain = option.empty
    try:
        return option.type.parse(plain) if plain else plain
    except ConfigError as error:
        hidden = option.secret or not isinstance(text, str)
        summary = f"not of type: {option.type.name}" if hidden else error.summary
        cause = None if hidden else error
        raise problem(origin, place, f"{option.name}: {summary}") from cause


def _defaults(options: OptionSet) -> Iterator[tuple[str, object]]:
    for option in options.options:
        if option.default is not None:
            yield option.name, option.type.parse(option.default)


def _extra_name(place: str, options: OptionSet, entry: Entry, written: str) -> str:
    """Return the name of a further option; ConfigError where none are taken."""
    name = written.removeprefix(PREFIX)
    if not options.extra:
        raise _unknown_option(place, options, entry, written)
    if not PROPERTY.fullmatch(name):
        raise problem(entry.origin_of(written), place, f"{shown(written)} is no option's name")
    return name


def _unknown_option(place: str, options: OptionSet, entry: Entry, written: str) -> ConfigError:
    origin = entry.origin_of(written)
    before = list(entry.options)[: list(entry.options).index(written)]
    if any(_is_secret(options, entry, name) for name in before):
        known = ", ".join(options.names)
        text = f"unknown option (not shown: it may be part of a secret). Known: {known}"
        return problem(origin, place, text, (HOW_TO_QUOTE,))
    text = unknown("option", written, options.names, _spellings(options))
    facts = () if options.has_secrets else _advice(entry, before, written)
    return problem(origin, place, text, facts)


def _advice(entry: Entry, before: list[str], written: str) -> tuple[str, ...]:
    """Return the advice to quote, where the option may belong to the value before it."""
    value, previous = entry.options[written], entry.options[before[-1]] if before else None
    if entry.in_grammar and isinstance(value, str) and isinstance(previous, str):
        return (quoting_hint(before[-1], previous, f"{written}={value}"),)
    return ()


def _is_secret(options: OptionSet, entry: Entry, name: str) -> bool:
    option = options.find(name)
    return not isinstance(entry.options[name], str) or bool(option and option.secret)


def _spellings(options: OptionSet) -> list[str]:
    return [name for option in options.options for name in option.spellings]


def _missing(place: str, name: str, options: OptionSet, origin: Origin) -> ConfigError:
    facts = [f"Known: {', '.join(options.names)}"]
    return problem(origin, place, f"option '{name}' is missing", facts)


def _second_entry(definition: Parameter, entries: tuple[Entry, ...]) -> ConfigError:
    return problem(
        entries[1].origin,
        definition.name,
        "a second entry, where only one is allowed",
        (
            f"The first: {entries[0].origin}",
            "Options of one entry are separated by ',', entries by ';'.",
        ),
    )
