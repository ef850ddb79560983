"""An input as the script of the other side of a conversation.

It is parted by 0x1E into what is said at each turn. ``@ID@`` stands for the id of the request
that is answered, ``@EVENT@`` for nothing at all: it keeps a turn from being empty.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

TURN = b"\x1e"


class Script:
    """Hands out what is said, a turn after the other."""

    def __init__(self, data: bytes) -> None:
        self._turns: Iterator[bytes] = iter(data.split(TURN))

    def next(self, identity: object = None) -> bytes | None:
        """Return the bytes of the next turn, None after the last."""
        turn = next(self._turns, None)
        if turn is None:
            return None
        return turn.replace(b"@ID@", json.dumps(identity).encode())
