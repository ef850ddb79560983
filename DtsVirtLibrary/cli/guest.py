"""``dtsvirt guest``: the guests that the library builds."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from DtsVirtLibrary.guest.image.cache import Build
    from DtsVirtLibrary.host.protocol import Host


def add_parser(subparsers: Any) -> None:
    """Add the subcommand to an :mod:`argparse` subparsers object."""
    parser = subparsers.add_parser(
        "guest",
        help="build and list the guests that VMs boot when they have no disk or kernel",
        description="The guests that the library builds from Debian's packages, for VMs that"
        " have no disk or kernel of their own.",
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    build_parser = actions.add_parser(
        "build",
        help="build a guest, unless the cache holds it",
        description="Build a guest into the cache, unless it is there already.",
    )
    build_parser.add_argument(
        "--flavour", default="default", help="which guest; `dtsvirt guest list` shows all"
    )
    build_parser.add_argument(
        "--force",
        action="store_true",
        help="build with the packages of today, whatever the cache holds",
    )
    build_parser.set_defaults(function=build)
    list_parser = actions.add_parser(
        "list", help="show the flavours and what is built", description="Show what is built."
    )
    list_parser.set_defaults(function=list_guests)


def build(arguments: argparse.Namespace) -> int:
    """Build a guest and say where it is."""
    import asyncio

    print(asyncio.run(_build(arguments.flavour, arguments.force)))
    return 0


def list_guests(arguments: argparse.Namespace) -> int:
    """Print the flavours, and each build with its versions, size and place."""
    import asyncio

    print("\n".join(asyncio.run(_list())))
    return 0


async def _build(flavour: str, force: bool) -> str:
    from DtsVirtLibrary.cache import cache_directory
    from DtsVirtLibrary.guest.image import embedded_guest
    from DtsVirtLibrary.host.local import LocalHost

    host = LocalHost()
    try:
        image = await embedded_guest(
            host, await cache_directory(host), flavour=flavour, progress=_say, force=force
        )
        return f"kernel {image.kernel}\ninitrd {image.initrd}\nkey    {image.key}"
    finally:
        await host.close()


async def _list() -> list[str]:
    from DtsVirtLibrary.host.local import LocalHost

    host = LocalHost()
    try:
        return await listing(host)
    finally:
        await host.close()


async def listing(host: Host) -> list[str]:
    """Return the lines that ``dtsvirt guest list`` prints."""
    from DtsVirtLibrary.cache import cache_directory
    from DtsVirtLibrary.guest.image.cache import GuestCache
    from DtsVirtLibrary.guest.image.recipe import RECIPES, recipe_digest

    builds = await GuestCache(host, await cache_directory(host)).builds()
    lines = []
    for flavour, recipe in RECIPES.items():
        digest = recipe_digest(recipe)
        mine = [one for one in builds if one.manifest.flavour == flavour]
        lines.append(f"{flavour}: {len(mine) or 'not'} built")
        for one in mine:
            is_used = one.current and one.manifest.recipe == digest
            lines += [f"  {line}" for line in _describe(one, "used" if is_used else "not used")]
    return lines


def _describe(build: Build, state: str) -> list[str]:
    from DtsVirtLibrary.guest.image.packages import megabytes

    manifest = build.manifest
    size = megabytes(sum(manifest.files.values()))
    versions = ", ".join(
        f"{name} {version}"
        for name, version in manifest.packages.items()
        if not name.startswith(("lib", "linux-image-"))
    )
    return [
        f"{manifest.content} ({state}, {size}): kernel {manifest.kernel}, {versions}",
        f"  {build.directory}",
    ]


def _say(line: str) -> None:
    import sys

    print(f"guest: {line}", file=sys.stderr, flush=True)
