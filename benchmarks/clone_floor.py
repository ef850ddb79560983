"""The floor of warm start: a bare script that spawns QEMU, loads the state and syncs the agent.

It checks, keeps and logs nothing, and gives the clone neither name nor time.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import paramiko

from benchmarks.floor import AGENT, FORWARD, MONITOR, NAME, SYNC, spawn

PROMPT = b"# "


class CloneFloor:
    """One clone; the agent has answered when the context is entered, `seconds` after the start.

    :param argv: a clone's own command line; its directory is replaced.
    :param template: directory of the template.
    """

    def __init__(self, argv: Sequence[str], template: str) -> None:
        self._stack = ExitStack()
        self._directory = self._stack.enter_context(tempfile.TemporaryDirectory())
        self._words = [moved(word, argv, template, self._directory) for word in argv]
        self._state = Path(template, "state").read_bytes()
        self.seconds = 0.0

    def __enter__(self) -> CloneFloor:
        """Start it."""
        monitor, their_monitor = socket.socketpair()
        self._agent, their_agent = socket.socketpair()
        name, their_name = socket.socketpair()
        self._stack.enter_context(monitor)
        self._stack.enter_context(self._agent)
        self._stack.enter_context(name)
        start = time.monotonic()
        self.process = spawn(
            self._words, {NAME: their_name, MONITOR: their_monitor, AGENT: their_agent}
        )
        self._stack.callback(self.process.wait)
        self._stack.callback(self.process.kill)
        self._stream = monitor.makefile("rw")
        self._restore(monitor)
        self.sync()
        self.seconds = time.monotonic() - start
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it."""
        self._stack.close()

    def _restore(self, monitor: socket.socket) -> None:
        self._stream.readline()
        self._execute("qmp_capabilities")
        on = [{"capability": name, "state": True} for name in ("events", "x-ignore-shared")]
        self._execute("migrate-set-capabilities", {"capabilities": on})
        ours, theirs = socket.socketpair()
        with ours, theirs:
            number = theirs.fileno().to_bytes(4, sys.byteorder)
            monitor.sendmsg([b" "], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, number)])
            self._execute("getfd", {"fdname": "state"})
            self._execute("migrate-incoming", {"uri": "fd:state"})
            ours.sendall(self._state)
            ours.shutdown(socket.SHUT_WR)
            self._await("MIGRATION", "status", "completed")
        self._stream.write(json.dumps({"execute": "cont"}))
        self._stream.flush()
        self._await("VSERPORT_CHANGE", "open", True)

    def sync(self) -> None:
        """Get into step with the agent."""
        request = {"execute": "guest-sync-delimited", "arguments": {"id": SYNC}}
        self._agent.sendall(b"\xff" + json.dumps(request).encode() + b"\n")
        received = b""
        while str(SYNC).encode() not in received.rpartition(b"\xff")[2]:
            received += self._agent.recv(4096)

    def log_in(self, user: str, key: str | None) -> float:
        """Log in over SSH up to a shell's prompt; return the seconds since the start of that."""
        text = self._execute("human-monitor-command", {"command-line": "info usernet"})
        found = FORWARD.search(text)
        assert found, text
        start = time.monotonic()
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        options = {"allow_agent": False, "look_for_keys": False}
        with client:
            client.connect(found[1], int(found[2]), user, key_filename=key, **options)
            shell, said = client.invoke_shell(), b""
            while not said.endswith(PROMPT):
                said += shell.recv(4096)
            return time.monotonic() - start

    def snapshot(self) -> float:
        """Save a snapshot and load it; return the seconds that the loading took."""
        ignore = {"capability": "x-ignore-shared", "state": False}
        self._execute("migrate-set-capabilities", {"capabilities": [ignore]})
        path = f"{self._directory}/snapshots"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "1M"], check=True)
        file = {"driver": "file", "node-name": "file", "filename": path}
        self._execute("blockdev-add", file)
        self._execute("blockdev-add", {"driver": "qcow2", "node-name": "states", "file": "file"})
        self._job("snapshot-save")
        start = time.monotonic()
        self._job("snapshot-load")
        self.sync()
        return time.monotonic() - start

    def _job(self, command: str) -> None:
        where = {"vmstate": "states", "devices": ["states"]}
        self._execute(command, {"job-id": command, "tag": "floor", **where})
        self._await("JOB_STATUS_CHANGE", "status", "concluded")
        jobs = self._execute("query-jobs")
        assert not any("error" in job for job in jobs), jobs
        self._execute("job-dismiss", {"id": command})

    def _execute(self, command: str, arguments: dict[str, Any] | None = None) -> Any:
        # The answer to `cont` comes when it may: nobody waits for it.
        request = {"execute": command, "arguments": arguments or {}, "id": command}
        self._stream.write(json.dumps(request))
        self._stream.flush()
        while (message := json.loads(self._stream.readline())).get("id") != command:
            assert "error" not in message, message
        return message["return"]

    def _await(self, event: str, key: str, value: object) -> None:
        while True:
            message = json.loads(self._stream.readline())
            assert "error" not in message, message
            if message.get("event") == event and message["data"].get(key) == value:
                return


def moved(word: str, argv: Sequence[str], template: str, directory: str) -> str:
    """Replace in a word the directory of the clone that `argv` was of, which is gone by now."""
    for path in (path for other in argv for path in re.findall(r"path=([^,]+)", other)):
        place = f"path={Path(path).parent}/"
        if template not in place:
            word = word.replace(place, f"path={directory}/")
    return word
