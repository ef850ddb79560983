"""The QEMU binary is asked what it is and can do, and the answer is kept in a cache."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from DtsVirtLibrary.errors import CommandError, Evidence, HostError, HypervisorMissing
from DtsVirtLibrary.host.protocol import FileStatus, Host, HostPath
from DtsVirtLibrary.qemu.binary.facts import FORMAT, BinaryFacts, Machine, from_json, to_json
from DtsVirtLibrary.qemu.foreign_json import Shape, misfit
from DtsVirtLibrary.qemu.qmp.replies import PROPERTIES

__all__ = ["BinaryFacts", "probe"]

DEFAULT_BINARY = "qemu-system-x86_64"
# -device and -netdev of one grammar, -smp with every level, memory-backend of -machine,
# -action and pvpanic-pci are all there from here on.
OLDEST = (6, 2)
PROBE_SECONDS = 30.0

Command: TypeAlias = tuple[str, Mapping[str, Any]]

# A binary ends itself when it is asked for a type that builds on a module which is not
# installed. Those that need OpenGL are in packages of their own.
_OFTEN_DEADLY = ("-gl", "-gl-pci", "-gl-device")
_PACKAGE_HINT = "On Debian: apt-get install --no-install-recommends qemu-system-x86"
_CACHED = re.compile(r"qemu-[0-9a-f]{24}\.json")
_MACHINES = ("pc", "q35")
_SILENT = ("-M", "none", "-S", "-nodefaults", "-no-user-config", "-display", "none")
_QMP_ON_STDIO = ("-chardev", "stdio,id=qmp", "-mon", "chardev=qmp,mode=control")
# The answers to what is asked of every binary, in that order.
_VERSION: Shape = {"qemu": {"major": int, "minor": int, "micro": int}, "package?": str}
_MACHINE: Shape = {
    "name": str,
    "cpu-max": int,
    "alias?": str,
    "is-default?": bool,
    "deprecated?": bool,
}
_NAMES: Shape = [{"name": str}]
_OPTIONS: Shape = [{"option": str, "parameters": _NAMES}]
_SHAPES = (_VERSION, [_MACHINE], _NAMES, _NAMES, _NAMES, _NAMES, _OPTIONS)


async def probe(host: Host, path: str | None, cache_directory: HostPath) -> BinaryFacts:
    """Return what a QEMU binary can do, from the cache if the binary is unchanged.

    :param path: the binary; None looks for ``qemu-system-x86_64`` on PATH.
    :param cache_directory: directory on the host for what was found; made if it is missing.
    :raises HypervisorMissing: no such binary, not executable, not QEMU, or too old.
    """
    binary, status = await _find(host, path)
    cached = f"{cache_directory}/{_cache_name(binary, status)}"
    facts = await _read_cache(host, cached)
    if facts is None or facts.path != binary:
        facts = await _ask(host, binary)
        await _write_cache(host, cache_directory, cached, facts)
        await _drop_outdated(host, cache_directory, cached, binary)
    return facts


async def _find(host: Host, path: str | None) -> tuple[str, FileStatus]:
    found = await host.which(path or DEFAULT_BINARY)
    status = await host.status(found) if found else None
    if found is None or status is None:
        raise HypervisorMissing(await _why_not_found(host, path))
    return found, status


async def _why_not_found(host: Host, path: str | None) -> str:
    if path is None:
        return f"QEMU is not installed on {host.name}: no {DEFAULT_BINARY} on PATH. {_PACKAGE_HINT}"
    if "/" in path and await host.status(path) is not None:
        return f"QEMU binary '{path}' on {host.name} is not an executable file."
    return (
        f"QEMU binary '{path}' does not exist on {host.name}. "
        f"Give the path of an emulator, or none for {DEFAULT_BINARY} on PATH. {_PACKAGE_HINT}"
    )


def _cache_name(binary: str, status: FileStatus) -> str:
    key = f"{FORMAT}\n{binary}\n{status.size}\n{status.modified_ns}"
    return f"qemu-{hashlib.sha256(key.encode()).hexdigest()[:24]}.json"


async def _read_cache(host: Host, cached: str) -> BinaryFacts | None:
    try:
        return from_json(await host.read_text(cached))
    except (HostError, ValueError):
        return None


async def _write_cache(host: Host, directory: HostPath, cached: str, facts: BinaryFacts) -> None:
    # Facts that cannot be kept are found anew the next time; that costs a moment only.
    try:
        await host.make_directory(directory, mode=0o700)
        await host.write_bytes(cached, to_json(facts).encode())
    except HostError:
        return


async def _drop_outdated(host: Host, directory: HostPath, kept: str, binary: str) -> None:
    """Remove what was found of this binary before it changed, and of binaries that are gone."""
    with suppress(HostError):
        for name in await host.list_directory(directory):
            path = f"{directory}/{name}"
            if not _CACHED.fullmatch(name) or path == kept:
                continue
            facts = await _read_cache(host, path)
            if facts and facts.path != binary and await host.status(facts.path) is not None:
                continue
            await host.remove(path)


async def _ask(host: Host, binary: str) -> BinaryFacts:
    version, machines, devices, pci, objects, cpus, options = await _general(host, binary)
    drivers = _type_names(devices)
    aliases = {f"{m['name']}-machine": m["alias"] for m in machines if m.get("alias") in _MACHINES}
    properties = await _properties(
        host,
        binary,
        [("device-list-properties", name) for name in drivers]
        + [("qom-list-properties", name) for name in aliases],
    )
    qemu = version["qemu"]
    return BinaryFacts(
        path=binary,
        version=(qemu["major"], qemu["minor"], qemu["micro"]),
        package=version.get("package", ""),
        machines=tuple(sorted((_machine(item) for item in machines), key=lambda m: m.name)),
        default_machine=_default_machine(machines),
        machine_properties={alias: properties[name] or {} for name, alias in aliases.items()},
        devices={name: properties[name] for name in drivers},
        pci_devices=frozenset(_type_names(pci)),
        objects=frozenset(_type_names(objects)),
        cpu_models=frozenset(item["name"] for item in cpus),
        options={
            item["option"]: frozenset(parameter["name"] for parameter in item["parameters"])
            for item in options
        },
    )


async def _general(host: Host, binary: str) -> list[Any]:
    commands: list[Command] = [
        ("query-version", {}),
        ("query-machines", {}),
        ("qom-list-types", {"implements": "device", "abstract": False}),
        ("qom-list-types", {"implements": "pci-device", "abstract": False}),
        ("qom-list-types", {"implements": "user-creatable", "abstract": False}),
        ("query-cpu-definitions", {}),
        ("query-command-line-options", {}),
    ]
    version, answers, stderr = await _talk(host, binary, commands)
    if version is not None and version < OLDEST:
        raise HypervisorMissing(
            f"QEMU binary '{binary}' is version {'.'.join(map(str, version))}; "
            f"{'.'.join(map(str, OLDEST))} is the oldest that is supported. {_PACKAGE_HINT}"
        )
    replies = [answer["return"] for answer in answers if "return" in answer]
    found = [f"Answers: {len(replies)} of {len(commands)}"]
    for (command, _), reply, shape in zip(commands, replies, _SHAPES, strict=False):
        if difference := misfit(reply, shape):
            found.append(f"{command}: {difference}")
    if len(replies) < len(commands) or len(found) > 1:
        raise HypervisorMissing(
            f"'{binary}' on {host.name} does not answer like a QEMU system emulator.",
            Evidence(stderr_tail=stderr, facts=found),
        )
    return replies


async def _properties(
    host: Host, binary: str, questions: Sequence[tuple[str, str]]
) -> dict[str, Mapping[str, str] | None]:
    """Ask for the properties of many types; those that the binary dies of stay unknown.

    :param questions: the command that tells them, and the type.
    """
    found: dict[str, Mapping[str, str] | None] = {
        name: None for _, name in questions if name.endswith(_OFTEN_DEADLY)
    }
    lots = [[(command, name) for command, name in questions if name not in found]]
    while lots:
        lot = lots.pop()
        _, answers, _ = await _talk(host, binary, [(c, {"typename": n}) for c, n in lot])
        for (_, name), answer in zip(lot, answers, strict=False):
            reply = answer.get("return", [])
            found[name] = None if misfit(reply, PROPERTIES) else _settable(reply)
        rest = lot[len(answers) :]
        # Some answers are lost with a binary that ends itself, so halves find the culprit.
        if len(rest) == 1 and len(lot) == 1:
            found[rest[0][1]] = None
        elif rest:
            middle = (len(rest) + 1) // 2
            lots += [half for half in (rest[middle:], rest[:middle]) if half]
    return found


def _settable(properties: Iterable[Mapping[str, Any]]) -> Mapping[str, str]:
    return {
        item["name"]: item["type"]
        for item in properties
        if not item["type"].startswith(("child<", "link<irq", "link<memory-region"))
    }


async def _talk(
    host: Host, binary: str, commands: Sequence[Command]
) -> tuple[tuple[int, int, int] | None, list[Mapping[str, Any]], str]:
    """Run the binary with no machine; return the greeting's version, the answers and stderr."""
    every: list[Command] = [("qmp_capabilities", {}), *commands, ("quit", {})]
    text = "".join(f"{json.dumps({'execute': c, 'arguments': a})}\n" for c, a in every)
    try:
        done = await host.run(
            [binary, *_SILENT, *_QMP_ON_STDIO],
            timeout=PROBE_SECONDS,
            stdin=text.encode(),
            check=False,
        )
    except CommandError as error:
        raise HypervisorMissing(
            f"QEMU binary '{binary}' cannot be run on {host.name}.", error.evidence
        ) from error
    messages = _messages(done.stdout)
    greeting = next((item["QMP"] for item in messages if "QMP" in item), None)
    answers = [item for item in messages if "return" in item or "error" in item]
    return _version(greeting), answers[1 : len(commands) + 1], done.stderr[-2000:]


def _messages(text: str) -> list[Mapping[str, Any]]:
    messages: list[Mapping[str, Any]] = []
    for line in text.splitlines():
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(message, dict):
            messages.append(message)
    return messages


def _version(greeting: Any) -> tuple[int, int, int] | None:
    if misfit(greeting, {"version": _VERSION}):
        return None
    qemu = greeting["version"]["qemu"]
    return qemu["major"], qemu["minor"], qemu["micro"]


def _type_names(types: Iterable[Mapping[str, Any]]) -> list[str]:
    return sorted(item["name"] for item in types if not item["name"].endswith("-cpu"))


def _machine(item: Mapping[str, Any]) -> Machine:
    return Machine(item["name"], item.get("alias"), item["cpu-max"], item.get("deprecated", False))


def _default_machine(machines: Iterable[Mapping[str, Any]]) -> str:
    default = next((item for item in machines if item.get("is-default")), {})
    return str(default.get("alias") or default.get("name") or "pc")
