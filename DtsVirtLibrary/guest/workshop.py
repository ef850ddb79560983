"""Where a guest is built: in the cache, with room enough, by one builder at a time."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from DtsVirtLibrary.errors import CleanupError, HostError
from DtsVirtLibrary.guest.cache import GuestCache
from DtsVirtLibrary.host.lock import host_lock
from DtsVirtLibrary.host.protocol import Host

# Takes a line for each step of a build.
Progress = Callable[[str], None]

# Tells backup programs to pass by (https://bford.info/cachedir/).
CACHE_TAG = b"Signature: 8a477f597d28d172789f06886806bc55\n"


@dataclass(frozen=True)
class Workshop:
    """The place where guests of one kind are built.

    :ivar guest: what is built, in messages: ``a guest``.
    :ivar prefix: of its lock and its working directories; no kind's is the start of another's.
    :ivar space: bytes that a build takes for a while.
    :ivar patience: seconds to wait for another builder.
    """

    host: Host
    cache: GuestCache
    guest: str
    prefix: str
    space: int
    patience: float
    progress: Progress

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Keep other builders of this kind out.

        :raises HostError: the cache cannot be written, or another builder takes too long.
        """
        root = self.cache.root
        try:
            await self.host.make_directory(root, mode=0o700)
            await self.host.write_bytes(f"{root}/CACHEDIR.TAG", CACHE_TAG, mode=0o644)
        except HostError as error:
            raise HostError(
                f"The guest's cache {root} cannot be written: {error.summary}"
                " Set DTSVIRT_CACHE to a directory of yours.",
                error.evidence,
            ) from error

        def waiting() -> None:
            self.progress(f"waiting for another process that builds {self.guest}")

        lock = f"{root}/{self.prefix}lock"
        async with host_lock(self.host, lock, timeout=self.patience, waiting=waiting):
            yield

    @asynccontextmanager
    async def directory(self) -> AsyncIterator[str]:
        """Make a directory to work in, and remove it afterwards; for the holder of the lock.

        :raises HostError: there is no room for a build.
        """
        root, start = self.cache.root, f"{self.prefix}work-"
        for name in await self.host.list_directory(root):
            if name.startswith(start):
                # What a killed builder left; a command of it may still be writing there.
                with suppress(CleanupError):
                    await self.host.remove(f"{root}/{name}")
        await self._require_room()
        # Beside the finished builds, so that the result can be renamed into its place.
        work = f"{root}/{start}{secrets.token_hex(4)}"
        await self.host.make_directory(work, mode=0o700)
        try:
            yield work
        finally:
            await self.host.remove(work)

    async def _require_room(self) -> None:
        free = await self.host.free_space(self.cache.root)
        if free < self.space:
            raise HostError(
                f"Building {self.guest} needs {megabytes(self.space)} for a while, and the file"
                f" system of {self.cache.root} has {megabytes(free)} free. Make room, or set"
                " DTSVIRT_CACHE to a directory elsewhere."
            )


def megabytes(size: int) -> str:
    """Return `size` bytes for people: ``78 MB``."""
    return f"{size / 1e6:.0f} MB" if size >= 10e6 else f"{size / 1e6:.1f} MB"
