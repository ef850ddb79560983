"""The types an option can have: a name for the documentation and a parser."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from DtsVirtLibrary.config import addresses, values
from DtsVirtLibrary.config.problems import refusal


@dataclass(frozen=True)
class OptionType:
    """What an option's text is read as.

    :ivar name: the type in the documentation's words.
    :ivar parse: text to value; raises ConfigError.
    :ivar join: makes the text of a list that Python or YAML gave.
    """

    name: str
    parse: Callable[[str], object]
    join: Callable[[Sequence[str]], str] = " ".join


def number(low: int, high: int) -> OptionType:
    """Return the type of a whole number from `low` to `high`."""
    return OptionType(f"number {low}..{high}", lambda text: values.parse_number(text, low, high))


def choice(*names: str) -> OptionType:
    """Return the type of one of `names`."""
    return OptionType(" / ".join(names), lambda text: values.parse_choice(text, names))


def _parse_display(text: str) -> int | None:
    if text.lower() == "auto":
        return None
    return values.parse_number(text, 0, LARGEST_DISPLAY)


def _parse_server(text: str) -> bool:
    """Read the text that DTS put behind the path of the socket."""
    words = text.lower().replace(" ", "").split(",")
    waiting = words[1:] in ([], ["nowait"], ["wait=off"])
    if words[0] in ("server", "server=on") and waiting:
        return True
    if words[0] in ("client", "server=off") and len(words) == 1:
        return False
    if text.lower() in values.FLAGS:
        return values.FLAGS[text.lower()]
    raise refusal(text, "server, on or yes (QEMU listens), or client, off or no (QEMU connects)")


def _parse_empty(text: str) -> str:
    raise refusal(text, "nothing: only real files' empty one is accepted")


# A display of QEMU is TCP port 5900 + display; QEMU calls a larger one out of range.
LARGEST_DISPLAY = 59635

TEXT = OptionType("text", values.parse_text)
PATH = OptionType("path", values.parse_text)
FLAG = OptionType("yes / no", values.parse_flag)
SIZE = OptionType("size: MiB, or with unit 512M, 1G, 2GiB", values.parse_size)
SECONDS = OptionType("seconds", values.parse_seconds)
VNC_PASSWORD = OptionType("text, 8 characters at most", values.parse_vnc_password)
PINS = OptionType("host CPUs: 24 25, or 24-27", values.parse_pins)
SETTINGS = OptionType("properties: csum=off,gso=off", values.parse_settings, ",".join)
WORDS = OptionType("arguments as a shell reads them", values.parse_words, shlex.join)
IDENTIFIER = OptionType("id", values.parse_identifier)
MAC = OptionType("MAC address", addresses.parse_mac)
SLOT = OptionType("slot 0..1f, or slot.function", addresses.parse_slot)
HOST_PCI = OptionType("PCI address of the host: [0000:]07:10.0", addresses.parse_bdf)
FORWARDS = OptionType(addresses.FORWARD.partition(",")[0], addresses.parse_forwards)
EMPTY = OptionType("empty", _parse_empty)
SERVER = OptionType("server / client, yes / no", _parse_server)
PORT = number(1, addresses.LARGEST_PORT)
VLAN = number(0, 4094)
DISPLAY = OptionType(f"number 0..{LARGEST_DISPLAY}, or auto", _parse_display)
