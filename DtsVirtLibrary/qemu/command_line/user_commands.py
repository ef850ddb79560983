"""Raw arguments of the tester: looked through, so that none breaks the library's hold."""

from __future__ import annotations

import re
from collections.abc import Iterator

from DtsVirtLibrary.qemu.command_line.option_rules import check_option
from DtsVirtLibrary.qemu.command_line.options import Option, flag, text
from DtsVirtLibrary.qemu.command_line.plan import Plan
from DtsVirtLibrary.qemu.command_line.properties import is_pci
from DtsVirtLibrary.qemu.command_line.raw_options import raw_options, split_keys
from DtsVirtLibrary.qemu.command_line.slots import Claim

_SECONDS = re.compile(r"[0-9]{1,9}")
_WITH_SHORT_BOOLEANS = ("chardev", "monitor", "serial", "netdev", "parallel", "mon")
_SHORT_BOOLEANS = {"server": "server=on", "nowait": "wait=off", "vhostforce": "vhostforce=on"}


def user_options(plan: Plan) -> Iterator[Option]:
    """Yield the tester's options, old spellings translated.

    :raises ConfigError: an option is not the tester's to give, or QEMU has it no longer.
    """
    for option in raw_options(plan.spec.user_commands):
        check_option(plan, option)
        if not option.values:
            yield flag(f"-{option.name}")
        elif len(option.values) == 1:
            yield text(f"-{option.name}", _translated(plan, option.name, option.values[0]))
        else:
            raise plan.refusal(
                None,
                f"usercmd: option '-{option.name}' has the values {', '.join(option.values)}, "
                "and an option of QEMU takes one. Quote a value that holds blanks.",
            )


def user_claims(plan: Plan) -> list[Claim]:
    """Return the PCI devices among the raw options whose place the tester has fixed."""
    claims = []
    for number, option in enumerate(raw_options(plan.spec.user_commands)):
        address, driver = option.get("addr"), option.first.removeprefix("driver=")
        if option.name == "device" and address is not None and is_pci(plan, driver):
            name = option.get("id") or f"usercmd {number}"
            many = option.get("multifunction") == "on"
            claims.append(Claim(name, driver, address, option.get("bus"), None, many))
    return claims


def reason_to_spawn(plan: Plan) -> str | None:
    """Say for which raw option QEMU must start a program, if there is one."""
    for option in raw_options(plan.spec.user_commands):
        scripts = {option.get("script"), option.get("downscript")}
        if option.name != "netdev" or scripts == {"no"}:
            continue
        if option.first in ("tap", "bridge"):
            return f"usercmd has a back end of type {option.first}"
    return None


def _translated(plan: Plan, name: str, value: str) -> str:
    """Write short forms of old QEMUs out, and reconnect as this binary has it."""
    if value.startswith("{") or name not in _WITH_SHORT_BOOLEANS:
        return value
    translated = ",".join(_translated_word(plan, word) for word in split_keys(value))
    if translated != value:
        plan.note(f"usercmd: '-{name} {value}' is written {translated}")
    return translated


def _translated_word(plan: Plan, word: str) -> str:
    if word in _SHORT_BOOLEANS:
        return _SHORT_BOOLEANS[word]
    key, _, number = word.partition("=")
    lacks = not plan.binary.has_option("chardev", "reconnect")
    if key == "reconnect" and _SECONDS.fullmatch(number) and lacks:
        return f"reconnect-ms={int(number) * 1000}"
    return word
