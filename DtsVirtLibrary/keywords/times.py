"""Times that no keyword can keep are refused before it does anything."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from DtsVirtLibrary.errors import ConfigError

NONE = timedelta(0)


def require_times(given: Mapping[str, object]) -> None:
    """Check the times among arguments, by their names.

    :raises ConfigError: one is negative.
    """
    for name, value in given.items():
        if isinstance(value, timedelta) and value < NONE:
            raise ConfigError(
                f"{name} is {value.total_seconds():g} s, and no time is negative. "
                "Give 0 s or more, such as 30 s or 2 min."
            )


def require_some_time(name: str, value: timedelta) -> float:
    """Return a time in seconds.

    :raises ConfigError: it is none.
    """
    if value <= NONE:
        raise ConfigError(
            f"{name} is {value.total_seconds():g} s, in which nothing can start. Leave it out, or "
            "give it longer."
        )
    return value.total_seconds()
