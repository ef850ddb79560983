"""The commands that take changes back, on disk, for the case that we are killed too.

The next sweep runs what is left there. A command's file goes before the command is run:
taking back twice what others may have made anew meanwhile would be worse than not at all.
"""

from __future__ import annotations

import os

MARK = ".notebook.json"
SUFFIX = ".undo"


class Notebook:
    """A private directory, which is there as long as a command is noted in it.

    :param path: where it is made.
    :param mark: says whose it is.
    """

    def __init__(self, path: str, mark: str) -> None:
        self.path = path
        self.mark = mark
        self.tokens: set[str] = set()

    def note(self, token: str, argv: list[str]) -> None:
        """Note a command; on a full disk it is known to this process alone."""
        try:
            if not self.tokens:
                os.mkdir(self.path, 0o700)
                write(f"{self.path}/{MARK}", self.mark)
            self.tokens.add(token)
            write(f"{self.path}/{token}{SUFFIX}", "\0".join(argv))
        except OSError:
            return

    def strike(self, token: str) -> None:
        """Strike a command out, and with the last one remove the directory."""
        if token not in self.tokens:
            return
        self.tokens.remove(token)
        unlink(f"{self.path}/{token}{SUFFIX}")
        if not self.tokens:
            unlink(f"{self.path}/{MARK}")
            try:
                os.rmdir(self.path)
            except OSError:
                return  # somebody put something there, or took it away


def read(path: str) -> list[tuple[str, list[str]]]:
    """Return the files in a notebook and their commands, the last noted first."""
    names = [name for name in os.listdir(path) if name.endswith(SUFFIX)]
    found = []
    for name in sorted(names, key=_number, reverse=True):
        with open(f"{path}/{name}", encoding="utf-8", errors="surrogateescape") as file:
            found.append((f"{path}/{name}", file.read().split("\0")))
    return found


def write(path: str, text: str) -> None:
    """Write a new file so that it appears whole or not at all."""
    descriptor = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)
    os.rename(f"{path}.new", path)


def unlink(path: str) -> None:
    """Remove a file; quiet if it is not there."""
    try:
        os.unlink(path)
    except OSError:
        return


def _number(name: str) -> int:
    word = name[: -len(SUFFIX)]
    return int(word) if word.isdecimal() else 0
