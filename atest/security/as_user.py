"""Runs a command as another user, who may read the project and its Python wherever they lie.

usage: as_user.py USER DIRECTORY... -- COMMAND...

To be started as root in a mount namespace of its own (``unshare --mount``). Directories in a
place that the user may not enter, such as root's home, are bound into an empty one over it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ENTER = 0o5


def closed_above(path: Path) -> Path | None:
    """Return the uppermost directory over `path` that others may not enter, None if none is."""
    for directory in reversed(path.parents):
        if directory.stat().st_mode & ENTER != ENTER:
            return directory
    return None


def mount(*arguments: str) -> None:
    """Mount something in this namespace."""
    subprocess.run(["mount", *arguments], check=True)


def open_up(directories: list[Path]) -> None:
    """Make the directories reachable for everybody in this namespace."""
    hidden: dict[Path, list[Path]] = {}
    for path in directories:
        if (closed := closed_above(path)) is not None:
            hidden.setdefault(closed, []).append(path)
    for closed, paths in hidden.items():
        holder = Path(tempfile.mkdtemp(prefix="held", dir="/tmp"))
        for number, path in enumerate(paths):
            (holder / str(number)).mkdir()
            mount("--bind", str(path), str(holder / str(number)))
        mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", str(closed))
        for number, path in enumerate(paths):
            path.mkdir(parents=True, exist_ok=True)
            mount("--bind", str(holder / str(number)), str(path))
            subprocess.run(["umount", str(holder / str(number))], check=True)
            (holder / str(number)).rmdir()
        holder.rmdir()


def main() -> None:
    """Open up, and become the command."""
    end = sys.argv.index("--")
    user, *directories = sys.argv[1:end]
    open_up(sorted({Path(name).resolve() for name in directories}))
    rights = ["--reuid", user, "--regid", user, "--clear-groups", "--inh-caps=-all"]
    os.execvp("setpriv", ["setpriv", *rights, "--", *sys.argv[end + 1 :]])


if __name__ == "__main__":
    main()
