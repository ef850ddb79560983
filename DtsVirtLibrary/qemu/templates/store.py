"""Templates: the memory, device state and disks of a ready guest, kept for its clones.

A template is a directory named by its key: ``memory`` (as large as the guest's memory, and
sparse; where that is in hugepages it is in the state instead), ``state``, one overlay for each
disk, and ``manifest.json``, which comes last. They lie in memory (``/dev/shm``) where that has
room, else in the cache.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from DtsVirtLibrary.cache import cache_directory
from DtsVirtLibrary.errors import HostError, TemplateError, TemplateMissing
from DtsVirtLibrary.host.admission import available_mib
from DtsVirtLibrary.host.protocol import FileKind, Host
from DtsVirtLibrary.qemu.inside.name_receiver import NameReceiver
from DtsVirtLibrary.qemu.templates.key import FORMAT
from DtsVirtLibrary.results import GuestAddress, GuestInterface, TemplateInfo

MANIFEST = "manifest.json"
MEMORY = "memory"
STATE = "state"
DRAFT = ".draft-"
USED = "used"
TMPFS = "/dev/shm"
# What a guest's memory may take at most, and something for its disks and for the others.
MARGIN = 256 << 20
DEFAULT_LIMIT_MIB = 8192
LIMIT_VARIABLE = "DTSVIRT_TEMPLATE_LIMIT"
PLACE_VARIABLE = "DTSVIRT_TEMPLATES"
COMMAND_SECONDS = 60.0


@dataclass(frozen=True)
class GuestAsSaved:
    """What is known of the guest in a template, so that its clones need not be asked.

    :ivar interfaces: its network interfaces.
    :ivar receiver: the program that waits for a clone's name and time; None for none.
    :ivar serves_ssh: its SSH server had answered.
    :ivar host_keys: public keys of that (``ssh-ed25519 AAAA...``); none if they are not known.
    """

    interfaces: tuple[GuestInterface, ...] = ()
    receiver: NameReceiver | None = None
    serves_ssh: bool = False
    host_keys: tuple[str, ...] = ()

    @classmethod
    def from_values(cls, values: Any) -> GuestAsSaved:
        """Return it from what JSON holds of it."""
        interfaces = tuple(
            GuestInterface(
                item["name"],
                item["mac"],
                tuple(GuestAddress(**address) for address in item["addresses"]),
            )
            for item in values["interfaces"]
        )
        receiver = NameReceiver(**values["receiver"]) if values["receiver"] else None
        return cls(interfaces, receiver, values["serves_ssh"], tuple(values["host_keys"]))


@dataclass(frozen=True)
class Manifest:
    """What a template holds.

    :ivar vm: name of the VM that it was made of.
    :ivar host_name: the guest's own name, which each clone replaces by its own.
    :ivar saved_at: seconds since 1970.
    :ivar files: size in bytes and time of the last change in ns of every file, by name.
    :ivar state_digest: SHA256 of the devices' state; None where the memory is in it too, which
        would take longer to read than to load.
    :ivar guest: what is known of the guest.
    """

    key: str
    vm: str
    version: str
    memory_mib: int
    saved_at: float
    files: dict[str, tuple[int, int]]
    state_digest: str | None
    description: str = ""
    guest: GuestAsSaved = field(default_factory=lambda: GuestAsSaved())
    format: int = FORMAT

    def to_json(self) -> bytes:
        """Return its text for the disk."""
        return json.dumps(asdict(self), indent=2, sort_keys=True).encode() + b"\n"

    @classmethod
    def from_json(cls, text: str) -> Manifest | None:
        """Return what `text` says, None if it is none of ours."""
        try:
            values: Any = json.loads(text)
            files = {name: (size, at) for name, (size, at) in values.pop("files").items()}
            guest = GuestAsSaved.from_values(values.pop("guest"))
            return cls(files=files, guest=guest, **values)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None


@dataclass(frozen=True)
class Template:
    """A template that was found whole: its directory on the host and its manifest."""

    directory: str
    manifest: Manifest
    state: bytes = field(repr=False, default=b"")

    @property
    def memory(self) -> str | None:
        """File of the guest's memory; None if that is in the state."""
        return f"{self.directory}/{MEMORY}" if MEMORY in self.manifest.files else None

    @property
    def state_file(self) -> str:
        """File of the devices' state."""
        return f"{self.directory}/{STATE}"

    def disk(self, disk_id: str) -> str:
        """File of a disk's state."""
        return f"{self.directory}/{disk_id}.qcow2"


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

        :raises TemplateError: there is no room for it, or no place that is ours alone.
        """
        needed = (memory_mib << 20) + MARGIN
        found = []
        for root in await self.roots(make=True):
            free = await self._room(root)
            if free >= needed:
                directory = f"{root}/{DRAFT}{secrets.token_hex(8)}"
                await self._host.passing_directory(directory)
                return directory
            found.append(f"{free >> 20} MiB in {root}")
        room = ", ".join(found) or "no place that is ours alone"
        raise TemplateError(f"a template needs {needed >> 20} MiB of room, and there is {room}")

    async def _room(self, root: str) -> int:
        """Return the bytes that a new template may take there, memory of the host included."""
        free = await self._host.free_space(root)
        if await self._host.file_system(root) != "tmpfs":
            return free
        return min(free, await available_mib(self._host) << 20)

    async def publish(self, draft: str, manifest: Manifest) -> None:
        """Give a finished draft its place; one that is there already stays.

        :raises HostError: it cannot be moved.
        """
        await self._host.write_bytes(f"{draft}/{MANIFEST}", manifest.to_json())
        await self._host.write_bytes(f"{draft}/{USED}", b"")
        root = draft.rpartition("/")[0]
        target = f"{root}/{manifest.key}"
        if await self._host.status(target, follow=False) is not None:
            await self._host.remove(target)
        await self._host.rename(draft, target)
        await self._evict(keep=manifest.key)

    async def stored(self) -> list[tuple[Template, int]]:
        """Return all whole templates with the bytes that each takes, latest used first."""
        found = []
        for root in await self.roots():
            for name in await self._host.list_directory(root):
                manifest = await self._manifest(f"{root}/{name}")
                if manifest is not None and not name.startswith(DRAFT):
                    template = Template(f"{root}/{name}", manifest)
                    used = await self._host.status(f"{template.directory}/{USED}")
                    at = used.modified_ns if used else 0
                    found.append((at, template, await self._size(template.directory)))
        found.sort(key=lambda item: item[0], reverse=True)
        return [(template, size) for _, template, size in found]

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
        """Remove everything that lies here and return the number of directories."""
        number = 0
        for root in await self.roots():
            for name in await self._host.list_directory(root):
                status = await self._host.status(f"{root}/{name}", follow=False)
                await self._host.remove(f"{root}/{name}")
                number += status is not None and status.kind is FileKind.DIRECTORY
        return number

    async def remove(self, key: str) -> bool:
        """Remove a template; return whether there was one. Its clones are not disturbed."""
        removed = False
        for root in await self.roots():
            if await self._host.status(f"{root}/{key}", follow=False) is not None:
                await self._host.remove(f"{root}/{key}")
                removed = True
        return removed

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

        :raises TemplateError: something is missing or was changed; it has been removed.
        """
        try:
            return await self._checked(directory, key)
        except (TemplateError, HostError) as error:
            await self._host.remove(directory)
            raise TemplateError(f"the template {key} was broken and is removed: {error}") from error

    async def _checked(self, directory: str, key: str) -> Template:
        if not await self._is_ours_alone(directory):
            raise TemplateError("it is no directory of ours alone")
        manifest = await self._manifest(directory)
        if manifest is None or manifest.key != key or manifest.format != FORMAT:
            raise TemplateError("its manifest is missing or foreign")
        for name, (size, modified) in manifest.files.items():
            status = await self._host.status(f"{directory}/{name}", follow=False)
            if status is None or status.kind is not FileKind.FILE:
                raise TemplateError(f"'{name}' is missing")
            if status.size != size:
                raise TemplateError(f"'{name}' has {status.size} bytes instead of {size}")
            if status.modified_ns != modified:
                raise TemplateError(f"'{name}' was changed after it was saved")
        if manifest.state_digest is None:
            return Template(directory, manifest)
        state = await self._host.read_bytes(f"{directory}/{STATE}")
        if hashlib.sha256(state).hexdigest() != manifest.state_digest:
            raise TemplateError(f"'{STATE}' is not what was saved")
        return Template(directory, manifest, state)

    async def _manifest(self, directory: str) -> Manifest | None:
        path = f"{directory}/{MANIFEST}"
        if await self._host.status(path) is None:
            return None
        return Manifest.from_json(await self._host.read_text(path))

    async def _evict(self, keep: str) -> None:
        """Remove the templates that were not used for longest, down to the limit."""
        limit = await self._limit()
        total = 0
        for template, size in await self.stored():
            total += size
            if total > limit and template.manifest.key != keep:
                await self._host.remove(template.directory)

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


async def manifest_of(
    host: Host,
    draft: str,
    key: str,
    vm: str,
    version: str,
    memory_mib: int,
    description: str,
    guest: GuestAsSaved,
) -> Manifest:
    """Return the manifest of a draft whose files are all written."""
    files = {}
    for name in await host.list_directory(draft):
        status = await host.status(f"{draft}/{name}", follow=False)
        if status is not None and status.kind is FileKind.FILE:
            files[name] = (status.size, status.modified_ns)
    digest = None
    if MEMORY in files:
        digest = hashlib.sha256(await host.read_bytes(f"{draft}/{STATE}")).hexdigest()
    at = time.time()
    return Manifest(key, vm, version, memory_mib, at, files, digest, description, guest)
