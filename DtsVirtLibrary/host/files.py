"""Files of the local machine: plain blocking functions that raise the library's errors."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from DtsVirtLibrary.errors import CleanupError, HostError
from DtsVirtLibrary.host.failures import file_failure
from DtsVirtLibrary.host.protocol import FileKind, FileStatus, HostPath

NOTHING_THERE = (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP, errno.ENAMETOOLONG)
MOUNTS = "/proc/self/mountinfo"
KINDS = {
    stat.S_IFREG: FileKind.FILE,
    stat.S_IFDIR: FileKind.DIRECTORY,
    stat.S_IFSOCK: FileKind.SOCKET,
    stat.S_IFBLK: FileKind.BLOCK_DEVICE,
    stat.S_IFCHR: FileKind.CHARACTER_DEVICE,
}


@contextmanager
def explained(action: str, path: HostPath) -> Iterator[None]:
    """Turn the system's errors into :class:`~DtsVirtLibrary.errors.HostError`."""
    try:
        yield
    except OSError as error:
        raise file_failure(action, path, error) from error


def status(path: HostPath, follow: bool) -> FileStatus | None:
    """Return what stands at `path`, None if nothing does (or it may not be seen)."""
    try:
        found = os.stat(path, follow_symlinks=follow)
    except OSError as error:
        if error.errno in NOTHING_THERE:
            return None
        raise file_failure("look at", path, error) from error
    return FileStatus(
        kind=KINDS.get(stat.S_IFMT(found.st_mode), FileKind.OTHER),
        size=found.st_size,
        mode=stat.S_IMODE(found.st_mode),
        uid=found.st_uid,
        modified_ns=found.st_mtime_ns,
    )


def list_directory(path: HostPath) -> list[str]:
    """Return the sorted names in a directory; empty if there is none."""
    try:
        return sorted(os.listdir(path))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise file_failure("list", path, error) from error


def size(path: HostPath) -> int:
    """Return a file's size in bytes; 0 if it is not known, as in /proc, or there is none."""
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def read_bytes(path: HostPath, offset: int, limit: int | None) -> bytes:
    """Return a file's bytes from `offset` (negative: from its end), at most `limit`."""
    with (
        explained("read", path),
        # A FIFO without a writer would otherwise hold us up for ever.
        open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file,
    ):
        known_size = os.fstat(file.fileno()).st_size
        if known_size == 0:  # made up while it is read, as in /proc: no seeking there
            data = file.read()[offset:]
            return data if limit is None else data[:limit]
        file.seek(max(0, known_size + offset) if offset < 0 else offset)
        return file.read(-1 if limit is None else limit)


def write_bytes(path: HostPath, data: bytes, mode: int) -> None:
    """Write a file beside its place and put it there in one step.

    :param mode: rights of its owner and, as far as the umask lets them, of others.
    """
    directory = os.path.dirname(os.path.abspath(path))
    temporary = os.path.join(directory, f".{secrets.token_hex(8)}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with explained("write", path):
        try:
            with open(temporary, "wb", opener=lambda name, _: os.open(name, flags, mode)) as file:
                file.write(data)
            os.replace(temporary, path)
        except OSError:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
            raise


def write_control(path: HostPath, text: str) -> None:
    """Write to an existing control file in one write, as the kernel wants it."""
    with explained("write", path):
        descriptor = os.open(path, os.O_WRONLY)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)


def make_directory(path: HostPath, mode: int) -> None:
    """Make a directory, and those above it that are missing, with a mode; quiet if it is there."""
    with explained("make the directory", path):
        _make_directories(os.path.abspath(path), mode)


def _make_directories(path: str, mode: int) -> None:
    if os.path.isdir(path):
        return
    # os.makedirs would let everybody into those above.
    _make_directories(os.path.dirname(path), mode)
    try:
        os.mkdir(path, mode)
    except FileExistsError:
        if not os.path.isdir(path):  # else another one has made it meanwhile
            raise


def remove(path: HostPath) -> None:
    """Remove a file, or a directory with all in it; quiet if there is none."""
    import shutil  # slow to import, and not needed by everybody

    try:
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)
    except FileNotFoundError:
        if os.path.lexists(path):  # another one removed a part of it at the same time
            remove(path)
    except OSError as error:
        failure = file_failure("remove", path, error)
        raise CleanupError(failure.summary, failure.evidence) from error


def rename(old: HostPath, new: HostPath) -> None:
    """Rename within one file system, replacing `new` in one step."""
    with explained(f"rename '{old}' to", new):
        os.replace(old, new)


def link(old: HostPath, new: HostPath) -> None:
    """Give a file a second name within one file system."""
    with explained(f"link '{old}' to", new):
        os.link(old, new, follow_symlinks=False)


def free_space(path: HostPath) -> int:
    """Return the bytes free to us where `path` is, or where it would be made."""
    place = os.path.abspath(path)
    while not os.path.exists(place) and place != "/":
        place = os.path.dirname(place)
    with explained("find the free space of", path):
        found = os.statvfs(place)
    return found.f_bavail * found.f_frsize


def file_system(path: HostPath) -> str:
    """Return the type of the file system that is mounted there."""
    if not os.path.exists(path):
        raise HostError(f"Cannot find the file system of '{path}': there is no such path.")
    real = os.path.realpath(path)
    best, kind = "", ""
    with open(MOUNTS, encoding="utf-8", errors="surrogateescape") as mounts:
        for line in mounts:
            fields, _, source = line.partition(" - ")
            point = _unescape(fields.split()[4])
            # The last one mounted on a point hides the others.
            if len(point) >= len(best) and _is_below(real, point):
                best, kind = point, source.split()[0]
    return kind


def _is_below(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _unescape(text: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text
