"""Runs a peer's job so that nothing of it stays, in an environment of its own."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

from benchmarks.peers.peers import Peer

PATIENCE = 300.0
# The shell is the first process of the namespace, and there the one that waits for orphans.
ENTER = '[ -z "$SHELL_FOR_SH" ] || mount --bind "$SHELL_FOR_SH" "$(readlink -f /bin/sh)" || exit; '
ENTER += '"$@"; exit $?'


async def run_peer(
    peer: Peer, python: str, task: dict[str, Any], directory: Path
) -> dict[str, float]:
    """Run a peer's job with its own Python; all its processes end with it.

    :raises RuntimeError: it failed; the text is what it said of that.
    """
    log = directory / f"{peer.script}.log"
    argv = [*_namespace(), "bash", "-c", ENTER, "bash", python, str(peer.path), json.dumps(task)]
    # Some find programs of theirs by it.
    path = f"{Path(python).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "TMPDIR": str(directory)}
    environment["SHELL_FOR_SH"] = peer.shell or ""
    started = time.monotonic()
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=output, env=environment,
        )  # fmt: skip
        try:
            out, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
        except asyncio.TimeoutError:
            took = time.monotonic() - started
            raise RuntimeError(f"did not end within {took:.0f} s") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    if process.returncode != 0:
        raise RuntimeError(complaint(log.read_text("utf-8", "replace"), process.returncode))
    result: dict[str, float] = json.loads(out.splitlines()[-1])
    return result


def _namespace() -> list[str]:
    """Return what starts a program whose processes and mounts end with it."""
    argv = ["setpriv", "--pdeathsig", "KILL", "--", "unshare", "--pid", "--fork"]
    argv += ["--kill-child", "--mount", "--mount-proc"]
    return argv if os.geteuid() == 0 else [*argv, "--map-root-user"]


def complaint(said: str, code: int | None) -> str:
    """Return the error of the first traceback, else the last line that was said."""
    _, _, traceback = said.partition("Traceback (most recent call last):\n")
    errors = [line for line in traceback.splitlines() if line[:1].strip()]
    lines = [line for line in said.splitlines() if line.strip()]
    return (errors or lines[-1:] or [f"exit code {code}"])[0]
