"""Commands in the guest, run by its agent: they need no network and no login."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from DtsVirtLibrary.errors import AgentError, AgentTimeout, Evidence
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.printable import printable
from DtsVirtLibrary.qemu.agent.channel import AgentChannel, member
from DtsVirtLibrary.results import CommandResult

# The agent tells of a command's end only when asked.
FIRST_PAUSE = 0.005
LONGEST_PAUSE = 0.1
# An agent that lives answers a question in milliseconds, even when a deadline is near.
ANSWER_GRACE = 2.0
# For a command that is given up: to kill it and to fetch what it had written.
KILL_SECONDS = 3.0
SHOWN_COMMAND = 200
SHOWN_OUTPUT = 2000

# Each process is stopped before its children are listed, so that it makes no new ones.
KILL_TREE = """
tree() {
    kill -STOP "$1"
    for child in $(cat "/proc/$1/task/"*/children); do tree "$child"; done
    kill -KILL "$1"
}
tree "$1" 2>/dev/null
"""


async def run_command(
    channel: AgentChannel,
    command: str | Sequence[str],
    *,
    timeout: float,
    stdin: bytes | None = None,
) -> CommandResult:
    """Run a command in the guest to its end; text goes to ``/bin/sh -c``, a list to no shell.

    It has ended when nothing holds its output any more: a process that it leaves in the
    background counts, unless that writes elsewhere. A command that takes longer than
    `timeout` seconds, or whose caller is interrupted, is killed with its children.

    :raises AgentCommandError: the agent could not start it.
    :raises AgentTimeout: it took too long; the text holds what it had written.
    """
    deadline = Deadline(timeout)
    argv = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
    pid = await _started(channel, argv, stdin, deadline)
    try:
        status = await _wait(channel, pid, deadline)
    except asyncio.CancelledError:
        await _give_up(channel, pid)
        raise
    if status is None:
        output = await _give_up(channel, pid)
        raise _too_long(channel.vm, command, deadline, output)
    return _result(channel, status)


async def _started(
    channel: AgentChannel, argv: Sequence[str], stdin: bytes | None, deadline: Deadline
) -> int:
    """Start the command and return its pid; one whose start is interrupted is killed."""
    starting = asyncio.ensure_future(_start(channel, argv, stdin, deadline))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        # It may run already, and only its pid lets it be killed.
        await asyncio.wait({starting}, timeout=ANSWER_GRACE)
        if starting.done() and not starting.cancelled() and starting.exception() is None:
            await _give_up(channel, starting.result())
        raise
    finally:
        starting.cancel()


async def _start(
    channel: AgentChannel, argv: Sequence[str], stdin: bytes | None, deadline: Deadline
) -> int:
    arguments = {"path": argv[0], "arg": list(argv[1:]), "capture-output": True}
    if stdin is not None:
        arguments["input-data"] = base64.b64encode(stdin).decode("ascii")
    reply = await channel.exchange("guest-exec", arguments, deadline, about=argv[0])
    return member(channel, "guest-exec", reply, "pid", int)


async def _wait(channel: AgentChannel, pid: int, deadline: Deadline) -> dict[str, Any] | None:
    """Return the status of the command once it has ended, None if that took too long."""
    pause = FIRST_PAUSE
    while not deadline.expired:
        await asyncio.sleep(deadline.at_most(pause))
        pause = min(LONGEST_PAUSE, pause * 1.5)
        grace = None if deadline.remaining is None else max(ANSWER_GRACE, deadline.remaining)
        reply = await channel.exchange("guest-exec-status", {"pid": pid}, Deadline(grace))
        if member(channel, "guest-exec-status", reply, "exited", bool):
            return dict(reply)
    return None


async def _give_up(channel: AgentChannel, pid: int) -> CommandResult | None:
    """Kill the command and return what it had written, None if that cannot be had."""
    deadline = Deadline(KILL_SECONDS)
    arguments = {"path": "/bin/sh", "arg": ["-c", KILL_TREE, "sh", str(pid)]}
    with suppress(AgentError):
        await channel.exchange("guest-exec", arguments, deadline)
        status = await _wait(channel, pid, deadline)
        return None if status is None else _result(channel, status)
    return None


def _result(channel: AgentChannel, status: dict[str, Any]) -> CommandResult:
    if "signal" in status:
        rc = -member(channel, "guest-exec-status", status, "signal", int)
    else:
        rc = member(channel, "guest-exec-status", status, "exitcode", int)
    return CommandResult(
        rc=rc,
        stdout=_output(channel, status, "out-data"),
        stderr=_output(channel, status, "err-data"),
        truncated=any(status.get(name) is True for name in ("out-truncated", "err-truncated")),
    )


def _output(channel: AgentChannel, status: dict[str, Any], name: str) -> str:
    if name not in status:
        return ""
    text = member(channel, "guest-exec-status", status, name, str)
    try:
        return base64.b64decode(text, validate=True).decode("utf-8", "replace")
    except ValueError as error:
        raise channel.protocol_error("guest-exec-status", f"'{name}' is not base64") from error


def _too_long(
    vm: str, command: str | Sequence[str], deadline: Deadline, output: CommandResult | None
) -> AgentTimeout:
    shown = printable(command if isinstance(command, str) else " ".join(command), SHOWN_COMMAND)
    if output is None:
        end = "it could not be killed there, so it may still run"
        facts = ["Its output so far is not available."]
    else:
        end = "it was killed there"
        facts = [
            f"Its {name} so far: {printable(text, SHOWN_OUTPUT).strip() or '(nothing)'}"
            for name, text in (("stdout", output.stdout), ("stderr", output.stderr))
        ]
    return AgentTimeout(
        f"VM '{vm}': '{shown}' did not end in the guest within {deadline.seconds:g} s; {end}.",
        Evidence(vm=vm, action=shown, waited=deadline.elapsed, facts=facts),
    )
