"""Where built guests lie, and which of them is current.

Below the cache's root: ``guest/<flavour>/<recipe>/<content>/`` holds one build, whole once
its manifest is there; ``guest/<flavour>/<recipe>/current`` names the one to use.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from DtsVirtLibrary.host.protocol import FileKind, Host

MANIFEST = "manifest.json"
CURRENT = "current"
# How long a build is kept after the next one was made: a week.
KEEP_NANOSECONDS = 7 * 24 * 3600 * 10**9


@dataclass(frozen=True)
class Manifest:
    """What one build holds.

    :ivar recipe: digest of what the library itself puts in.
    :ivar content: digest of the recipe and the packages.
    :ivar kernel: release of the kernel, empty where the guest brings its own.
    :ivar packages: version by name.
    :ivar files: size in bytes by name.
    :ivar digests: SHA256 by name.
    """

    flavour: str
    recipe: str
    content: str
    kernel: str
    packages: dict[str, str]
    files: dict[str, int]
    digests: dict[str, str]

    def to_json(self) -> bytes:
        """Return its text for the disk."""
        return json.dumps(asdict(self), indent=2, sort_keys=True).encode() + b"\n"

    @classmethod
    def from_json(cls, text: str) -> Manifest | None:
        """Return what `text` says, None if it is none of ours."""
        try:
            values: Any = json.loads(text)
            return cls(**values)
        except (ValueError, TypeError):
            return None


@dataclass(frozen=True)
class Build:
    """A whole build: its directory on the host and its manifest."""

    directory: str
    manifest: Manifest
    current: bool


class GuestCache:
    """The builds below one cache root."""

    def __init__(self, host: Host, root: str) -> None:
        self._host = host
        self.root = f"{root}/guest"

    def place(self, flavour: str, recipe: str) -> str:
        """Return the directory of all builds of one recipe."""
        return f"{self.root}/{flavour}/{recipe}"

    async def current(self, flavour: str, recipe: str) -> Build | None:
        """Return the build to use, None if there is none or it is not whole."""
        pointer = f"{self.place(flavour, recipe)}/{CURRENT}"
        if await self._host.status(pointer) is None:
            return None
        content = (await self._host.read_text(pointer)).strip()
        return await self.build(flavour, recipe, content, current=True)

    async def build(
        self, flavour: str, recipe: str, content: str, *, current: bool = False
    ) -> Build | None:
        """Return one build, None if it is not whole."""
        directory = f"{self.place(flavour, recipe)}/{content}"
        if await self._host.status(f"{directory}/{MANIFEST}") is None:
            return None
        manifest = Manifest.from_json(await self._host.read_text(f"{directory}/{MANIFEST}"))
        if manifest is None or manifest.content != content:
            return None
        for name, size in manifest.files.items():
            status = await self._host.status(f"{directory}/{name}")
            if status is None or status.size != size:
                return None
        return Build(directory, manifest, current)

    async def publish(self, directory: str, manifest: Manifest) -> Build:
        """Move a finished directory to its place and make it the current build.

        :raises HostError: it cannot be moved.
        """
        await self._host.write_bytes(f"{directory}/{MANIFEST}", manifest.to_json(), mode=0o644)
        target = f"{self.place(manifest.flavour, manifest.recipe)}/{manifest.content}"
        await self._host.make_directory(self.place(manifest.flavour, manifest.recipe))
        await self._host.remove(target)
        await self._host.rename(directory, target)
        await self._forget_old(manifest.flavour, target)
        return await self.make_current(Build(target, manifest, False))

    async def make_current(self, build: Build) -> Build:
        """Let `build` be the one that is used."""
        manifest = build.manifest
        pointer = f"{self.place(manifest.flavour, manifest.recipe)}/{CURRENT}"
        await self._host.write_bytes(pointer, f"{manifest.content}\n".encode(), mode=0o644)
        return Build(build.directory, manifest, True)

    async def builds(self) -> list[Build]:
        """Return all whole builds, sorted by flavour."""
        found = []
        for flavour in await self._directories(self.root):
            for recipe in await self._directories(f"{self.root}/{flavour}"):
                current = await self.current(flavour, recipe)
                for content in await self._directories(self.place(flavour, recipe)):
                    build = await self.build(flavour, recipe, content)
                    if build is not None:
                        is_current = current is not None and current.directory == build.directory
                        found.append(Build(build.directory, build.manifest, is_current))
        return found

    async def _forget_old(self, flavour: str, newest: str) -> None:
        """Remove builds that are much older than the newest one; a VM may start from others."""
        made = await self._modified(newest)
        for build in await self.builds():
            age = made - await self._modified(build.directory)
            if build.manifest.flavour == flavour and age > KEEP_NANOSECONDS:
                await self._host.remove(build.directory)

    async def _modified(self, directory: str) -> int:
        status = await self._host.status(f"{directory}/{MANIFEST}")
        return 0 if status is None else status.modified_ns

    async def _directories(self, path: str) -> list[str]:
        if await self._host.status(path) is None:
            return []
        names = await self._host.list_directory(path)
        statuses = [await self._host.status(f"{path}/{name}") for name in names]
        return [
            name
            for name, status in zip(names, statuses, strict=True)
            if status is not None and status.kind is FileKind.DIRECTORY
        ]


def short_digest(facts: object) -> str:
    """Return 16 hexadecimal digits that stand for `facts` (anything JSON can hold)."""
    text = json.dumps(facts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
