"""The doctor's look at QEMU binaries, KVM and the embedded guests."""

from __future__ import annotations

from collections.abc import Iterator

from ..cache import cache_directory
from ..errors import DtsVirtError
from ..host.protocol import Host
from ..qemu.accelerator import probe_accelerator
from ..qemu.binary import BinaryFacts, probe
from .findings import Finding, Status

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
    name = QEMU
    try:
        facts = await probe(host, None, await cache_directory(host))
    except DtsVirtError as error:
        remedy = "as root: apt-get install --no-install-recommends qemu-system-x86"
        return Finding("QEMU", name, Status.MISSING, error.summary, remedy, required=True)
    return Finding("QEMU", name, Status.OK, _described(facts), required=True)


async def _other_binary(host: Host, path: str) -> Finding:
    try:
        facts = await probe(host, path, await cache_directory(host))
    except DtsVirtError as error:
        return Finding("QEMU", path, Status.NOTE, f"cannot be used: {error.summary}")
    return Finding("QEMU", path, Status.OK, f"{_described(facts)} (use it with qemu=path={path})")


def _described(facts: BinaryFacts) -> str:
    return f"version {facts.version_text} ({facts.path})"


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
    try:
        facts = await probe_accelerator(host, await probe(host, None, await cache_directory(host)))
    except DtsVirtError as error:
        return [Finding("Accelerator", "KVM", Status.NOTE, error.summary)]
    if facts.kvm:
        return [Finding("Accelerator", "KVM", Status.OK, "virtual machines run on it")]
    text = f"cannot be used: {facts.reason}"
    remedy = "nothing need be done: virtual machines run, slower, on TCG"
    return [Finding("Accelerator", "KVM", Status.NOTE, text, remedy)]
