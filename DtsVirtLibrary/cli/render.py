"""``dtsvirt render``: the command line of a configured VM, without starting it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from DtsVirtLibrary.config import ConfigFile
    from DtsVirtLibrary.host.protocol import Host
    from DtsVirtLibrary.qemu.start.facts import GuestFiles


def add_parser(subparsers: Any) -> None:
    """Add the subcommand to an :mod:`argparse` subparsers object."""
    parser = subparsers.add_parser(
        "render",
        help="print the QEMU command line of a configured VM",
        description="Print the QEMU command line of a VM of a .cfg or YAML file, quoted so that "
        "it can be pasted into a shell. Nothing is started.",
    )
    parser.add_argument("config", metavar="CONFIG", help="a .cfg or YAML file")
    parser.add_argument("vm", metavar="VM", nargs="?", help="may be left out if there is one only")
    parser.set_defaults(function=render)


def render(arguments: argparse.Namespace) -> int:
    """Print the command line."""
    import asyncio

    print(asyncio.run(_render_on_local_host(arguments.config, arguments.vm)))
    return 0


async def _render_on_local_host(config: str, vm: str | None) -> str:
    from DtsVirtLibrary.host.local import LocalHost

    host = LocalHost()
    try:
        return await rendered(host, config, vm)
    finally:
        await host.close()


async def rendered(host: Host, config: str, vm: str | None) -> str:
    """Return the command line of a VM of the file `config` as shell text.

    :raises ConfigError: the file is missing or wrong, or does not hold the VM.
    """
    from DtsVirtLibrary.config import build_spec
    from DtsVirtLibrary.qemu.hypervisor import QemuHypervisor
    from DtsVirtLibrary.qemu.start.facts import QemuSettings

    file = await _read(host, config)
    name = vm or _only_vm(file, config)
    parameters = file.section(name).copy()
    if file.defaults is not None:
        parameters.merge_defaults(file.defaults)
    spec = build_spec(name, parameters)

    async def guest_files(flavour: str) -> GuestFiles:
        return await _guest_files(host, flavour)

    hypervisor = QemuHypervisor(host, QemuSettings(), guest_files)
    _, text = await hypervisor.command_line(spec)
    return text


async def _read(host: Host, path: str) -> ConfigFile:
    from DtsVirtLibrary.config import load_file
    from DtsVirtLibrary.errors import ConfigError

    if await host.status(path) is None:
        raise ConfigError(f"Configuration file '{path}' does not exist.")
    return load_file(path, await host.read_text(path))


def _only_vm(file: ConfigFile, path: str) -> str:
    from DtsVirtLibrary.config.files import SingleVm
    from DtsVirtLibrary.errors import ConfigError

    if isinstance(file, SingleVm):
        return "vm0"
    names = list(file.sections)
    if len(names) == 1:
        return names[0]
    if not names:
        raise ConfigError(f"{path} describes no VM: it has no section of one.")
    raise ConfigError(f"{path} describes {len(names)} VMs; name one of them: {', '.join(names)}.")


async def _guest_files(host: Host, flavour: str) -> GuestFiles:
    """Return the built guest's files, or where they would be: nothing is built here."""
    from DtsVirtLibrary.cache import cache_directory
    from DtsVirtLibrary.guest.cache import GuestCache
    from DtsVirtLibrary.guest.image.builder import INITRD, KERNEL
    from DtsVirtLibrary.guest.image.recipe import GUEST_APPEND, recipe_digest, recipe_of
    from DtsVirtLibrary.qemu.start.facts import GuestFiles

    guests = GuestCache(host, await cache_directory(host))
    recipe = recipe_digest(recipe_of(flavour))
    build = await guests.current(flavour, recipe)
    directory = build.directory if build else f"{guests.place(flavour, recipe)}/not-built-yet"
    return GuestFiles(f"{directory}/{KERNEL}", f"{directory}/{INITRD}", GUEST_APPEND)
