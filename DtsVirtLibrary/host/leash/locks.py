"""Lock files that are held for the runner, and say in their text who holds them.

The kernel frees a lock when its holder is gone, however it went, and the next one takes the
file over. So a holder that is dead is in nobody's way.
"""

from __future__ import annotations

import errno
import fcntl
import os

TEXT_LIMIT = 4096


class Locks:
    """The locks held, by their paths."""

    def __init__(self) -> None:
        self._held: dict[str, int] = {}

    def take(self, path: str, text: str, shared: bool) -> str | None:
        """Take the lock at `path` and write `text` there.

        Return None, or what another holder wrote there.

        :raises OSError: the file cannot be made, written or locked.
        """
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        while True:
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, kind | fcntl.LOCK_NB)
            except OSError as error:
                holder = os.read(lock, TEXT_LIMIT).decode("utf-8", "replace")
                os.close(lock)
                if error.errno == errno.EWOULDBLOCK:
                    return holder
                raise
            if _is_at(lock, path):
                break
            os.close(lock)  # its last holder has removed it meanwhile
        self.free(path)
        self._held[path] = lock
        os.ftruncate(lock, 0)
        os.pwrite(lock, text.encode()[:TEXT_LIMIT], 0)
        return None

    def free(self, path: str) -> None:
        """Free a lock and remove its file, unless others share it. Quiet if it is not held."""
        lock = self._held.pop(path, None)
        if lock is None:
            return
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(lock, path):
                os.unlink(path)
        except OSError:
            pass  # shared, or its directory is gone
        os.close(lock)


def _is_at(lock: int, path: str) -> bool:
    """Tell whether an open file is still the one at `path`."""
    try:
        found = os.stat(path, follow_symlinks=False)
    except OSError:
        return False
    return os.path.samestat(found, os.fstat(lock))
