"""The doctor's look at QEMU binaries, KVM and the embedded guests."""

from __future__ import annotations

from collections.abc import Iterator

from DtsVirtLibrary.cache import cache_directory
from DtsVirtLibrary.cli.findings import Finding, Status
from DtsVirtLibrary.errors import DtsVirtError
from DtsVirtLibrary.guest.cache import GuestCache
from DtsVirtLibrary.guest.image.recipe import RECIPES, Recipe, recipe_digest
from DtsVirtLibrary.host.protocol import Host
from DtsVirtLibrary.qemu.binary.accelerator import probe_accelerator
from DtsVirtLibrary.qemu.binary.probe import probe

QEMU = "qemu-system-x86_64"
# Where a QEMU may stand that is not on PATH.
ELSEWHERE = ("/usr/libexec/qemu-kvm", "/usr/local/bin/qemu-system-x86_64")


async def binaries(host: Host) -> list[Finding]:
    """Say which QEMU is used and which others are found."""
    default = await host.which(QEMU)
    found = [await _default_binary(host)]
    for path in await _others(host, default):
        found.append(await _other_binary(host, path))
    return found


async def _default_binary(host: Host) -> Finding:
    cache = await cache_directory(host)
    try:
        facts = await probe(host, None, cache)
    except DtsVirtError as error:
        remedy = "as root: apt-get install --no-install-recommends qemu-system-x86"
        return Finding("QEMU", QEMU, Status.MISSING, error.summary, remedy, required=True)
    text = f"version {facts.version_text} ({facts.path})"
    return Finding("QEMU", QEMU, Status.OK, text, required=True)


async def _other_binary(host: Host, path: str) -> Finding:
    try:
        facts = await probe(host, path, await cache_directory(host))
    except DtsVirtError as error:
        return Finding("QEMU", path, Status.NOTE, f"cannot be used: {error.summary}")
    text = f"version {facts.version_text} (taken by a VM whose parameter qemu names it)"
    return Finding("QEMU", path, Status.OK, text)


async def _others(host: Host, default: str | None) -> list[str]:
    cache = await cache_directory(host)
    fetched = [f"{cache}/{name}/{QEMU}" for name in _qemu_names(await host.list_directory(cache))]
    seen = {await host.real_path(default)} if default else set()
    others = []
    for path in (*ELSEWHERE, *fetched):
        if await host.status(path) is None:
            continue
        real = await host.real_path(path)
        if real not in seen:
            seen.add(real)
            others.append(path)
    return others


def _qemu_names(names: list[str]) -> Iterator[str]:
    yield from (name for name in names if name.startswith("qemu-"))


async def accelerator(host: Host) -> list[Finding]:
    """Say whether KVM can be used, or why not."""
    binary = await host.which(QEMU)
    if binary is None:
        text = f"not tried, because {QEMU} is missing"
        return [Finding("Accelerator", "KVM", Status.NOTE, text)]
    facts = await probe_accelerator(host, binary)
    if facts.kvm:
        return [Finding("Accelerator", "KVM", Status.OK, "virtual machines run on it")]
    text = f"cannot be used: {facts.reason}"
    remedy = "nothing need be done: virtual machines run, slower, on TCG"
    return [Finding("Accelerator", "KVM", Status.NOTE, text, remedy)]


async def guests(host: Host) -> list[Finding]:
    """Say which flavours of the embedded guest are built."""
    cache = GuestCache(host, await cache_directory(host))
    return [await _guest(cache, flavour, recipe) for flavour, recipe in RECIPES.items()]


async def _guest(cache: GuestCache, flavour: str, recipe: Recipe) -> Finding:
    build = await cache.current(flavour, recipe_digest(recipe))
    if build is None:
        remedy = f"it is built at the first use, or by: dtsvirt guest build --flavour {flavour}"
        return Finding("Guest images", flavour, Status.NOTE, "not built yet", remedy)
    size = sum(build.manifest.files.values()) // 1_000_000
    text = f"built, kernel {build.manifest.kernel}, {size} MB ({build.directory})"
    return Finding("Guest images", flavour, Status.OK, text)
