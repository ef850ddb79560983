"""How a problem in the configuration is told."""

from __future__ import annotations

from collections.abc import Iterable

from DtsVirtLibrary.errors import ConfigError, Evidence, nearest
from DtsVirtLibrary.spec import Origin

# Longer texts of a tester are cut in messages.
LONGEST_SHOWN = 80


def problem(
    origin: Origin | None, place: str | None, text: str, facts: Iterable[str] = ()
) -> ConfigError:
    """Return the error ``conf/a.cfg:7: cpu: text``, its facts on the lines after it."""
    where = [str(part) for part in (origin, place) if part]
    return ConfigError(": ".join([*where, text]), Evidence(facts=tuple(facts)))


def shown(text: str) -> str:
    """Return `text` quoted for a message, cut where it is long."""
    if len(text) > LONGEST_SHOWN:
        return f"{text[:LONGEST_SHOWN]!r}..."
    return repr(text)


def refusal(text: str, expected: str) -> ConfigError:
    """Return the error that `text` is not what is expected there."""
    return ConfigError(f"{shown(text)}: expected {expected}")


def unknown(what: str, name: str, known: Iterable[str], spellings: Iterable[str] = ()) -> str:
    """Say that `name` is unknown, with the known names and the nearest of all spellings."""
    names = list(known)
    guess = nearest(name, [*names, *spellings])
    return f"unknown {what} {shown(name)}.{guess} Known: {', '.join(names)}"
