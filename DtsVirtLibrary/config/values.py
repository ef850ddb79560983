"""Parsers of single values: numbers, yes/no, sizes, lists of CPUs, settings.

Each takes the text and returns the typed value, or raises ConfigError that shows the
text and says what is expected instead.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType

from DtsVirtLibrary.config.problems import refusal, unknown
from DtsVirtLibrary.errors import ConfigError

FLAGS = {
    **dict.fromkeys(("yes", "on", "true", "1"), True),
    **dict.fromkeys(("no", "off", "false", "0"), False),
}
UNITS = {"": Fraction(1), "K": Fraction(1, 1024), "M": Fraction(1), "G": Fraction(1024)}
UNITS["T"] = 1024 * UNITS["G"]
SMALLEST_MEMORY = 16
LARGEST_MEMORY = 16 * 1024 * 1024
LARGEST_CPU = 8191
MOST_PINS = 1024
SIZE = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*(?:([KMGT])(?:i?B)?)?", re.IGNORECASE)
IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,62}")
PROPERTY = re.compile(r"[A-Za-z_][A-Za-z0-9_.:\[\]-]*")
VM_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")

VNC_PASSWORD_LENGTH = 8
PASSWORD_ELSEWHERE = ("env:", "file:")


def parse_text(text: str) -> str:
    """Return `text` as it is; a NUL character cannot be handed to any program."""
    if "\0" in text:
        raise refusal(text, "text without a NUL character")
    return text


def parse_vnc_password(text: str) -> str:
    """Return a password that VNC can ask for: of a longer one it would take the beginning.

    The name of a variable or file that holds one (``env:NAME``, ``file:PATH``) may be longer.
    """
    if text.startswith(PASSWORD_ELSEWHERE):
        return parse_text(text)
    if len(text.encode()) > VNC_PASSWORD_LENGTH or not text.isascii() or not text.isprintable():
        raise refusal(text, f"at most {VNC_PASSWORD_LENGTH} ASCII characters")
    return text


def parse_number(text: str, low: int, high: int) -> int:
    """Return the whole decimal number in `text`, from `low` to `high`."""
    if not re.fullmatch(r"[0-9]{1,18}", text) or not low <= int(text) <= high:
        raise refusal(text, f"a whole number from {low} to {high}")
    return int(text)


def parse_seconds(text: str) -> float:
    """Return a time above 0 in seconds, up to a day."""
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) or not 0 < float(text) <= 86400:
        raise refusal(text, "a number of seconds above 0 and up to 86400")
    return float(text)


def parse_flag(text: str) -> bool:
    """Return True for yes, on, true, 1 and False for no, off, false, 0."""
    flag = FLAGS.get(text.lower())
    if flag is None:
        raise refusal(text, "yes or no (also on/off, true/false, 1/0)")
    return flag


def parse_choice(text: str, names: Sequence[str]) -> str:
    """Return the one of `names` that `text` is, in any case of letters."""
    for name in names:
        if name.lower() == text.lower():
            return name
    raise ConfigError(unknown("value", text, names))


def parse_size(text: str) -> int:
    """Return a memory size in MiB; a plain number is MiB, units are K, M, G, T (binary)."""
    match = SIZE.fullmatch(text.strip())
    if match is None:
        raise refusal(text, "a size such as 2048 (MiB), 512M, 1G or 2GiB")
    mebibytes = Fraction(match[1]) * UNITS[(match[2] or "").upper()]
    if mebibytes.denominator != 1 or not SMALLEST_MEMORY <= mebibytes <= LARGEST_MEMORY:
        raise refusal(text, "whole MiB, from 16 MiB to 16 TiB")
    return int(mebibytes)


def parse_pins(text: str) -> tuple[int, ...]:
    """Return host CPUs from ``24 25``, ``24,25`` or ``24-27``, each at most once."""
    pins: list[int] = []
    for part in re.split(r"[\s,]+", text.strip(" ,")):
        pins.extend(_pin_range(text, part))
        if len(pins) > MOST_PINS:
            raise refusal(text, f"at most {MOST_PINS} host CPUs")
    twice = {pin for pin in pins if pins.count(pin) > 1}
    if twice:
        raise refusal(
            text,
            f"each host CPU once, but {min(twice)} stands there again"
            " (a shorter list shares its CPUs among the vCPUs)",
        )
    return tuple(pins)


def _pin_range(whole: str, part: str) -> range:
    match = re.fullmatch(r"([0-9]{1,4})(?:-([0-9]{1,4}))?", part)
    if match is None:
        raise refusal(whole, "host CPUs such as '24 25 26' or '24-26'")
    first, last = int(match[1]), int(match[2] or match[1])
    if last < first or last > LARGEST_CPU:
        raise refusal(whole, f"host CPUs from 0 to {LARGEST_CPU}, ranges from low to high")
    return range(first, last + 1)


def parse_settings(text: str) -> Mapping[str, str]:
    """Return device properties from ``csum=off,gso=off``.

    As in QEMU, a doubled comma is a comma of the value and a property without a value
    is switched on.
    """
    settings: dict[str, str] = {}
    for item in text.replace(",,", "\0").split(","):
        name, equals, value = item.replace("\0", ",").strip().partition("=")
        name = name.strip()
        if not name and not equals:
            continue
        if not PROPERTY.fullmatch(name):
            raise refusal(text, "properties such as csum=off,gso=off")
        if name in settings:
            raise refusal(text, f"each property once, but {name!r} stands there twice")
        settings[name] = value.strip() if equals else "on"
    return MappingProxyType(settings)


def parse_words(text: str) -> tuple[str, ...]:
    """Split `text` into arguments as a shell does; nothing is expanded."""
    try:
        words = tuple(shlex.split(parse_text(text)))
    except ValueError as error:
        raise refusal(text, f"arguments as a shell reads them ({error})") from error
    if not words:
        raise refusal(text, "at least one argument")
    return words


def parse_identifier(text: str) -> str:
    """Return an id that QEMU accepts: a letter first, then letters, digits, ``. _ -``."""
    if not IDENTIFIER.fullmatch(text):
        raise refusal(text, "a letter, then at most 62 letters, digits, '.', '_' or '-'")
    return text


def validate_name(name: str) -> str:
    """Return the VM's name; it becomes part of file names, so ConfigError for ``../x``."""
    if name == str(None):
        raise ConfigError(
            f"VM name {name!r} is not allowed: Robot Framework's ${{NONE}} becomes that. Give the "
            "VM another name, or look where the variable got no value."
        )
    if not VM_NAME.fullmatch(name):
        raise ConfigError(
            f"VM name {name[:80]!r} is not allowed: a letter or digit, then at most 62 letters, "
            "digits, '.', '_' or '-'"
        )
    return name
