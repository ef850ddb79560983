"""The wire to the guest agent: one command at a time over a connected socket.

``qemu.qmp``'s client is not used here because the 0xFF byte before the answer to
``guest-sync-delimited`` ends it, and without that byte there is no telling the answer of
this boot's agent from what an earlier boot, or an earlier command, still owed.

The channel is *out of step* at first, after a command that was not answered, and after
:meth:`AgentChannel.reset`. Then a delimited sync with an unguessable id goes first, and
everything up to its answer is thrown away.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from DtsVirtLibrary.errors import (
    AgentClosed,
    AgentCommandError,
    AgentError,
    AgentProtocolError,
    AgentTimeout,
    Evidence,
)
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.printable import printable
from DtsVirtLibrary.qemu.agent.framing import DELIMITER, SHOWN, AgentReply, ReplyFramer

LOGGER = logging.getLogger("DtsVirtLibrary.qemu")
# Marks "no reply yet" where None is a reply's value.
PENDING = object()

T = TypeVar("T")
Arguments = Mapping[str, Any]
# Takes a reply; returns the value of the exchange, or PENDING to wait for the next.
_Receive = Callable[[AgentReply], Any]


class AgentChannel(asyncio.Protocol):
    """Exchanges commands for replies with the agent of one guest.

    :param vm: name of the VM, for messages.
    :param sock: our end of the agent port's character device, connected.
    """

    def __init__(self, vm: str, sock: socket.socket) -> None:
        self.vm = vm
        self._socket = sock
        self._transport: asyncio.Transport | None = None
        self._framer = ReplyFramer()
        self._lock = asyncio.Lock()
        self._answer: asyncio.Future[Any] | None = None
        self._receive: _Receive | None = None
        # Agents before QEMU 4.0 do not echo a request's id.
        self._echoes = False
        self._in_step = False
        self._asked = ""
        self._ended: str | None = None
        self._last_answer: float | None = None

    @property
    def closed(self) -> bool:
        """Whether the connection has ended."""
        return self._ended is not None

    async def synchronize(self, deadline: Deadline) -> None:
        """Get into step with the agent, whatever was sent before.

        :raises AgentTimeout: it did not answer in time.
        :raises AgentClosed: the connection ended, or the guest was reset meanwhile.
        """
        async with self._lock:
            await self._synchronize(deadline)

    async def exchange(
        self, command: str, arguments: Arguments | None, deadline: Deadline, about: str = ""
    ) -> Any:
        """Send a command and return what it returned.

        :param about: what the command is about, such as a path, for messages.
        :raises AgentCommandError: the agent refused it.
        :raises AgentTimeout: no answer in time, so the outcome is unknown.
        :raises AgentClosed: the connection ended, or the guest was reset meanwhile.
        :raises AgentProtocolError: what came is not an answer.
        """
        label = f"{command} of '{printable(about, SHOWN)}'" if about else command
        identity = _new_identity()
        line = self._line(command, arguments, identity)

        def receive(reply: AgentReply) -> Any:
            if reply.problem is None and self._belongs_elsewhere(reply, identity):
                return PENDING
            if reply.problem is not None:
                raise self.protocol_error(label, reply.problem)
            return self._value(reply, label)

        async with self._lock:
            await self._get_into_step(label, deadline)
            return await self._converse(line, label, deadline, receive)

    async def announce(
        self, command: str, arguments: Arguments, deadline: Deadline, look: float
    ) -> None:
        """Send a command that has no answer when it succeeds, with a ping behind it.

        The agent does one thing after the other, so the ping's answer tells that the
        command succeeded. So does the end of the connection, and of `look` seconds.

        :raises AgentCommandError: the agent refused the command.
        :raises AgentTimeout: the agent was silent before the command was sent.
        """
        first, second = _new_identity(), _new_identity()
        lines = self._line(command, arguments, first) + self._line("guest-ping", None, second)

        def receive(reply: AgentReply) -> Any:
            if reply.problem is None and not self._belongs_elsewhere(reply, first):
                return self._value(reply, command)
            return None if reply.id == second else PENDING

        async with self._lock:
            await self._get_into_step(command, deadline)
            try:
                await self._converse(lines, command, Deadline(look), receive)
            except (AgentTimeout, AgentClosed) as error:
                LOGGER.debug("%s went unanswered, as it may: %s", command, error.summary)

    def reset(self, reason: str = "the guest was reset") -> None:
        """Void what the agent still owes: an unanswered command fails with `reason`."""
        self._in_step = False
        self._fail(lambda: self._closed_error(f"{reason} before the agent answered {self._asked}"))

    async def close(self) -> None:
        """End the connection. Quiet the second time."""
        self._end("it was closed")
        if self._transport is None:
            self._socket.close()
        else:
            self._transport.abort()
            # The transport closes the socket in the loop's next round.
            await asyncio.sleep(0)

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hold the connection; nothing is read but while an answer is waited for.

        So a guest that never stops writing fills its own queue and not our memory.
        """
        self._transport = cast(asyncio.Transport, transport)
        self._transport.pause_reading()

    def data_received(self, data: bytes) -> None:
        """Hand complete replies to whoever waits."""
        for reply in self._framer.feed(data):
            self._take(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail whoever waits."""
        self._end(f"it ended ({exc})" if exc else "it ended")

    def _take(self, reply: AgentReply) -> None:
        if self._answer is None or self._answer.done() or self._receive is None:
            return
        self._last_answer = time.monotonic()
        try:
            value = self._receive(reply)
        except AgentError as error:
            self._answer.set_exception(error)
        else:
            if value is not PENDING:
                self._answer.set_result(value)

    # One exchange.

    async def _get_into_step(self, label: str, deadline: Deadline) -> None:
        await self._connected(label)
        if not self._in_step:
            await self._synchronize(deadline)

    async def _synchronize(self, deadline: Deadline) -> None:
        number, identity = secrets.randbits(62), _new_identity()
        line = self._line("guest-sync-delimited", {"id": number}, identity)

        def receive(reply: AgentReply) -> Any:
            # The leading 0xFF makes the agent complain first: not an answer, like all
            # else that does not carry the number behind a 0xFF of its own.
            if not reply.delimited or type(reply.value) is not int or reply.value != number:
                return PENDING
            self._echoes = reply.id == identity
            return None

        self._framer = ReplyFramer()
        await self._converse(DELIMITER + line, "guest-sync-delimited", deadline, receive)

    async def _converse(
        self, line: bytes, label: str, deadline: Deadline, receive: _Receive
    ) -> Any:
        """Send, and wait until `receive` returns a value; out of step if it never does."""
        transport = await self._connected(label)
        if deadline.expired:
            raise self._silent(label, deadline)
        loop = asyncio.get_running_loop()
        answer = self._answer = loop.create_future()
        self._receive, self._asked, self._in_step = receive, label, False
        timer = None
        if deadline.remaining is not None:
            timer = loop.call_later(
                deadline.remaining, self._fail, lambda: self._silent(label, deadline)
            )
        transport.resume_reading()
        transport.write(line)
        try:
            value = await answer
            self._in_step = True
            return value
        except AgentCommandError:
            self._in_step = True
            raise
        finally:
            self._answer = self._receive = None
            if timer is not None:
                timer.cancel()
            transport.pause_reading()
            if answer.done() and not answer.cancelled():
                # Interrupted in the moment the answer came: asyncio wants it fetched.
                answer.exception()

    def _belongs_elsewhere(self, reply: AgentReply, identity: str) -> bool:
        """Say whether `reply` answers another request than `identity`.

        An error without an id is the agent's word that it could not read a line; one at
        a time is sent, so that line was ours.
        """
        if reply.id is None:
            return self._echoes and reply.error is None
        return reply.id != identity

    def _value(self, reply: AgentReply, label: str) -> Any:
        if reply.error is None:
            return reply.value
        raise AgentCommandError(
            f"VM '{self.vm}': the guest agent refused {label}: {reply.error}",
            Evidence(vm=self.vm, action=label),
        )

    async def _connected(self, command: str) -> asyncio.Transport:
        if self._ended is None and self._transport is None:
            loop = asyncio.get_running_loop()
            try:
                await loop.create_connection(lambda: self, sock=self._socket)
            except OSError as error:
                self._end(f"it cannot be used ({error})")
        if self._ended is not None or self._transport is None:
            raise self._closed_error(
                f"{command} was not sent, because the connection to the guest agent is gone: "
                f"{self._ended}"
            )
        return self._transport

    def _line(self, command: str, arguments: Arguments | None, identity: str) -> bytes:
        request: dict[str, Any] = {"execute": command, "id": identity}
        if arguments:
            request["arguments"] = arguments
        try:
            text = json.dumps(request, allow_nan=False, ensure_ascii=False)
            return text.encode() + b"\n"
        except (TypeError, ValueError, RecursionError) as error:
            raise AgentError(
                f"VM '{self.vm}': {command} was not sent, its arguments are not JSON: {error}",
                Evidence(vm=self.vm, action=command),
            ) from error

    # How it fails.

    def protocol_error(self, label: str, problem: str) -> AgentProtocolError:
        """Return the error for an answer to `label` that is none."""
        return AgentProtocolError(
            f"VM '{self.vm}': what the guest agent sent for {label} is not an answer: {problem}",
            Evidence(vm=self.vm, action=label),
        )

    def _end(self, reason: str) -> None:
        if self._ended is None:
            self._ended = reason
            self._fail(
                lambda: self._closed_error(
                    f"the connection to the guest agent is gone before it answered "
                    f"{self._asked}: {reason}"
                )
            )

    def _fail(self, error: Callable[[], AgentError]) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error())

    def _closed_error(self, summary: str) -> AgentClosed:
        return AgentClosed(f"VM '{self.vm}': {summary}.", Evidence(vm=self.vm))

    def _silent(self, label: str, deadline: Deadline) -> AgentTimeout:
        if self._last_answer is None:
            state = (
                "It has never answered since QEMU started: is qemu-guest-agent installed in "
                "the guest, and running?"
            )
        else:
            age = time.monotonic() - self._last_answer
            state = f"It last answered {age:.1f} s ago and is silent now; the outcome is unknown."
        return AgentTimeout(
            f"VM '{self.vm}': the guest agent did not answer {label} within "
            f"{deadline.elapsed:.1f} s. {state}",
            Evidence(vm=self.vm, action=label, waited=deadline.elapsed),
        )


def member(channel: AgentChannel, command: str, reply: Any, name: str, kind: type[T]) -> T:
    """Return a member of an agent's answer.

    :raises AgentProtocolError: it is missing or of another type.
    """
    value = reply.get(name) if isinstance(reply, dict) else None
    if type(value) is kind:
        return value
    raise channel.protocol_error(
        command, f"'{name}' is not of type {kind.__name__}: {printable(repr(reply), SHOWN)}"
    )


def _new_identity() -> str:
    return secrets.token_hex(8)
