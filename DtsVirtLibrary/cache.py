"""Where the library keeps what it has built or found out, so that it is done once."""

from __future__ import annotations

from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.host.protocol import Host


async def cache_directory(host: Host) -> str:
    """Return the cache directory on `host`; it need not exist yet.

    It is ``$DTSVIRT_CACHE``, else ``$XDG_CACHE_HOME/dtsvirt``, else ``~/.cache/dtsvirt``.
    Relative values of XDG_CACHE_HOME are ignored, as its specification wants it.

    :raises HostError: the variable is relative, or the user has no home directory.
    """
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
