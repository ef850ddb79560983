"""``dtsvirt guest``: the guests that the library builds, and images that testers prepare."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from DtsVirtLibrary.cli.findings import Finding
    from DtsVirtLibrary.guest.cache import Build, Manifest
    from DtsVirtLibrary.host.protocol import Host

CHECK_SECONDS = 300.0
# The packages that a guest on disk is known by; it has some hundred and fifty.
TELLING_PACKAGES = ("base-files", "systemd", "qemu-guest-agent", "openssh-server")


def add_parser(subparsers: Any) -> None:
    """Add the subcommand to an :mod:`argparse` subparsers object."""
    parser = subparsers.add_parser(
        "guest",
        help="build and list guests, and check a disk image of your own",
        description="The guests that the library builds from Debian's packages: those for VMs"
        " that have no disk or kernel of their own, and the disk image 'debian'.",
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
    _add_check(actions)
    list_parser = actions.add_parser(
        "list", help="show the flavours and what is built", description="Show what is built."
    )
    list_parser.set_defaults(function=list_guests)


def _add_check(actions: Any) -> None:
    parser = actions.add_parser(
        "check",
        help="say what a disk image lacks of the guest's preparation",
        description="Boot a disk image on a throw-away overlay, so that it stays as it is, and"
        " say what it lacks: guest agent, SSH server, DHCP on the interface host_connect, no"
        " firewall. The exit code is 1 if something is missing.",
    )
    parser.add_argument("image", metavar="IMAGE", help="a disk image")
    parser.add_argument(
        "--format", help="qcow2, raw, ...; without it, the name decides as for the disk parameter"
    )
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=CHECK_SECONDS,
        metavar="SECONDS",
        help="how long to wait for what the guest lacks (default: %(default)g)",
    )
    parser.set_defaults(function=check)


def _seconds(text: str) -> float:
    import math

    seconds = float(text)
    if not (math.isfinite(seconds) and seconds > 0):
        raise ValueError(text)
    return seconds


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


def check(arguments: argparse.Namespace) -> int:
    """Print what an image has and lacks; return 1 if it lacks something."""
    import asyncio

    from DtsVirtLibrary.cli.findings import Status
    from DtsVirtLibrary.cli.image_check import as_lines

    findings = asyncio.run(_check(arguments.image, arguments.format, arguments.timeout))
    print("\n".join(as_lines(findings)))
    return int(any(finding.status is Status.MISSING for finding in findings))


async def _build(flavour: str, force: bool) -> str:
    from DtsVirtLibrary.cache import cache_directory
    from DtsVirtLibrary.errors import ConfigError, nearest
    from DtsVirtLibrary.guest.disk import DISK_RECIPES, disk_image
    from DtsVirtLibrary.guest.image import embedded_guest
    from DtsVirtLibrary.guest.image.recipe import RECIPES
    from DtsVirtLibrary.host.local import LocalHost

    known = [*RECIPES, *DISK_RECIPES]
    if flavour not in known:
        raise ConfigError(
            f"There is no guest '{flavour}'.{nearest(flavour, known)} Known: {', '.join(known)}."
        )
    host = LocalHost()
    try:
        cache = await cache_directory(host)
        if flavour in DISK_RECIPES:
            disk = await disk_image(host, cache, flavour=flavour, progress=_say, force=force)
            return disk.path
        image = await embedded_guest(host, cache, flavour=flavour, progress=_say, force=force)
        return f"kernel {image.kernel}\ninitrd {image.initrd}\nkey    {image.key}"
    finally:
        await host.close()


async def _check(image: str, image_format: str | None, seconds: float) -> Sequence[Finding]:
    from DtsVirtLibrary.cli.image_check import check_image
    from DtsVirtLibrary.host.local import LocalHost

    _say(f"booting {image} on an overlay; what is not there is waited for {seconds:g} s")
    host = LocalHost()
    try:
        return await check_image(host, image, image_format, seconds)
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
    from DtsVirtLibrary.guest.cache import GuestCache
    from DtsVirtLibrary.guest.disk import recipe as disk
    from DtsVirtLibrary.guest.image import recipe as embedded

    builds = await GuestCache(host, await cache_directory(host)).builds()
    digests = {name: embedded.recipe_digest(one) for name, one in embedded.RECIPES.items()}
    digests |= {name: disk.recipe_digest(one) for name, one in disk.DISK_RECIPES.items()}
    lines = []
    for flavour, digest in digests.items():
        mine = [one for one in builds if one.manifest.flavour == flavour]
        lines.append(f"{flavour}: {len(mine) or 'not'} built")
        for one in mine:
            is_used = one.current and one.manifest.recipe == digest
            lines += [f"  {line}" for line in _describe(one, "used" if is_used else "not used")]
    return lines


def _describe(build: Build, state: str) -> list[str]:
    from DtsVirtLibrary.guest.workshop import megabytes

    manifest = build.manifest
    size = megabytes(sum(manifest.files.values()))
    versions = ", ".join(f"{name} {manifest.packages[name]}" for name in _telling(manifest))
    return [
        f"{manifest.content} ({state}, {size}): kernel {manifest.kernel}, {versions}",
        f"  {build.directory}",
    ]


def _telling(manifest: Manifest) -> list[str]:
    from DtsVirtLibrary.guest.disk import DISK_RECIPES

    if manifest.flavour in DISK_RECIPES:
        return [name for name in TELLING_PACKAGES if name in manifest.packages]
    return [name for name in manifest.packages if not name.startswith(("lib", "linux-image-"))]


def _say(line: str) -> None:
    import sys

    print(f"guest: {line}", file=sys.stderr, flush=True)
