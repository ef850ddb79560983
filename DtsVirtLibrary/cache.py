"""Where the library keeps what it has built or found out, so that it is done once."""

from __future__ import annotations

from pathlib import PurePosixPath

from DtsVirtLibrary.errors import HostError, SecurityError
from DtsVirtLibrary.host.protocol import Host

ROOT = 0
WRITABLE = 0o002
STICKY = 0o1000


async def cache_directory(host: Host) -> str:
    """Return the cache directory on `host`; it need not exist yet.

    It is ``$DTSVIRT_CACHE``, else ``$XDG_CACHE_HOME/dtsvirt``, else ``~/.cache/dtsvirt``.
    Relative values of XDG_CACHE_HOME are ignored, as its specification wants it.

    :raises HostError: the variable is relative, or the user has no home directory.
    :raises SecurityError: others could put kernels and keys of theirs there.
    """
    path = await _chosen(host)
    await _require_ours(host, path)
    return path


async def _chosen(host: Host) -> str:
    if chosen := await host.environment("DTSVIRT_CACHE"):
        if not chosen.startswith("/"):
            raise HostError(
                f"DTSVIRT_CACHE must be an absolute path, not '{chosen}'. "
                f"Set it to a directory with some 2 GB of space."
            )
        return chosen
    caches = await host.environment("XDG_CACHE_HOME")
    if caches and caches.startswith("/"):
        return f"{caches}/dtsvirt"
    return f"{await _home(host)}/.cache/dtsvirt"


async def _require_ours(host: Host, path: str) -> None:
    """Refuse a directory that others can write to or replace, as far as it exists."""
    user = await host.user_id()
    for place in (PurePosixPath(path), *PurePosixPath(path).parents):
        found = await host.status(place)
        if found is None:
            continue
        in_it = str(place) == path
        if found.uid not in (ROOT, user):
            problem = f"'{place}' belongs to user {found.uid}"
        elif found.mode & WRITABLE and (in_it or not found.mode & STICKY):
            problem = f"everybody may write to '{place}' (mode {found.mode:04o})"
        else:
            continue
        raise SecurityError(
            f"The cache '{path}' on {host.name} is not safe: {problem}, and kernels, keys and "
            "templates are taken from it. Set DTSVIRT_CACHE to a directory of yours."
        )


async def _home(host: Host) -> str:
    if home := await host.environment("HOME"):
        return home
    user_id = str(await host.user_id())
    for line in (await host.read_text("/etc/passwd")).splitlines():
        fields = line.split(":")
        if len(fields) == 7 and fields[2] == user_id and fields[5]:
            return fields[5]
    raise HostError(
        f"There is no place for the cache on {host.name}: user {user_id} has no home directory. "
        "Set DTSVIRT_CACHE to a directory with some 2 GB of space."
    )
