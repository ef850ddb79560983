"""The environment that commands and processes get: small, and the same everywhere."""

from __future__ import annotations

import os
from collections.abc import Mapping

# An ordinary user's PATH on Debian lacks the sbin ones, where ip and bridge are.
SYSTEM_DIRECTORIES = (
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
)


def search_path() -> str:
    """Return the PATH for programs: the runner's absolute entries, then the system's."""
    inherited = os.environ.get("PATH", "").split(os.pathsep)
    entries = [entry for entry in inherited if os.path.isabs(entry)]
    return os.pathsep.join(dict.fromkeys([*entries, *SYSTEM_DIRECTORIES]))


def minimal_environment(additions: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return PATH, HOME and LANG, with `additions`."""
    return {
        "PATH": search_path(),
        "HOME": os.environ.get("HOME", "/"),
        "LANG": "C.UTF-8",
        **(additions or {}),
    }
