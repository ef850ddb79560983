"""Disk images before QEMU opens them: there, of the format that was said, and whole.

The content never decides about the format: a guest that writes a qcow2 header into its raw
disk could make QEMU read any file of the host. QEMU starts on an image that was cut short
or damaged, and its guest sees the harm later; so the image is checked before.
"""

from __future__ import annotations

from dataclasses import dataclass

from DtsVirtLibrary.errors import CommandError, Evidence, HostError, ImageError
from DtsVirtLibrary.host.protocol import FileKind, FileStatus, Host
from DtsVirtLibrary.qemu.start.qcow2 import HEADER_BYTES, backing_path, is_qcow2, read_header
from DtsVirtLibrary.qemu.start.refused_starts import LOCKED, image_in_use
from DtsVirtLibrary.spec import Disk

IMAGE_KINDS = (FileKind.FILE, FileKind.BLOCK_DEVICE)
# It reads the tables of an image, 0.2 % of the data.
CHECK_SECONDS = 120.0
CORRUPT = 2
SHOWN_PROBLEMS = 5


@dataclass(frozen=True)
class _Layer:
    """An image of a chain; a dirty one is repaired by QEMU when it opens it."""

    path: str
    status: FileStatus
    dirty: bool


class ImageCheck:
    """Checks images; one that was found whole is not read again unless it changed."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._whole: set[tuple[str, FileStatus]] = set()

    async def check(self, vm: str, disk: Disk) -> None:
        """Refuse an image that QEMU cannot use, or uses with harm to the guest.

        :raises ImageError: it, or one that it builds on, is missing, no file, not readable,
            of another format, cut short or corrupt.
        :raises ImageInUse: another process writes to it.
        """
        where = f"{disk.origin}: VM '{vm}'" if disk.origin and disk.origin.line else f"VM '{vm}'"
        status = await self._host.status(disk.file)
        if status is None:
            raise ImageError(
                f"{where}: disk image '{disk.file}' does not exist on {self._host.name} "
                f"(looked at '{await self._host.real_path(disk.file)}')."
            )
        if status.kind not in IMAGE_KINDS:
            raise ImageError(
                f"{where}: disk image '{disk.file}' is a {status.kind.value}, not a file."
            )
        if status.kind is FileKind.FILE:
            head = await self._head(where, disk.file)
            _check_format(where, disk, is_qcow2(head))
            if disk.format == "qcow2":
                await self._check_chain(vm, where, await self._host.real_path(disk.file))

    async def _head(self, where: str, path: str) -> bytes:
        try:
            return await self._host.read_bytes(path, limit=HEADER_BYTES)
        except HostError as error:
            raise ImageError(
                f"{where}: disk image '{path}' cannot be used. {error.summary}", error.evidence
            ) from error

    async def _check_chain(self, vm: str, where: str, top: str) -> None:
        """Check an image, the one it builds on, and so on."""
        chain = await self._chain(where, top)
        for number, layer in enumerate(chain):
            if not layer.dirty:
                names = [below.path for below in chain[: number + 1]]
                await self._check_whole(vm, where, names, layer.status)

    async def _chain(self, where: str, top: str) -> list[_Layer]:
        """Return the qcow2 images of a chain, the first on top; all files of it are there."""
        chain: list[_Layer] = []
        names = [top]
        while True:
            path = names[-1]
            status = await self._host.status(path)
            if status is None:
                raise _missing(where, names, self._host.name)
            head = await self._head(where, path) if status.kind is FileKind.FILE else b""
            if not is_qcow2(head):
                return chain
            header = read_header(head)
            if header is None:
                raise ImageError(f"{where}: {_described(names)} ends within its header.")
            chain.append(_Layer(path, status, header.dirty))
            below = backing_path(path, head)
            if below is None:
                return chain
            if header.backing_format is None:
                raise ImageError(
                    f"{where}: {_described(names)} does not say of which format '{below}' is, and "
                    "QEMU would guess it from the content, which a guest may have written. Say it: "
                    f"qemu-img rebase -u -b '{below}' -F qcow2 '{path}' (or -F raw)."
                )
            names.append(await self._host.real_path(below))
            if names[-1] in names[:-1]:
                raise ImageError(f"{where}: {_described(names)}: these go in a circle.")

    async def _check_whole(self, vm: str, where: str, chain: list[str], status: FileStatus) -> None:
        path = chain[-1]
        program = await self._host.which("qemu-img")
        if program is None or (path, status) in self._whole:
            return
        command = (program, "check", "-q", "-f", "qcow2", path)
        try:
            done = await self._host.run(command, timeout=CHECK_SECONDS, check=False)
        except CommandError as error:
            raise ImageError(
                f"{where}: {_described(chain)} cannot be checked. {error.summary}", error.evidence
            ) from error
        if found := LOCKED.search(done.stderr):
            raise await image_in_use(self._host, vm, found["image"])
        # Clusters that nothing uses are no harm, and some images cannot be checked.
        if done.exit_code in (1, CORRUPT):
            raise _corrupt(where, chain, done.stderr + done.stdout)
        self._whole.add((path, status))


def _check_format(where: str, disk: Disk, found_qcow2: bool) -> None:
    if found_qcow2 and disk.format == "raw":
        raise ImageError(
            f"{where}: '{disk.file}' begins like a qcow2 image, but its format is raw. "
            "Say which it is: format=qcow2; if it really is raw, rename it to *.raw and say "
            "format=raw."
        )
    if disk.format == "qcow2" and not found_qcow2:
        raise ImageError(
            f"{where}: '{disk.file}' is not a qcow2 image, but its format says so. "
            "Say which it is: format=raw, or look at it with: qemu-img info."
        )


def _missing(where: str, chain: list[str], host: str) -> ImageError:
    above = _described(chain[:-1]).rstrip(",")
    return ImageError(
        f"{where}: '{chain[-1]}' does not exist on {host}; it is the base of {above}. Bring it "
        f"back, or say where it is: qemu-img rebase -u -F FORMAT -b PATH '{chain[-2]}'."
    )


def _corrupt(where: str, chain: list[str], said: str) -> ImageError:
    lines = [line for line in said.splitlines() if not line.startswith("Leaked")]
    more = [f"... and {len(lines) - SHOWN_PROBLEMS} more"] * (len(lines) > SHOWN_PROBLEMS)
    facts = ["qemu-img check:", *(f"    {line}" for line in [*lines[:SHOWN_PROBLEMS], *more])]
    return ImageError(
        f"{where}: {_described(chain)} is damaged or was cut short. Take a good copy of it; "
        f"'qemu-img check -r all' repairs the tables, not the data.",
        Evidence(facts=facts),
    )


def _described(chain: list[str]) -> str:
    first, *below = chain
    bases = ", the base of ".join(f"'{path}'" for path in reversed(below))
    return f"{bases}, the base of disk image '{first}'," if below else f"disk image '{first}'"
