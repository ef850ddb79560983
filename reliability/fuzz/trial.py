"""One input tried on one target, and what counts as a finding."""

from __future__ import annotations

import hashlib
import signal
import traceback
from dataclasses import dataclass
from types import FrameType

from reliability.fuzz.targets import Target

# CPU seconds that one input may take, on the slowest machine that the tests run on.
LONGEST = 1.0


class Hang(BaseException):
    """An input took too long. Not an Exception, so that no handler in the product takes it."""


@dataclass(frozen=True)
class Finding:
    """An input that the product did not answer and did not refuse.

    :ivar place: the kind of the error and the line of the product where it came up; two
        findings of one place have one cause.
    """

    data: bytes
    place: str
    text: str

    @property
    def name(self) -> str:
        """A name for a file that holds the input."""
        return hashlib.sha256(self.place.encode()).hexdigest()[:12]


def attempt(target: Target, data: bytes) -> Finding | None:
    """Try an input; return what was found, None if nothing was.

    Runs on the main thread only, whose CPU time it limits.
    """
    signal.signal(signal.SIGVTALRM, _hang)
    signal.setitimer(signal.ITIMER_VIRTUAL, LONGEST)
    try:
        target(data)
    except (Exception, Hang) as error:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        return Finding(data, _place(error), "".join(traceback.format_exception(error)))
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return None


def _hang(number: int, frame: FrameType | None) -> None:
    raise Hang(f"more than {LONGEST:g} s of CPU time for one input")


def _place(error: BaseException) -> str:
    every = traceback.extract_tb(error.__traceback__)
    frames = [frame for frame in every if frame.name != _hang.__name__]
    ours = [frame for frame in frames if "DtsVirtLibrary" in frame.filename] or frames
    last = ours[-1]
    line = "" if isinstance(error, Hang) else f":{last.lineno}"
    return f"{type(error).__name__} in {last.filename.rpartition('/')[2]}{line} {last.name}"
