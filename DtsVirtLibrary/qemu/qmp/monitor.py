"""The machine monitor (QMP) of one QEMU, over ``qemu.qmp``'s client.

The client is the field's own, and has traps that end here: a command waits for ever, a
connection that ended must be disconnected and then raises, histories of events grow
without limit, every message is printed for a log nobody reads, and each failure is logged
as an error besides being raised.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from qemu.qmp import (
    ConnectError,
    ExecInterruptedError,
    ExecuteError,
    Message,
    QMPClient,
    QMPError,
    Runstate,
    StateError,
)

from DtsVirtLibrary.errors import (
    DtsVirtError,
    Evidence,
    MonitorClosed,
    MonitorCommandError,
    MonitorError,
    MonitorTimeout,
    WaitTimeout,
)
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.printable import printable
from DtsVirtLibrary.qemu.foreign_json import checked_json
from DtsVirtLibrary.qemu.qmp.events import EventLog, Match, named
from DtsVirtLibrary.qemu.qmp.transcript import Transcript, redacted
from DtsVirtLibrary.results import MonitorEvent

T = TypeVar("T")

COMMAND_SECONDS = 10.0
# QEMU takes seconds to read a request of a megabyte, and hangs on a larger one.
REQUEST_LIMIT = 1024 * 1024
SHOWN = 2000
SHOWN_EVENTS = 5
# What the human monitor says of a line that failed: it has no other way to tell.
HUMAN_ERROR = re.compile(
    r"\A(?:Error: |unknown command: |invalid (?:CPU index|parameter: )|unrecognized netdev id "
    r"|Could not set up host forwarding rule |Invalid host forwarding rule )"
    r"|^Try \"help [^\"]*\" for more information",
    re.MULTILINE,
)

# The client's own log repeats what is raised, at levels that end up on consoles.
_WIRE = logging.getLogger("DtsVirtLibrary.qemu.qmp")
_WIRE.setLevel(logging.CRITICAL)


class Monitor:
    """The monitor of one VM; times of events count from its creation.

    :param vm: name of the VM, for messages.
    :ivar answer_seconds: how long an answer may take where a command says nothing else.
    """

    def __init__(self, vm: str, answer_seconds: float = COMMAND_SECONDS) -> None:
        self.vm = vm
        self.answer_seconds = answer_seconds
        self._events = EventLog(time.monotonic())
        self._transcript = Transcript()
        self._client = _Client(self._events, self._transcript)
        self._socket: socket.socket | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._closed = asyncio.Event()
        self._cause: BaseException | None = None

    @property
    def events(self) -> Sequence[MonitorEvent]:
        """The newest events, 1000 at most, oldest first."""
        return tuple(self._events.events)

    @property
    def closed(self) -> bool:
        """Whether the connection has ended, or was never made."""
        return self._watcher is None or self._closed.is_set()

    async def connect(self, sock: socket.socket, deadline: Deadline) -> None:
        """Return when QEMU has answered ``qmp_capabilities``, and so has started up.

        The socket is the monitor's from now on.

        :param sock: connected to QEMU's monitor.
        :raises MonitorClosed: QEMU hung up before; it has ended, or soon will.
        :raises MonitorTimeout: it did not answer in time; the text names what is missing.
        :raises MonitorError: what answered is no QMP monitor.
        """
        self._socket = sock
        try:
            await _within(self._client.connect(sock), deadline.remaining)
        except asyncio.TimeoutError as error:
            raise MonitorTimeout(
                f"VM '{self.vm}': QEMU's monitor did not send {self._missing()} within "
                f"{deadline.elapsed:.1f} s. QEMU hangs, or another client owns this monitor.",
                Evidence(vm=self.vm, stage="connecting to QMP", waited=deadline.elapsed),
            ) from error
        except ConnectError as error:
            raise self._not_connected(error.exc) from error
        except AssertionError as error:
            # The client's own: the connection broke in the moment in which it was made.
            self._watcher = asyncio.ensure_future(self._watch())
            await self._closed.wait()
            raise self._gone("QEMU closed the monitor right after it had started up") from error
        self._watcher = asyncio.ensure_future(self._watch())

    async def execute(
        self,
        command: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
    ) -> Any:
        """Run a QMP command and return what it returns.

        :raises MonitorCommandError: QEMU refused it.
        :raises MonitorTimeout: no answer within `timeout` seconds; the outcome is unknown.
        :raises MonitorClosed: the connection has ended, or ended before the answer.
        """
        timeout = self.answer_seconds if timeout is None else timeout
        self._check_request(command, arguments)
        if self.closed:
            raise self._gone(f"{command} was not sent, the monitor's connection is closed")
        try:
            return await _within(self._client.execute(command, arguments), timeout)
        except asyncio.TimeoutError as error:
            raise MonitorTimeout(
                f"VM '{self.vm}': QEMU did not answer {command} within {timeout:g} s; "
                "the outcome is unknown.",
                self._evidence(command, arguments, timeout),
            ) from error
        except ExecuteError as error:
            raise MonitorCommandError(
                f"VM '{self.vm}': QEMU refused {command}: {printable(str(error), SHOWN)}",
                self._evidence(command, arguments),
                error_class=error.error_class,
            ) from error
        except (ExecInterruptedError, StateError) as error:
            # The reason is known when the connection has been cleaned up.
            await self._closed.wait()
            raise self._gone(
                f"QEMU closed the monitor before it answered {command}; the outcome is unknown",
                self._evidence(command, arguments),
            ) from error

        except QMPError as error:
            raise MonitorError(
                f"VM '{self.vm}': what QEMU sent for {command} is not an answer: "
                f"{printable(str(error), SHOWN)}",
                self._evidence(command, arguments),
            ) from error

    async def human(self, line: str, *, timeout: float | None = None) -> str:
        """Run a line of the human monitor and return its text.

        :raises MonitorCommandError: the text is an error.
        :raises MonitorError: as :meth:`execute` does.
        """
        arguments = {"command-line": line}
        text = str(await self.execute("human-monitor-command", arguments, timeout=timeout))
        if HUMAN_ERROR.search(text):
            raise MonitorCommandError(
                f"VM '{self.vm}': QEMU's human monitor refused '{printable(line, SHOWN)}': "
                f"{printable(text, SHOWN).strip()}",
                self._evidence("human-monitor-command", arguments),
            )
        return text

    async def pass_socket(self, name: str, sock: socket.socket) -> None:
        """Hand QEMU a socket that its ``fd:`` addresses know as `name`; ours stays open.

        :raises MonitorError: as :meth:`execute` does.
        """
        if self.closed:
            raise self._gone("getfd was not sent, the monitor's connection is closed")
        self._client.send_fd_scm(sock.fileno())
        await self.execute("getfd", {"fdname": name})

    def mark(self) -> float:
        """Return now, for `since` of :meth:`wait_for_event`."""
        return self._events.now()

    def on_event(self, function: Callable[[MonitorEvent], None]) -> None:
        """Call `function` on the loop with every event from now on."""
        self._events.on_event(function)

    async def wait_for_event(
        self,
        names: Collection[str],
        *,
        deadline: Deadline,
        match: Match | None = None,
        since: float | None = None,
    ) -> MonitorEvent:
        """Return the first event of one of these names.

        :param match: says whether an event of the right name is the one.
        :param since: :meth:`mark` from before what causes the event, so that one which
            came meanwhile counts; None for events from now on.
        :raises WaitTimeout: none came in time; the text names the last that did.
        :raises MonitorClosed: the connection ended first.
        """
        matches = named(names, match)
        if since is not None and (found := self._events.find(matches, since)) is not None:
            return found
        wanted = " or ".join(names)
        event = None
        try:
            if not self.closed:
                event = await _within(self._events.next(matches), deadline.remaining)
        except asyncio.TimeoutError as error:
            raise WaitTimeout(
                f"VM '{self.vm}': the event {wanted} did not come within {deadline.elapsed:.1f} s.",
                Evidence(
                    vm=self.vm,
                    stage=f"waiting for {wanted}",
                    waited=deadline.elapsed,
                    facts=[f"Last events: {self.last_events() or 'none'}"],
                ),
            ) from error
        if event is None:
            raise self._gone(f"QEMU closed the monitor before the event {wanted} came")
        return event

    def last_events(self) -> str:
        """Return the newest events with their times in one line, empty without any."""
        newest = self.events[-SHOWN_EVENTS:]
        return ", ".join(f"{printable(item.name, 40)} at {item.at:.1f} s" for item in newest)

    async def wait_closed(self) -> None:
        """Return when the connection has ended."""
        if not self.closed:
            await self._closed.wait()

    def transcript(self) -> str:
        """Return the newest 5 MB of what went over the wire, a JSON object a line."""
        return self._transcript.text()

    async def close(self) -> None:
        """End the connection. Quiet the second time."""
        if self._socket is not None:
            # Not `disconnect` alone: that would first flush to a QEMU that may hang.
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            if self._watcher is None:
                self._socket.close()
        if self._watcher is not None:
            await asyncio.wait({self._watcher})

    async def _watch(self) -> None:
        """Wait for the connection's end and clean up after it."""
        while self._client.runstate is Runstate.RUNNING:
            await self._client.runstate_changed()
        try:
            await self._client.disconnect()
        except Exception as error:
            # That it ended is known; this is why.
            self._cause = error
        finally:
            self._closed.set()
            self._events.end()

    def _missing(self) -> str:
        return "its greeting" if self._client.greeting is None else "its answer to qmp_capabilities"

    def _not_connected(self, cause: BaseException) -> DtsVirtError:
        evidence = Evidence(vm=self.vm, stage="connecting to QMP")
        if isinstance(cause, (EOFError, OSError)):
            return MonitorClosed(
                f"VM '{self.vm}': QEMU closed the monitor before it sent {self._missing()}: "
                "it could not start.",
                evidence,
            )
        return MonitorError(
            f"VM '{self.vm}': what answers on the monitor's socket does not speak QMP: "
            f"{printable(str(cause), SHOWN)}",
            evidence,
        )

    def _gone(self, summary: str, evidence: Evidence | None = None) -> MonitorClosed:
        cause = self._cause
        why = "" if cause is None or isinstance(cause, (EOFError, OSError)) else f" ({cause})"
        return MonitorClosed(
            f"VM '{self.vm}': {summary}{printable(why, SHOWN)}.",
            evidence or Evidence(vm=self.vm),
        )

    def _check_request(self, command: str, arguments: Mapping[str, Any] | None) -> None:
        """Refuse what QEMU could not read: its complaint has no id and ends the connection."""
        try:
            text = json.dumps([command, arguments], allow_nan=False, ensure_ascii=False)
            size = len(text.encode())
        except (TypeError, ValueError, RecursionError) as error:
            raise MonitorError(
                f"VM '{self.vm}': {command} was not sent, its arguments are not JSON: {error}",
                Evidence(vm=self.vm, action=command),
            ) from error
        if size > REQUEST_LIMIT:
            raise MonitorError(
                f"VM '{self.vm}': {command} was not sent, its arguments have {size} bytes and "
                f"QEMU's monitor takes {REQUEST_LIMIT}.",
                Evidence(vm=self.vm, action=command),
            )

    def _evidence(
        self, command: str, arguments: Mapping[str, Any] | None, waited: float | None = None
    ) -> Evidence:
        request = redacted({"execute": command, "arguments": arguments or {}})
        return Evidence(
            vm=self.vm,
            action=command,
            waited=waited,
            facts=[f"Command: {json.dumps(request)[:SHOWN]}"],
        )


class _Client(QMPClient):
    """The client with its messages noted and its events taken away before they pile up."""

    logger = _WIRE

    def __init__(self, events: EventLog, transcript: Transcript) -> None:
        super().__init__()
        self.logger = _WIRE
        self._log = events
        self._transcript = transcript
        self.events.event_filter = self._take

    def _take(self, message: Message) -> bool:
        data = message.get("data")
        self._log.add(str(message["event"]), data if isinstance(data, dict) else {})
        return False

    # The client's own versions print every message, whether anybody logs or not.
    def _cb_outbound(self, msg: Message) -> Message:
        self._transcript.sent(self._log.now(), msg)
        return msg

    def _cb_inbound(self, msg: Message) -> Message:
        self._transcript.received(self._log.now(), bytes(msg))
        for name in list(msg):
            msg[name] = checked_json(msg[name])
        return msg


async def _within(awaitable: Awaitable[T], seconds: float | None) -> T:
    """Await something for so long, and raise ``asyncio.TimeoutError`` after that.

    Not ``asyncio.wait_for``: before Python 3.12 that one can swallow a cancellation which
    comes together with the result.
    """
    task = asyncio.ensure_future(awaitable)
    try:
        await asyncio.wait({task}, timeout=seconds)
        if not task.done():
            raise asyncio.TimeoutError
    except BaseException:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()
        raise
    return task.result()
