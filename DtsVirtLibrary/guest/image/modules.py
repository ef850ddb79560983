"""Picks kernel modules with what they depend on, and writes their index for modprobe."""

from __future__ import annotations

import lzma
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.guest.image.elf import ElfFile


@dataclass(frozen=True)
class Module:
    """A kernel module: its path below the modules' directory, its bytes and its facts."""

    name: str
    path: str
    data: bytes
    depends: tuple[str, ...]
    aliases: tuple[str, ...]


async def collect(
    wanted: Iterable[str], paths: Mapping[str, str], read: Callable[[str], Awaitable[bytes]]
) -> list[Module]:
    """Return the wanted modules and all that they depend on, dependencies first.

    :param paths: path of each module of the kernel package, by name.
    :param read: returns a module's bytes, by path.
    :raises HostError: the package has no such module.
    """
    found: dict[str, Module] = {}

    async def add(name: str) -> None:
        if name in found:
            return
        if name not in paths:
            raise HostError(f"The kernel package has no module '{name}'.")
        module = parse(name, paths[name], await read(paths[name]))
        for dependency in module.depends:
            await add(dependency)
        found[name] = module

    for name in wanted:
        await add(name)
    return list(found.values())


def parse(name: str, path: str, data: bytes) -> Module:
    """Return the facts of the module in `data`, unpacked if it is an .xz file."""
    if path.endswith(".xz"):
        path, data = path.removesuffix(".xz"), lzma.decompress(data)
    facts = ElfFile(data).section(".modinfo").split(b"\0")
    pairs = [fact.decode().partition("=") for fact in facts if b"=" in fact]
    depends = next((value for key, _, value in pairs if key == "depends"), "")
    return Module(
        name=name,
        path=path,
        data=data,
        depends=tuple(module_name(word) for word in depends.split(",") if word),
        aliases=tuple(value for key, _, value in pairs if key == "alias"),
    )


def module_name(text: str) -> str:
    """Return the name of a module file or a module as the kernel spells it."""
    return text.rsplit("/", 1)[-1].split(".ko")[0].replace("-", "_")


def dependency_index(modules: Iterable[Module]) -> str:
    """Return ``modules.dep``: each module's path and those it needs, nearest first."""
    by_name = {module.name: module for module in modules}
    lines = []
    for module in by_name.values():
        needed = [by_name[name].path for name in _closure(module, by_name)]
        lines.append(f"{module.path}:{''.join(' ' + path for path in needed)}")
    return "".join(f"{line}\n" for line in sorted(lines))


def alias_index(modules: Iterable[Module]) -> str:
    """Return ``modules.alias``: which module serves which device."""
    lines = [f"alias {alias} {module.name}" for module in modules for alias in module.aliases]
    return "".join(f"{line}\n" for line in sorted(lines))


def _closure(module: Module, by_name: Mapping[str, Module]) -> list[str]:
    ordered: list[str] = []
    for name in module.depends:
        ordered += [name, *_closure(by_name[name], by_name)]
    # Kept at its last place, so that each comes before all that need it when read backwards.
    return list(reversed(dict.fromkeys(reversed(ordered))))
