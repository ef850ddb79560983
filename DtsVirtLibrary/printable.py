"""Text from a guest made fit for messages, logs and reports.

A guest may send anything: terminal control sequences that repaint a tester's screen,
lone surrogates that make a Robot Framework report unreadable, megabytes on one line.
"""

from __future__ import annotations

import re

# Long enough for the tail of a console, short enough for a report.
LIMIT = 64 * 1024

# Whole sequences first, so that no "[31m" is left of them: CSI, then OSC.
_SEQUENCES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"
    r"|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)"
)
# C0 but tab and newline, DEL, C1, and the two code points that XML refuses.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]")
_SURROGATES = re.compile("[\ud800-\udfff]")


def printable(text: str | bytes, limit: int = LIMIT) -> str:
    """Return `text` without control characters (tab and newline stay) and lone surrogates.

    Bytes are read as UTF-8. Surrogates and undecodable bytes become U+FFFD. Text longer
    than `limit` characters is cut, and says how much was left out.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    text = without_surrogates(_CONTROLS.sub("", _SEQUENCES.sub("", text)))
    if len(text) <= limit:
        return text
    return f"{text[:limit]}... ({len(text) - limit} more characters)"


def without_surrogates(text: str) -> str:
    """Return `text` with U+FFFD for each lone surrogate, so that it can be encoded."""
    # Most text is ASCII and may be megabytes; asking costs nothing.
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)
