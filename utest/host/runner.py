"""A runner for tests to kill: ``python -m utest.host.runner SCENE TOKEN ...``.

It says what it did as JSON, a line for each step.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.host.protocol import HostProcess, Spawn
from utest.host.supervised import QUIET, supervisor_pid


def say(**step: object) -> None:
    print(json.dumps(step), flush=True)


def sleeper(token: str, directory: str) -> Spawn:
    return Spawn(["env", f"TOKEN={token}", "sleep", "1000"], f"{directory}/out", QUIET)


async def stubborn(host: LocalHost, token: str) -> HostProcess:
    """Start a process that ignores SIGTERM; return once it does."""
    ours, theirs = socket.socketpair()
    script = f"trap '' TERM; echo ready >&3; while :; do sleep 1000; : {token}; done"
    process = await host.spawn(Spawn(["sh", "-c", script], QUIET, QUIET, sockets={3: theirs}))
    with ours:
        ours.recv(10)
    return process


async def running(host: LocalHost, token: str) -> None:
    """Have processes, directories and undo commands, then wait to be killed."""
    directory = await host.private_directory("vm0")
    extra = Path(directory).parent / "extra"
    extra.mkdir()
    witness = Path(directory).parent / "witness"
    for word in ("first", "second"):
        await host.on_runner_death(["sh", "-c", f": {token}; echo {word} >>{witness}"])
    forgotten = await host.on_runner_death(["sh", "-c", f": {token}; echo never >>{witness}"])
    await host.forget(forgotten)
    process = await host.spawn(sleeper(token, directory))
    removing = Spawn(["sleep", "1000"], QUIET, QUIET, remove=extra)
    other = await host.spawn(removing)
    # A daemon leaves the session of the process that made it, and its parent ends.
    await (await host.spawn(daemon(token))).wait()
    unwilling = await stubborn(host, token)
    say(
        supervisor=supervisor_pid(host),
        pids=[each.identity.pid for each in (process, other, unwilling)],
        directory=directory,
        witness=str(witness),
    )
    await process.wait()


def daemon(token: str) -> Spawn:
    return Spawn(["setsid", "-f", "env", f"TOKEN={token}", "sleep", "1000"], QUIET, QUIET)


async def starting(host: LocalHost, token: str) -> None:
    """Make directories and processes as fast as can be, until killed."""
    while True:
        directory = await host.private_directory("vm0")
        say(supervisor=supervisor_pid(host))
        await host.spawn(sleeper(token, directory))


async def passing(host: LocalHost, token: str) -> None:
    """Have two directories that pass, of which one got another name, until killed."""
    base = Path(os.environ["XDG_RUNTIME_DIR"])
    for name in ("draft", "finished"):
        await host.passing_directory(base / name)
        await host.write_bytes(base / name / "content", b"")
    await host.rename(base / "finished", base / "stays")
    process = await host.spawn(sleeper(token, str(base / "draft")))
    names = sorted(name for name in os.listdir(base) if not name.startswith("dtsvirt-"))
    say(supervisor=supervisor_pid(host), names=names)
    await process.wait()


async def taking(host: LocalHost, token: str) -> None:
    """Have changed the host, and forgotten one of the changes, until killed."""
    witness = sys.argv[3]
    for word in ("first", "forgotten", "second"):
        noted = await host.on_runner_death(["sh", "-c", f": {token}; echo {word} >>{witness}"])
        if word == "forgotten":
            await host.forget(noted)
    say(supervisor=supervisor_pid(host))
    await asyncio.Event().wait()


async def forked(host: LocalHost, token: str) -> None:
    """Have a fork that holds the leash open, as multiprocessing makes them."""
    process = await host.spawn(sleeper(token, os.environ["XDG_RUNTIME_DIR"]))
    fork = os.fork()
    if fork == 0:
        signal.pause()
    say(supervisor=supervisor_pid(host), pids=[process.identity.pid], fork=fork)
    await process.wait()


async def leaving(host: LocalHost, token: str) -> None:
    """End without closing the host."""
    directory = await host.private_directory("vm0")
    process = await host.spawn(sleeper(token, directory))
    say(supervisor=supervisor_pid(host), pids=[process.identity.pid])
    sys.stdin.readline()
    os._exit(0)


async def everything(host: LocalHost, token: str) -> None:
    """Do what an ordinary user can do, and one thing that such a user cannot."""
    directory = await host.private_directory("vm0")
    process = await host.spawn(Spawn(["id", "-u"], f"{directory}/out", QUIET))
    exit_code = await process.wait()
    try:
        await host.write_bytes(f"/etc/{token}", b"")
        refusal = "none"
    except HostError as error:
        refusal = str(error)
    completed = await host.run(["id", "-u"], timeout=30.0)
    say(
        exit_code=exit_code,
        uid=await host.user_id(),
        spawned=await host.read_text(f"{directory}/out"),
        ran=completed.stdout,
        directory=directory,
        refusal=refusal,
    )
    await host.remove(directory)
    await host.close()


SCENES: dict[str, Callable[[LocalHost, str], Coroutine[Any, Any, None]]] = {
    scene.__name__: scene
    for scene in (running, starting, passing, taking, forked, leaving, everything)
}

if __name__ == "__main__":
    # A shell starts what runs in its background with Ctrl-C ignored, the tests among that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    asyncio.run(SCENES[sys.argv[1]](LocalHost(), sys.argv[2]))
