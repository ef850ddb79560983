"""Directories of our own, with a mark that says whose they are.

They hold sockets, logs and overlays. QEMU follows links and deletes what stands at its
paths, and a UNIX socket's path holds 107 bytes: so each directory is new, ours alone,
not to be guessed, and short.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import stat
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from DtsVirtLibrary.errors import Evidence, SecurityError
from DtsVirtLibrary.host.failures import file_failure, user_name
from DtsVirtLibrary.host.files import write_bytes
from DtsVirtLibrary.host.identity import boot_id, own_identity, start_time
from DtsVirtLibrary.host.leash.notebook import MARK as NOTEBOOK_MARK
from DtsVirtLibrary.host.protocol import ProcessIdentity

PREFIX = "dtsvirt-"
MARK = ".owner.json"
# 107 bytes of a socket's path, less 60 for a slash and the name below the directory.
LONGEST = 47
PURPOSE_LENGTH = 6
TOKEN_BYTES = 6
NAME_LENGTH = len(PREFIX) + PURPOSE_LENGTH + 1 + 2 * TOKEN_BYTES


@dataclass(frozen=True)
class Owner:
    """The process that a directory belongs to, and where such a number means anything."""

    identity: ProcessIdentity
    machine: str
    pid_namespace: str


def new_path(purpose: str) -> str:
    """Return the path for a new private directory, which is not made yet.

    :raises SecurityError: others could replace a directory there.
    """
    word = re.sub(r"[^A-Za-z0-9]+", "", purpose)[:PURPOSE_LENGTH] or "run"
    return f"{base_directory()}/{PREFIX}{word}-{secrets.token_hex(TOKEN_BYTES)}"


def make(path: str) -> None:
    """Make a private directory and mark it as ours.

    :raises HostError: it cannot be made.
    """
    try:
        os.mkdir(path, 0o700)
        os.chmod(path, 0o700)  # a default ACL or an odd umask may have changed it
    except OSError as error:
        raise file_failure("make the private directory", path, error) from error
    mark(path, own_identity())


def mark(path: str, owner: ProcessIdentity) -> None:
    """Say whose a private directory is.

    :raises HostError: the mark cannot be written.
    """
    text = json.dumps(asdict(_owner(owner)))
    write_bytes(Path(path, MARK), text.encode(), 0o600)


def read_mark(path: str) -> Owner | None:
    """Return the owner of a private directory, None if it does not tell."""
    try:
        return _owner_of(json.loads(Path(path, MARK).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def new_notebook(supervisor: int) -> tuple[str, str] | None:
    """Return the path and the mark of a notebook of this process and its supervisor.

    None where no private directory can be.
    """
    try:
        path = new_path("undo")
    except SecurityError:
        return None
    keeper = ProcessIdentity(boot_id(), supervisor, start_time(supervisor) or 0)
    return path, json.dumps([asdict(_owner(identity)) for identity in (own_identity(), keeper)])


def read_notebook_mark(path: str) -> list[Owner] | None:
    """Return the owners of a notebook, None if the directory is none."""
    try:
        content = json.loads(Path(path, NOTEBOOK_MARK).read_text(encoding="utf-8"))
        return [_owner_of(owner) for owner in content]
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _owner_of(content: dict[str, Any]) -> Owner:
    identity = ProcessIdentity(**content.pop("identity"))
    return Owner(identity, **content)


def own_mark() -> Owner:
    """Return this process as an owner."""
    return _owner(own_identity())


def base_directory() -> str:
    """Return the directory that private directories are made in.

    The user's own runtime directory if there is one, else TMPDIR if that is short, else
    /tmp.

    :raises SecurityError: others could replace what we make there.
    """
    for candidate in _runtime_directories():
        if _is_ours_alone(candidate) and _is_short(candidate):
            return candidate
    temporary = os.path.realpath(os.environ.get("TMPDIR") or "/tmp")
    if not _is_short(temporary) or not os.path.isdir(temporary):
        temporary = os.path.realpath("/tmp")
    _check_parents(temporary)
    return temporary


def base_directories() -> list[str]:
    """Return all directories in which private ones of this user may be."""
    candidates = [path for path in _runtime_directories() if _is_ours_alone(path)]
    temporary = [os.path.realpath(os.environ.get("TMPDIR") or "/tmp"), os.path.realpath("/tmp")]
    return list(dict.fromkeys([*candidates, *temporary]))


def _owner(identity: ProcessIdentity) -> Owner:
    return Owner(identity, os.uname().nodename, os.readlink("/proc/self/ns/pid"))


def _runtime_directories() -> list[str]:
    given = os.environ.get("XDG_RUNTIME_DIR", "")
    return [given.rstrip("/")] * os.path.isabs(given) + [f"/run/user/{os.geteuid()}"]


def _is_short(base: str) -> bool:
    return len(os.fsencode(base)) + 1 + NAME_LENGTH <= LONGEST


def _is_ours_alone(path: str) -> bool:
    try:
        found = os.lstat(path)
    except OSError:
        return False
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    return ours and not found.st_mode & 0o077 and os.access(path, os.W_OK | os.X_OK)


def _check_parents(path: str) -> None:
    """Refuse a path of which another user could replace a part."""
    for directory in [path, *map(str, Path(path).parents)]:
        found = os.stat(directory)
        if found.st_uid not in (0, os.geteuid()):
            problem = f"it belongs to user {found.st_uid}"
        elif found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX:
            problem = f"others may write to it (mode {stat.S_IMODE(found.st_mode):04o})"
        else:
            continue
        owners = f"root or to {user_name()}" if os.geteuid() else "root"
        raise SecurityError(
            f"Cannot make a private directory in '{path}': '{directory}' is not safe, {problem}.",
            Evidence(
                facts=[
                    f"It has to belong to {owners}; where others may write it "
                    "needs the sticky bit (chmod +t). Or set TMPDIR to a safe, short directory."
                ]
            ),
        )
