"""Templates: the memory, device state and disks of a ready guest, kept for its clones.

A template is a directory named by its key: ``memory`` (as large as the guest's memory, and
sparse; where that is in hugepages it is in the state instead), ``state``, one overlay for each
disk, and ``manifest.json``, which comes last. They lie in memory (``/dev/shm``) where that has
room, else in the cache.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from DtsVirtLibrary.cache import cache_directory
from DtsVirtLibrary.errors import HostError, TemplateError, TemplateMissing
from DtsVirtLibrary.host.admission import available_mib
from DtsVirtLibrary.host.protocol import FileKind, Host
from DtsVirtLibrary.qemu.templates.key import FORMAT
from DtsVirtLibrary.qemu.templates.manifest import MANIFEST, STATE, Manifest, Template
from DtsVirtLibrary.results import TemplateInfo

DRAFT = ".draft-"
LOCK = ".lock-"
KEY = "[0-9a-f]{24}"
# A place may hold other things too, which are not ours to remove.
TEMPLATE = re.compile(KEY)
OURS = re.compile(rf"{KEY}|{re.escape(DRAFT)}[0-9a-f]{{16}}|{re.escape(LOCK)}{KEY}")
USED = "used"
TMPFS = "/dev/shm"
# What a guest's memory may take at most, and something for its disks and for the others.
MARGIN = 256 << 20
DEFAULT_LIMIT_MIB = 8192
LIMIT_VARIABLE = "DTSVIRT_TEMPLATE_LIMIT"
PLACE_VARIABLE = "DTSVIRT_TEMPLATES"
COMMAND_SECONDS = 60.0
# Other runs may exchange a template while it is taken away, but not again and again.
TRIES = 8


class TemplateStore:
    """The templates of one user on one host."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def find(self, key: str) -> Template:
        """Return the template of this key, checked, with its state.

        :raises TemplateMissing: there is none.
        :raises TemplateError: it is broken; it has been removed.
        """
        for root in await self.roots():
            directory = f"{root}/{key}"
            if await self._host.status(directory, follow=False) is None:
                continue
            template = await self._check(directory, key)
            with suppress(HostError):  # no room to note it, or it was removed meanwhile
                await self._host.write_bytes(f"{directory}/{USED}", b"")
            return template
        raise TemplateMissing(f"There is no template {key} yet.")

    async def exists(self, key: str) -> bool:
        """Tell whether there seems to be a template of this key."""
        for root in await self.roots():
            if await self._host.status(f"{root}/{key}/{MANIFEST}") is not None:
                return True
        return False

    async def draft(self, memory_mib: int) -> str:
        """Make a directory for a template that is being made and return it.

        :raises TemplateError: there is no room for it, no place that is ours alone, or the
            limit that the user set is no number.
        """
        await self._limit()
        needed = (memory_mib << 20) + MARGIN
        found = []
        for root in await self.roots(make=True):
            free = await self._room(root)
            if free >= needed:
                return await self._passing_directory(root)
            found.append(f"{free >> 20} MiB in {root}")
        room = ", ".join(found) or "no place that is ours alone"
        raise TemplateError(f"a template needs {needed >> 20} MiB of room, and there is {room}")

    async def hold(self, template: Template, disks: Sequence[str]) -> str:
        """Return a new directory with links to disks of a template, which stay when that goes.

        :raises HostError: they are gone, or there can be no links.
        """
        directory = await self._passing_directory(template.directory.rpartition("/")[0])
        held = replace(template, directory=directory)
        try:
            for disk in disks:
                await self._host.link(template.disk(disk), held.disk(disk))
        except HostError:
            await self._host.remove(directory)
            raise
        return directory

    async def _passing_directory(self, root: str) -> str:
        directory = f"{root}/{DRAFT}{secrets.token_hex(8)}"
        await self._host.passing_directory(directory)
        return directory

    async def _room(self, root: str) -> int:
        """Return the bytes that a new template may take there, memory of the host included."""
        free = await self._host.free_space(root)
        if await self._host.file_system(root) != "tmpfs":
            return free
        return min(free, await available_mib(self._host) << 20)

    async def publish(self, draft: str, manifest: Manifest) -> None:
        """Give a finished draft its place; one of the same key goes.

        :raises HostError: it cannot be moved; there is no template then.
        """
        await self._host.write_bytes(f"{draft}/{MANIFEST}", manifest.to_json())
        await self._host.write_bytes(f"{draft}/{USED}", b"")
        former = [await self._moved_away(f"{root}/{manifest.key}") for root in await self.roots()]
        try:
            await self._host.rename(draft, f"{draft.rpartition('/')[0]}/{manifest.key}")
        finally:
            for path in filter(None, former):
                await self._host.remove(path)
        # It is a template from here on, whatever becomes of the others.
        with suppress(HostError):
            await self._evict(keep=manifest.key)

    async def require_unchanged(self, template: Template) -> None:
        """Check that what was read of a template and what was opened since is of one making.

        :raises TemplateError: it was replaced or removed meanwhile.
        """
        try:
            await self._require_files(template.directory, template.manifest)
        except TemplateError as error:
            key = template.manifest.key
            raise TemplateError(f"the template {key} was replaced meanwhile: {error}") from error

    async def discard(self, template: Template) -> None:
        """Remove a template that cannot serve, unless another one has taken its place."""
        with suppress(HostError):  # the VM boots cold all the same
            await self._take_away_if(template.directory, template.manifest)

    async def stored(self) -> list[tuple[Template, int]]:
        """Return all whole templates with the bytes that each takes, latest used first."""
        found = []
        for directory, size in await self._directories():
            manifest = await self._manifest(directory)
            if manifest is not None:
                found.append((Template(directory, manifest), size))
        return found

    async def _directories(self) -> list[tuple[str, int]]:
        """Return the directories of templates, those of other versions of this library too.

        With the bytes that each takes, the one used last first.
        """
        found = []
        for root in await self.roots():
            for name in filter(TEMPLATE.fullmatch, await self._host.list_directory(root)):
                directory = f"{root}/{name}"
                used = await self._host.status(f"{directory}/{USED}")
                with suppress(HostError):  # it was removed meanwhile
                    size = await self._size(directory)
                    found.append((used.modified_ns if used else 0, directory, size))
        return [(directory, size) for _, directory, size in sorted(found, reverse=True)]

    async def infos(self) -> tuple[TemplateInfo, ...]:
        """Return what is known of all whole templates, latest used first."""
        return tuple(
            TemplateInfo(
                key=template.manifest.key,
                vm=template.manifest.vm,
                description=template.manifest.description,
                version=template.manifest.version,
                memory_mib=template.manifest.memory_mib,
                size=size,
                saved_at=template.manifest.saved_at,
                directory=template.directory,
            )
            for template, size in await self.stored()
        )

    async def clear(self) -> int:
        """Remove all templates, broken and unfinished ones too; return how many there were."""
        number = 0
        for root in await self.roots():
            for name in filter(OURS.fullmatch, await self._host.list_directory(root)):
                status = await self._host.status(f"{root}/{name}", follow=False)
                await self._host.remove(f"{root}/{name}")
                number += status is not None and status.kind is FileKind.DIRECTORY
        return number

    async def remove(self, key: str) -> bool:
        """Remove a template; return whether there was one. Its clones are not disturbed."""
        removed = [await self._take_away(f"{root}/{key}") for root in await self.roots()]
        return any(removed)

    async def _take_away(self, directory: str) -> bool:
        """Remove a template in one step for all who look for it; return whether there was one."""
        away = await self._moved_away(directory)
        if away is None:
            return False
        await self._host.remove(away)
        return True

    async def _take_away_if(self, directory: str, manifest: Manifest | None) -> bool:
        """Do the same, unless another one with another manifest has taken its place."""
        away = await self._moved_away(directory)
        if away is None:
            return False
        same = await self._manifest(away) == manifest
        if not same:
            with suppress(HostError):  # a still newer one is there
                await self._host.rename(away, directory)
        await self._host.remove(away)
        return same

    async def _moved_away(self, directory: str, tries: int = TRIES) -> str | None:
        """Move what stands there aside and return its new path, None if there is nothing.

        :raises HostError: it cannot be moved, however often that is tried.
        """
        away = f"{directory.rpartition('/')[0]}/{DRAFT}{secrets.token_hex(8)}"
        status = await self._host.status(directory, follow=False)
        if status is not None and status.kind is FileKind.DIRECTORY:
            # Removed if we are killed meanwhile; a directory may replace an empty one.
            await self._host.passing_directory(away)
        try:
            await self._host.rename(directory, away)
        except HostError:
            await self._host.remove(away)
            if await self._host.status(directory, follow=False) is None:
                return None
            if not tries:
                raise
            # Another run has taken it away, and put a new one there.
            return await self._moved_away(directory, tries - 1)
        return away

    async def roots(self, *, make: bool = False) -> list[str]:
        """Return the directories of templates, the preferred one first.

        :param make: make those that are not there.
        :raises TemplateError: one that the user named is relative, or not ours alone.
        """
        if chosen := await self._host.environment(PLACE_VARIABLE):
            if not chosen.startswith("/"):
                raise TemplateError(f"{PLACE_VARIABLE} must be an absolute path, not '{chosen}'.")
            places = [chosen]
        else:
            places = [f"{await cache_directory(self._host)}/template"]
            if await self._in_memory():
                places.insert(0, f"{TMPFS}/dtsvirt-{await self._host.user_id()}")
        return [place for place in places if await self._usable(place, make)]

    async def _in_memory(self) -> bool:
        return (
            await self._host.status(TMPFS) is not None
            and await self._host.file_system(TMPFS) == "tmpfs"
        )

    async def _usable(self, place: str, make: bool) -> bool:
        """Tell whether a place is there and ours alone; somebody else's is not touched."""
        if make and await self._host.status(place, follow=False) is None:
            await self._host.make_directory(place, mode=0o700)
        return await self._is_ours_alone(place)

    async def _is_ours_alone(self, path: str) -> bool:
        status = await self._host.status(path, follow=False)
        return (
            status is not None
            and status.kind is FileKind.DIRECTORY
            and status.uid == await self._host.user_id()
            and not status.mode & 0o077
        )

    async def _check(self, directory: str, key: str) -> Template:
        """Return the template with its state.

        :raises TemplateMissing: it was removed meanwhile.
        :raises TemplateError: something is missing or was changed; it has been removed.
        """
        manifest = await self._manifest(directory)
        try:
            return await self._checked(directory, key, manifest)
        except (TemplateError, HostError) as error:
            broken = f"the template {key} was broken and is removed: {error.summary}"
            try:
                if await self._take_away_if(directory, manifest):
                    raise TemplateError(broken) from error
            except HostError as left:
                raise TemplateError(f"{broken}, but {left.summary}") from left
            raise TemplateMissing(f"The template {key} was replaced or removed.") from error

    async def _checked(self, directory: str, key: str, manifest: Manifest | None) -> Template:
        if not await self._is_ours_alone(directory):
            raise TemplateError("it is no directory of ours alone")
        if manifest is None or manifest.key != key or manifest.format != FORMAT:
            raise TemplateError("its manifest is missing or foreign")
        await self._require_files(directory, manifest)
        if manifest.state_digest is None:
            return Template(directory, manifest)
        state = await self._host.read_bytes(f"{directory}/{STATE}")
        if hashlib.sha256(state).hexdigest() != manifest.state_digest:
            raise TemplateError(f"'{STATE}' is not what was saved")
        return Template(directory, manifest, state)

    async def _require_files(self, directory: str, manifest: Manifest) -> None:
        for name, (size, modified) in manifest.files.items():
            status = await self._host.status(f"{directory}/{name}", follow=False)
            if status is None or status.kind is not FileKind.FILE:
                raise TemplateError(f"'{name}' is missing")
            if status.size != size:
                raise TemplateError(f"'{name}' has {status.size} bytes instead of {size}")
            if status.modified_ns != modified:
                raise TemplateError(f"'{name}' was changed after it was saved")

    async def _manifest(self, directory: str) -> Manifest | None:
        path = f"{directory}/{MANIFEST}"
        if await self._host.status(path) is None:
            return None
        return Manifest.from_json(await self._host.read_text(path))

    async def _evict(self, keep: str) -> None:
        """Remove the templates that were not used for longest, down to the limit."""
        limit = await self._limit()
        total = 0
        for directory, size in await self._directories():
            total += size
            if total > limit and not directory.endswith(f"/{keep}"):
                await self._take_away(directory)

    async def _limit(self) -> int:
        """Return how many bytes all templates together may take."""
        text = await self._host.environment(LIMIT_VARIABLE) or str(DEFAULT_LIMIT_MIB)
        if not text.isdecimal():
            raise TemplateError(f"{LIMIT_VARIABLE} must be a number of MiB, not '{text}'.")
        return int(text) << 20

    async def _size(self, directory: str) -> int:
        """Return the bytes that a directory really takes; its memory file is sparse."""
        argv = ["du", "--summarize", "--block-size=1", directory]
        completed = await self._host.run(argv, timeout=COMMAND_SECONDS)
        return int(completed.stdout.split()[0])
