"""A pseudo-terminal of the runner, for a program that talks to people."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import select
import struct
import termios

from DtsVirtLibrary.errors import HostError

# Wide, so that no line of a program is broken.
ROWS, COLUMNS = 50, 1000
# As much as the kernel gives of a terminal at once.
READ_SIZE = 1 << 16
WRITE_TIMEOUT = 10.0


class Terminal:
    """Our end of a pseudo-terminal; the other is handed to a program by `hand_over`."""

    def __init__(self) -> None:
        self._ours, self._theirs = pty.openpty()
        os.set_blocking(self._ours, False)
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._ours

    def hand_over(self) -> int:
        """Return the program's end, which is the caller's to close from now on."""
        theirs, self._theirs = self._theirs, -1
        return theirs

    def read(self) -> bytes | None:
        """Return what the program wrote, b"" for nothing new, None once nobody writes there."""
        try:
            return os.read(self._ours, READ_SIZE) or None
        except BlockingIOError:
            return b""
        except OSError as error:
            if error.errno == errno.EIO:  # the last copy of the program's end was closed
                return None
            raise

    def write(self, data: bytes) -> None:
        """Type `data`, waiting while the program does not read; nothing after `close`.

        :raises HostError: it has not read for a while.
        """
        while data and self._ours >= 0:
            try:
                data = data[os.write(self._ours, data) :]
            except BlockingIOError:
                if not select.select([], [self._ours], [], WRITE_TIMEOUT)[1]:
                    raise HostError(
                        f"The program has read nothing of its terminal for {WRITE_TIMEOUT:.0f} s."
                    ) from None

    def close(self) -> None:
        """Hang up. Quiet the second time."""
        for descriptor in (self._ours, self._theirs):
            if descriptor >= 0:
                os.close(descriptor)
        self._ours = self._theirs = -1
