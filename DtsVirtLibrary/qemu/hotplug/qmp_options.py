"""Options of the command line as QMP commands, and the commands that take them back.

What QEMU reads as text on its command line must have its type in QMP: ``vectors=4`` is a
number there, ``mq=on`` a truth value, and dotted keys are objects within objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from DtsVirtLibrary.qemu.binary.facts import BinaryFacts
from DtsVirtLibrary.qemu.command_line.options import Option
from DtsVirtLibrary.qemu.command_line.properties import integer_bounds, size_in_bytes

TRUE = "on"
# Values of back ends that are not text: everything else of theirs is.
BACKEND_BOOLEANS = frozenset({"restrict", "vhost", "server", "wait", "read-only", "no-flush"})
BACKEND_NUMBERS = frozenset({"queues", "reconnect", "reconnect-ms"})


@dataclass(frozen=True)
class Command:
    """A QMP command with its arguments."""

    name: str
    arguments: Mapping[str, Any]


def add_command(option: Option, binary: BinaryFacts) -> Command:
    """Return the command that adds what the option describes to a running QEMU."""
    values = dict(option.pairs or ())
    if option.name == "-device":
        driver = option.first or ""
        return Command("device_add", {"driver": driver, **_typed_device(binary, driver, values)})
    if option.name == "-netdev":
        return Command("netdev_add", {"type": option.first, **_netdev(option)})
    if option.name == "-object":
        return Command("object-add", {"qom-type": option.first, **values})
    if option.name == "-blockdev":
        return Command("blockdev-add", _nested(values))
    assert option.name == "-chardev", option
    assert option.first == "socket", option
    return Command("chardev-add", _chardev_socket(values))


def remove_command(option: Option) -> Command:
    """Return the command that takes away what :func:`add_command` added."""
    if option.name == "-blockdev":
        return Command("blockdev-del", {"node-name": option.get("node-name")})
    name = {
        "-device": "device_del",
        "-netdev": "netdev_del",
        "-object": "object-del",
        "-chardev": "chardev-remove",
    }[option.name]
    return Command(name, {"id": option.get("id")})


def _typed_device(binary: BinaryFacts, driver: str, values: Mapping[str, str]) -> dict[str, Any]:
    kinds = binary.devices.get(driver) or {}
    return {name: _typed(name, kinds.get(name, "str"), value) for name, value in values.items()}


def _typed(name: str, kind: str, value: str) -> Any:
    # PCI addresses are typed as numbers but written as slot.function.
    if name == "addr":
        return value
    if kind == "bool":
        return value == TRUE
    if integer_bounds(kind) is not None:
        return int(value, 16 if "x" in value.lower() else 10)
    return size_in_bytes(value) if kind == "size" else value


def _netdev(option: Option) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in option.pairs or ():
        if name == "hostfwd":
            values.setdefault(name, []).append({"str": value})
        else:
            values[name] = _backend_value(name, value)
    return values


def _nested(values: Mapping[str, str]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for path, value in values.items():
        *parents, name = path.split(".")
        inner = result
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[name] = _backend_value(name, value)
    return result


def _chardev_socket(values: Mapping[str, str]) -> dict[str, Any]:
    data = {
        name: _backend_value(name, value)
        for name, value in values.items()
        if name not in {"id", "path"}
    }
    # On the command line a socket is a client unless it says otherwise; in QMP a server.
    data.setdefault("server", False)
    data["addr"] = {"type": "unix", "data": {"path": values["path"]}}
    return {"id": values["id"], "backend": {"type": "socket", "data": data}}


def _backend_value(name: str, value: str) -> Any:
    if name in BACKEND_BOOLEANS:
        return value == TRUE
    return int(value) if name in BACKEND_NUMBERS else value
