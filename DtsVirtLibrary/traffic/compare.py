"""Comparing packets field by field, in words for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from DtsVirtLibrary.traffic.fields import FieldValue, field_of
from DtsVirtLibrary.traffic.packet import Packet


@dataclass(frozen=True)
class Difference:
    """A field that is another than expected; `found` is None where the packet lacks it."""

    field: str
    expected: FieldValue
    found: FieldValue | None


def expectations(
    expected: Packet | None, fields: Mapping[str, FieldValue]
) -> dict[str, FieldValue]:
    """Return the fields to compare: those of `expected` and `fields`, which have the last word.

    Lengths and checksums that follow from the rest are not taken from `expected`.
    """
    told = {} if expected is None else expected.fields
    return {**{name: told[name] for name in told if not field_of(name).own}, **fields}


def differences(packet: Packet, expected: Mapping[str, FieldValue]) -> list[Difference]:
    """Return the expected fields that the packet has otherwise, or lacks."""
    return [
        Difference(name, value, packet.fields.get(name))
        for name, value in expected.items()
        if packet.fields.get(name) != value
    ]


def matches(packet: Packet, expected: Mapping[str, FieldValue]) -> bool:
    """Return whether the packet has all the expected fields."""
    return not differences(packet, expected)


def table(found: list[Difference]) -> list[str]:
    """Return the differences as the lines of a table."""
    rows = [("field", "expected", "found")]
    rows += [(item.field, show(item.expected), show(item.found)) for item in found]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return [f"{row[0]:{widths[0]}}  {row[1]:{widths[1]}}  {row[2]}" for row in rows]


def show(value: FieldValue | None) -> str:
    """Return a value for people: large numbers in hexadecimal too, long text cut."""
    if value is None:
        return "(not there)"
    if isinstance(value, int):
        return f"{value} ({value:#x})" if value > 9 else str(value)
    return value if len(value) <= 60 else f"{value[:57]}... ({len(value)} characters)"
