"""vhost-user back ends that answer QEMU and move no packet; they come and go as a test says."""

from __future__ import annotations

import sys
from pathlib import Path

from robot.api.deco import keyword, library

sys.path.append(str(Path(__file__).resolve().parents[2]))

from utest.qemu.vhost_user_peer import VhostUserPeer


@library(scope="SUITE", auto_keywords=False, listener="SELF")
class VhostUserPeers:
    """Starts back ends, and stops those that are left at the end of the suite."""

    ROBOT_LISTENER_API_VERSION = 3

    def __init__(self) -> None:
        self._peers: dict[str, VhostUserPeer] = {}

    def end_suite(self, data: object, result: object) -> None:
        """Stop what is left."""
        for path in list(self._peers):
            self.stop_back_end(path)

    @keyword
    def start_back_end(self, path: str) -> None:
        """Starts a back end that listens on a socket."""
        Path(path).unlink(missing_ok=True)
        self._peers[path] = VhostUserPeer(Path(path))
        self._peers[path].listen()

    @keyword
    def stop_back_end(self, path: str) -> None:
        """Stops a back end as if it died: its connections end, its socket stays."""
        self._peers.pop(path).close()
