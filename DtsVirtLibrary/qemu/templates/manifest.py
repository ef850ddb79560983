"""What a template holds, as its manifest tells it."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from DtsVirtLibrary.host.protocol import FileKind, Host
from DtsVirtLibrary.qemu.templates.key import FORMAT
from DtsVirtLibrary.results import GuestAddress, GuestInterface

MANIFEST = "manifest.json"
MEMORY = "memory"
STATE = "state"


@dataclass(frozen=True)
class GuestAsSaved:
    """What is known of the guest in a template, so that its clones need not be asked.

    :ivar interfaces: its network interfaces.
    :ivar listens: a program in it waits to be told its clone's name and time.
    :ivar serves_ssh: its SSH server had answered.
    :ivar host_keys: public keys of that (``ssh-ed25519 AAAA...``); none if they are not known.
    """

    interfaces: tuple[GuestInterface, ...] = ()
    listens: bool = False
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
        host_keys = tuple(values["host_keys"])
        return cls(interfaces, values["listens"], values["serves_ssh"], host_keys)


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
