"""Locks that stand for things of a host, by the words they are called by, with their holders.

A lock file in the user's cache stands for each thing. Runs of other users have other locks.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass

from DtsVirtLibrary.host.failures import user_name
from DtsVirtLibrary.host.identity import own_identity
from DtsVirtLibrary.host.protocol import Host, ProcessIdentity
from DtsVirtLibrary.printable import printable

SHOWN = 200


@dataclass(frozen=True)
class Holder:
    """Who holds a lock.

    :ivar words: who that is, for messages.
    :ivar process: the run's process; None if the lock's text does not say.
    """

    words: str
    process: ProcessIdentity | None = None


class NamedLocks:
    """Takes and frees locks for a run.

    :param cache: finds the directory below which the locks lie.
    :param holder: what takes them, in words: ``VM 'vm0'``.
    :param suite: returns the name of the suite that runs, for others to read.
    """

    def __init__(
        self,
        host: Host,
        cache: Callable[[], Awaitable[str]],
        holder: str,
        suite: Callable[[], str],
    ) -> None:
        self._host = host
        self._cache = cache
        self._holder = holder
        self._suite = suite
        self._paths: dict[str, str] = {}

    @property
    def held(self) -> set[str]:
        """What is held now."""
        return set(self._paths)

    async def take(self, what: str, *, shared: bool = False) -> Holder | None:
        """Take the lock of `what`; return None, or who else holds it.

        :param shared: let others share it who say so too.
        :raises HostError: the lock's file cannot be made.
        """
        directory = f"{await self._cache()}/locks"
        await self._host.make_directory(directory, mode=0o700)
        path = f"{directory}/{_file_name(what)}"
        text = await self._host.lock(path, json.dumps(self._identity(what)), shared=shared)
        if text is not None:
            return _read(text)
        self._paths[what] = path
        return None

    async def free(self, what: str) -> None:
        """Free the lock of `what`; quiet if it is not held."""
        path = self._paths.pop(what, None)
        if path is not None:
            await self._host.unlock(path)

    async def held_by_another_run(self, what: str) -> Holder | None:
        """Return which other run holds the lock of `what`; None if none, or this one, does."""
        holder = await self.take(what, shared=True)
        if holder is None:
            await self.free(what)
            return None
        return None if holder.process == own_identity() else holder

    def _identity(self, what: str) -> dict[str, object]:
        return {
            "what": what,
            "holder": self._holder,
            "suite": self._suite(),
            "user": user_name(),
            "since": time.strftime("%Y-%m-%d %H:%M:%S"),
            "process": asdict(own_identity()),
        }


def _file_name(what: str) -> str:
    words = re.sub(r"[^A-Za-z0-9]+", "-", what)[-40:].strip("-")
    return f"{words}-{hashlib.sha256(what.encode()).hexdigest()[:16]}"


def _read(text: str) -> Holder:
    """Return who wrote the text of a lock."""
    try:
        told = json.loads(text)
        process = ProcessIdentity(**told["process"])
        words = (
            f"{told['holder']}: process {process.pid} of user {told['user']}, "
            f"suite '{told['suite']}', since {told['since']}"
        )
        return Holder(printable(words, SHOWN), process)
    except (ValueError, TypeError, KeyError):
        return Holder("somebody")
