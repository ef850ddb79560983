"""Removing what runs that are dead have left: a supervisor and its runner, both killed."""

from __future__ import annotations

import os
import secrets
import stat
import subprocess
import time
from contextlib import suppress
from typing import Any

from DtsVirtLibrary.errors import CleanupError
from DtsVirtLibrary.host.files import remove
from DtsVirtLibrary.host.identity import boot_id, is_alive
from DtsVirtLibrary.host.leash import notebook
from DtsVirtLibrary.host.private import (
    PREFIX,
    TOKEN_BYTES,
    Owner,
    base_directories,
    own_mark,
    read_mark,
    read_notebook_mark,
)

# A directory gets its mark at once after it was made; one without is a start cut short.
UNMARKED_AGE = 60.0
UNDO_TIMEOUT = 5.0
QUIETLY: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)


def sweep() -> list[str]:
    """Remove the private directories whose owners are dead; return their paths.

    What such a run had taken from the host is given back first, where its supervisor was
    killed too and could not. Those of other users, of other machines and containers (whose
    processes cannot be seen from here), and of processes that live stay untouched.
    """
    removed = []
    for base in base_directories():
        for path in _private_directories(base):
            owner = read_mark(path)
            if keepers := read_notebook_mark(path):
                if all(map(_is_dead, keepers)) and _take_back(path, keepers):
                    removed.append(path)
            elif owner is None:
                _remove_if_empty_and_old(path)
            elif _is_dead(owner):
                with suppress(CleanupError):
                    remove(path)
                    removed.append(path)
    return removed


def _take_back(path: str, keepers: list[Owner]) -> bool:
    """Run the commands of a notebook, unless another sweep does."""
    mine = f"{os.path.dirname(path)}/{PREFIX}swept-{secrets.token_hex(TOKEN_BYTES)}"
    try:
        os.rename(path, mine)
    except OSError:
        return False
    same_boot = all(keeper.identity.boot_id == boot_id() for keeper in keepers)
    for file, argv in notebook.read(mine) if same_boot else ():
        os.unlink(file)
        with suppress(OSError, ValueError, subprocess.TimeoutExpired):
            subprocess.run(argv, **QUIETLY, timeout=UNDO_TIMEOUT, start_new_session=True)
    with suppress(CleanupError):
        remove(mine)
    return True


def _private_directories(base: str) -> list[str]:
    found = []
    with suppress(OSError), os.scandir(base) as entries:
        for entry in entries:
            if not entry.name.startswith(PREFIX):
                continue
            with suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
                if ours and not status.st_mode & 0o066:
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
