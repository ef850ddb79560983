"""JSON from a guest or a QEMU: made fit to be handed on, and checked before it is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from DtsVirtLibrary.printable import printable, without_surrogates

# The deepest that a QEMU has reason to send: a PCI bridge behind each of twenty others.
DEPTH_LIMIT = 64
SHOWN = 200

# A type; a list of one shape; or members by name, a question mark behind those that may be
# missing. What is not named may be anything.
Shape: TypeAlias = "type | Sequence[Shape] | Mapping[str, Shape]"
OPTIONAL = "?"


def checked_json(value: Any, depth: int = DEPTH_LIMIT) -> Any:
    """Return `value` with U+FFFD for each lone surrogate, so that its text can be encoded.

    :raises ValueError: it is nested more than `depth` deep.
    """
    if isinstance(value, str):
        return without_surrogates(value)
    if not isinstance(value, (dict, list)):
        return value
    if depth == 0:
        raise ValueError(f"it is nested more than {DEPTH_LIMIT} deep")
    if isinstance(value, list):
        return [checked_json(item, depth - 1) for item in value]
    return {without_surrogates(key): checked_json(item, depth - 1) for key, item in value.items()}


def misfit(value: object, shape: Shape, place: str = "it") -> str | None:
    """Say what of a value does not have the shape, None if it has."""
    if isinstance(shape, type):
        # A truth value is a number for Python, and none for QEMU.
        fits = type(value) is shape
        return None if fits else _expected(place, value, shape.__name__)
    if isinstance(shape, Mapping):
        return _misfit_of_members(value, shape, place)
    if not isinstance(value, list):
        return _expected(place, value, "list")
    found = (misfit(item, shape[0], f"{place}[{n}]") for n, item in enumerate(value))
    return next(filter(None, found), None)


def _misfit_of_members(value: object, shape: Mapping[str, Shape], place: str) -> str | None:
    if not isinstance(value, dict):
        return _expected(place, value, "object")
    for name, inner in shape.items():
        key = name.removesuffix(OPTIONAL)
        if key not in value:
            if name == key:
                return f"{place} has no '{key}'"
        elif found := misfit(value[key], inner, f"{place}.{key}"):
            return found
    return None


def _expected(place: str, value: object, kind: str) -> str:
    return f"{place} is not of type {kind}: {printable(repr(value), SHOWN)}"
