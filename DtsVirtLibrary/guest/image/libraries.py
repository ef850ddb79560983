"""Finds the shared libraries that programs need, by what the ELF files say."""

from __future__ import annotations

from collections.abc import Iterable

from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.guest.image.elf import ElfFile
from DtsVirtLibrary.guest.image.tree import Tree

SEARCH_PATH = ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "lib", "usr/lib")


async def libraries_of(programs: Iterable[bytes], tree: Tree) -> dict[str, bytes]:
    """Return the libraries, by their path in the image, that `programs` load.

    :raises HostError: the tree lacks one.
    """
    found: dict[str, bytes] = {}
    examined: set[str] = set()
    scripts = b"#!"
    waiting = [ElfFile(program) for program in programs if not program.startswith(scripts)]
    while waiting:
        program = waiting.pop()
        if program.interpreter:
            # At the very path that programs name; it is its own library too.
            found[program.interpreter.strip("/")] = await tree.read(program.interpreter)
            examined.add(program.interpreter.rsplit("/", 1)[-1])
        for name in program.needed:
            if name in examined:
                continue
            examined.add(name)
            data = await tree.read(_locate(name, tree))
            found[f"{SEARCH_PATH[0]}/{name}"] = data
            waiting.append(ElfFile(data))
    return found


def _locate(name: str, tree: Tree) -> str:
    paths = set(tree.paths)
    for directory in SEARCH_PATH:
        if f"{directory}/{name}" in paths:
            return f"{directory}/{name}"
    raise HostError(f"The downloaded packages hold no shared library {name}.")
