"""What a program on a terminal printed, as text that can be searched by pexpect."""

from __future__ import annotations

import codecs
import re
import threading
from collections import deque

from pexpect.exceptions import EOF, TIMEOUT
from pexpect.spawnbase import SpawnBase

from DtsVirtLibrary.printable import without_surrogates

# Carriage returns and whole control sequences (CSI, OSC, and those of two characters).
_NOISE = re.compile(
    r"\r+\n?"
    r"|\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)|[ -/]*[0-Z\\^-~])"
    r"|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]"
)
# What may be the beginning of one that goes on in the next bytes.
_UNFINISHED = re.compile(r"(?:\r+|\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b\n]*\x1b?|[ -/]*)?)\Z")
# A sequence that never ends is none.
_LONGEST_SEQUENCE = 256

# Characters kept of what nobody has read yet, and of the whole transcript.
PENDING_LIMIT = 64 << 20
TRANSCRIPT_HEAD = 1 << 20
TRANSCRIPT_TAIL = 32 << 20


class Cleaner:
    """Turns a terminal's bytes into lines of plain text, whatever pieces they come in."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""

    def clean(self, data: bytes, *, final: bool = False) -> str:
        """Return the text of the next bytes; the beginning of a sequence waits for its end."""
        text = self._held + self._decoder.decode(data, final)
        self._held = ""
        unfinished = _UNFINISHED.search(text, max(0, len(text) - _LONGEST_SEQUENCE))
        if unfinished and not final:
            text, self._held = text[: unfinished.start()], unfinished.group()
        # Nearly all of what is to be changed are ends of lines; for them this is faster.
        text = text.replace("\r\n", "\n")
        cleaned = _NOISE.sub(lambda match: "\n" if match.group()[0] == "\r" else "", text)
        return without_surrogates(cleaned.replace("\x1b", ""))


class Transcript:
    """All that was printed; of very much the middle is left out."""

    def __init__(self) -> None:
        self._head = ""
        self._tail: deque[str] = deque()
        self._tail_size = 0
        self._dropped = 0

    def add(self, text: str) -> None:
        """Add what was printed next."""
        if len(self._head) < TRANSCRIPT_HEAD:
            self._head += text
            return
        self._tail.append(text)
        self._tail_size += len(text)
        while self._tail_size > TRANSCRIPT_TAIL:
            dropped = len(self._tail.popleft())
            self._tail_size -= dropped
            self._dropped += dropped

    def text(self) -> str:
        """Return the whole."""
        gap = f"\n[... {self._dropped} characters were dropped here ...]\n" * bool(self._dropped)
        return f"{self._head}{gap}{''.join(self._tail)}"

    def last(self, size: int) -> str:
        """Return at least the last `size` characters, or all."""
        found: deque[str] = deque()
        for piece in reversed(self._tail):
            if size <= 0:
                break
            found.appendleft(piece)
            size -= len(piece)
        return (self._head[-size:] if size > 0 else "") + "".join(found)


class Screen(SpawnBase):  # type: ignore[misc] # pexpect is not typed
    """Takes what a program prints, from any thread, and lets pexpect search it.

    The program is never held up: whatever it prints is taken at once, and waits here.
    """

    def __init__(self) -> None:
        super().__init__(timeout=None, encoding="utf-8", codec_errors="replace")
        self.delayafterread = None
        self.transcript = Transcript()
        self._cleaner = Cleaner()
        self._changed = threading.Condition()
        self._pieces: deque[str] = deque()
        self._size = 0
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether the program is gone and will print nothing more."""
        return self._ended

    def feed(self, data: bytes) -> None:
        """Take what the program printed."""
        self._add(self._cleaner.clean(data))

    def end(self) -> None:
        """Take note that nothing more will come."""
        if not self._ended:
            self._add(self._cleaner.clean(b"", final=True))
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def wait_until_ended(self, seconds: float) -> bool:
        """Return whether the program is gone within `seconds`."""
        with self._changed:
            return self._changed.wait_for(lambda: self._ended, seconds)

    def last_lines(self, count: int) -> list[str]:
        """Return the last lines that were printed."""
        with self._changed:
            return self.transcript.last(count * 200).splitlines()[-count:]

    def text(self) -> str:
        """Return all that was printed."""
        with self._changed:
            return self.transcript.text()

    def take(self) -> str:
        """Return what was printed since the last search or take, at once."""
        text: str = self.buffer + self._pieces_now()  # type: ignore[has-type]
        self.buffer = ""
        return text

    def read_nonblocking(self, size: int = 1, timeout: float | None = None) -> str:
        """Wait for more and return all of it (pexpect calls this).

        :raises TIMEOUT: nothing came in time.
        :raises EOF: the program is gone, and all was read.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._pieces or self._ended, timeout)
        if text := self._pieces_now():
            return text
        if self._ended:
            self.flag_eof = True
            raise EOF("the program has ended")
        raise TIMEOUT("nothing came in time")

    def _add(self, text: str) -> None:
        if not text:
            return
        with self._changed:
            self.transcript.add(text)
            self._pieces.append(text)
            self._size += len(text)
            while self._size > PENDING_LIMIT:
                self._size -= len(self._pieces.popleft())
            self._changed.notify_all()

    def _pieces_now(self) -> str:
        with self._changed:
            text = "".join(self._pieces)
            self._pieces.clear()
            self._size = 0
        return text
