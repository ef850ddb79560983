"""The types that keywords return, so that the keyword documentation describes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from DtsVirtLibrary.results import (
    CommandResult,
    GuestInterface,
    GuestSession,
    HugepagePool,
    MonitorEvent,
    TemplateInfo,
    VmInfo,
)

RETURNED = (
    CommandResult,
    GuestInterface,
    GuestSession,
    HugepagePool,
    MonitorEvent,
    TemplateInfo,
    VmInfo,
)


def documented() -> dict[type, Callable[[Any], Any]]:
    """Return a converter for each type: Robot Framework documents just those that have one."""
    return {kind: _converter(kind) for kind in RETURNED}


def _converter(kind: type) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        raise ValueError(f"a {kind.__name__} is made by keywords, not from a value")

    convert.__doc__ = kind.__doc__
    return convert
