"""Removing what runs that are dead have left: a supervisor and its runner, both killed."""

from __future__ import annotations

import os
import stat
import time
from contextlib import suppress

from DtsVirtLibrary.errors import CleanupError
from DtsVirtLibrary.host.files import remove
from DtsVirtLibrary.host.identity import boot_id, is_alive
from DtsVirtLibrary.host.private import PREFIX, Owner, base_directories, own_mark, read_mark

# A directory gets its mark at once after it was made; one without is a start cut short.
UNMARKED_AGE = 60.0


def sweep() -> list[str]:
    """Remove the private directories whose owners are dead; return their paths.

    Those of other users, of other machines and containers (whose processes cannot be
    seen from here), and of processes that live stay untouched.
    """
    removed = []
    for base in base_directories():
        for path in _private_directories(base):
            owner = read_mark(path)
            if owner is None:
                _remove_if_empty_and_old(path)
            elif _is_dead(owner):
                with suppress(CleanupError):
                    remove(path)
                    removed.append(path)
    return removed


def _private_directories(base: str) -> list[str]:
    found = []
    with suppress(OSError), os.scandir(base) as entries:
        for entry in entries:
            with suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
                if ours and entry.name.startswith(PREFIX) and not status.st_mode & 0o077:
                    found.append(entry.path)
    return found


def _is_dead(owner: Owner) -> bool:
    here = own_mark()
    if owner.machine != here.machine:
        return False
    if owner.identity.boot_id != boot_id():
        return True
    return owner.pid_namespace == here.pid_namespace and not is_alive(owner.identity)


def _remove_if_empty_and_old(path: str) -> None:
    with suppress(OSError):
        if time.time() - os.lstat(path).st_mtime > UNMARKED_AGE:
            os.rmdir(path)
