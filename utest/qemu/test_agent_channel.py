"""The channel to an agent that is silent, late, noisy, wrong, gone or reset."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from DtsVirtLibrary.errors import (
    AgentClosed,
    AgentCommandError,
    AgentError,
    AgentProtocolError,
    AgentTimeout,
)
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.qemu.agent.channel import AgentChannel
from utest.fakes.agent import FakeAgent, Request, fake_agent, properly, refuse, reply

# For what must come; and for what must not.
PATIENT = 20.0
BRIEF = 0.05


@pytest.fixture
async def pair() -> AsyncIterator[tuple[AgentChannel, FakeAgent]]:
    async with fake_agent() as (ours, fake):
        channel = AgentChannel("vm0", ours)
        yield channel, fake
        await channel.close()


async def ping(channel: AgentChannel, seconds: float = PATIENT) -> object:
    return await channel.exchange("guest-ping", None, Deadline(seconds))


async def test_the_first_command_gets_into_step_before(
    pair: tuple[AgentChannel, FakeAgent],
) -> None:
    channel, fake = pair
    assert await ping(channel) == {}
    assert await ping(channel) == {}
    assert fake.commands() == ["guest-sync-delimited", "guest-ping", "guest-ping"]


async def test_no_two_syncs_have_the_same_number(pair: tuple[AgentChannel, FakeAgent]) -> None:
    channel, fake = pair
    for _ in range(3):
        await channel.synchronize(Deadline(PATIENT))
    numbers = {request["arguments"]["id"] for request in fake.requests}
    assert len(numbers) == 3
    assert all(0 <= number < 2**63 for number in numbers)


async def test_arguments_and_value_come_through(pair: tuple[AgentChannel, FakeAgent]) -> None:
    channel, fake = pair
    fake.instead_of("guest-x", lambda request: reply(request, request["arguments"]))
    assert await channel.exchange("guest-x", {"päth": "ä\n"}, Deadline(PATIENT)) == {"päth": "ä\n"}


@pytest.mark.fault(63)
async def test_stale_answers_before_the_sync_are_dropped(
    pair: tuple[AgentChannel, FakeAgent],
) -> None:
    channel, fake = pair
    fake.send(b'{"return": {"pid": 1}}\n' * 5 + b'\xff{"return": 4711}\n{"return": "ha')
    fake.instead_of("guest-get", lambda request: reply(request, "new"))
    assert await channel.exchange("guest-get", None, Deadline(PATIENT)) == "new"


@pytest.mark.fault(63)
async def test_a_sync_that_answers_another_number_is_none(
    pair: tuple[AgentChannel, FakeAgent],
) -> None:
    channel, fake = pair
    fake.instead_of("guest-sync-delimited", lambda request: b"\xff" + reply(request, 17) + b"\xff")
    with pytest.raises(AgentTimeout, match="guest-sync-delimited"):
        await channel.synchronize(Deadline(BRIEF))


async def test_a_sync_answered_without_the_delimiter_is_none(
    pair: tuple[AgentChannel, FakeAgent],
) -> None:
    channel, fake = pair
    fake.instead_of(
        "guest-sync-delimited", lambda request: reply(request, request["arguments"]["id"])
    )
    with pytest.raises(AgentTimeout):
        await channel.synchronize(Deadline(BRIEF))


@pytest.mark.fault(61)
async def test_never_answered(pair: tuple[AgentChannel, FakeAgent]) -> None:
    channel, fake = pair
    fake.answer = lambda request: b""
    with pytest.raises(AgentTimeout) as caught:
        await ping(channel, BRIEF)
    assert "VM 'vm0': the guest agent did not answer guest-sync-delimited within 0." in str(
        caught.value
    )
    assert "It has never answered since QEMU started" in str(caught.value)
    assert caught.value.evidence.vm == "vm0"
    assert caught.value.evidence.waited is not None
    assert fake.commands() == ["guest-sync-delimited"]


@pytest.mark.fault(62)
async def test_answered_before_and_silent_now(pair: tuple[AgentChannel, FakeAgent]) -> None:
    channel, fake = pair
    await ping(channel)
    fake.instead_of("guest-ping", lambda request: b"")
    with pytest.raises(AgentTimeout, match=r"It last answered \d+\.\d s ago and is silent now"):
        await ping(channel, BRIEF)


@pytest.mark.fault(62, 63)
async def test_a_late_answer_is_not_taken_for_the_next(
    pair: tuple[AgentChannel, FakeAgent],
) -> None:
    channel, fake = pair
    await ping(channel)
    owed: list[Request] = []
    fake.instead_of("guest-slow", lambda request: owed.append(request) or b"")  # type: ignore[func-returns-value]
    with pytest.raises(AgentTimeout):
        await channel.exchange("guest-slow", None, Deadline(BRIEF))
    fake.send(reply(owed[0], "late"))
    fake.instead_of("guest-get", lambda request: reply(request, "fresh"))
    assert await channel.exchange("guest-get", None, Deadline(PATIENT)) == "fresh"
    assert fake.commands()[-2:] == ["guest-sync-delimited", "guest-get"]


async def test_an_answer_with_another_id_is_dropped(pair: tuple[AgentChannel, FakeAgent]) -> None:
    channel, fake = pair
    fake.instead_of(
        "guest-get",
        lambda request: b'{"return": "foreign", "id": "other"}\n' + reply(request, "ours"),
    )
    assert await channel.exchange("guest-get", None, Deadline(PATIENT)) == "ours"


async def test_an_answer_without_an_id_is_dropped_where_ids_are_echoed(
    pair: tuple[AgentChannel, FakeAgent],
) -> None:
    channel, fake = pair
    fake.instead_of(
        "guest-get", lambda request: b'{"return": "foreign"}\n' + reply(request, "ours")
    )
    assert await channel.exchange("guest-get", None, Deadline(PATIENT)) == "ours"


async def test_an_agent_that_echoes_no_ids_is_matched_by_order(
    pair: tuple[AgentChannel, FakeAgent],
) -> None:
    channel, fake = pair

    def old(request: Request) -> bytes:
        if request["execute"] == "guest-sync-delimited":
            return b'\xff{"return": %d}\n' % request["arguments"]["id"]
        return b'{"return": "%s"}\n' % request["execute"].encode()

    fake.answer = old
    for command in ("guest-a", "guest-b"):
        assert await channel.exchange(command, None, Deadline(PATIENT)) == command


async def test_a_refusal(pair: tuple[AgentChannel, FakeAgent]) -> None:
    channel, fake = pair
    fake.instead_of("guest-x", lambda request: refuse(request, "no \x1b[1mway\ud800"))
    with pytest.raises(AgentCommandError) as caught:
        await channel.exchange("guest-x", None, Deadline(PATIENT), about="/a\x1bb")
    assert str(caught.value) == "VM 'vm0': the guest agent refused guest-x of '/ab': no way\ufffd"
    await ping(channel)
    assert fake.commands().count("guest-sync-delimited") == 1


async def test_an_error_without_an_id_is_the_answer_to_a_line_it_could_not_read(
    pair: tuple[AgentChannel, FakeAgent],
) -> None:
    channel, fake = pair
    fake.instead_of(
        "guest-x", lambda request: b'{"error": {"class": "GenericError", "desc": "JSON"}}\n'
    )
    with pytest.raises(AgentCommandError, match="JSON"):
        await channel.exchange("guest-x", None, Deadline(PATIENT))


@pytest.mark.fault(64)
@pytest.mark.parametrize(
    "noise",
    [
        b"garbage\n",
        b'{"return": NaN}\n',
        b'{"return": ' + b"1" * 5000 + b"}\n",
        b"[" * 100_000 + b"\n",
        b'"text"\n',
        b'{"return": "\x00"}\n',
        b"\xed\xa0\x80\x1b[2J\n",
    ],
)
async def test_what_is_no_answer_is_an_error_and_the_next_command_works(
    pair: tuple[AgentChannel, FakeAgent], noise: bytes
) -> None:
    channel, fake = pair
    fake.instead_of("guest-x", lambda request: noise)
    with pytest.raises(AgentProtocolError) as caught:
        await channel.exchange("guest-x", None, Deadline(PATIENT))
    text = str(caught.value)
    assert text.startswith("VM 'vm0': what the guest agent sent for guest-x is not an answer: ")
    assert len(text) < 600
    assert text.isprintable()
    assert await ping(channel) == {}


@pytest.mark.fault(64)
async def test_a_line_of_100_mb_is_refused(pair: tuple[AgentChannel, FakeAgent]) -> None:
    channel, fake = pair
    await ping(channel)
    fake.instead_of("guest-x", lambda request: b"x" * 100_000_000)
    with pytest.raises(AgentProtocolError, match="a line of more than 67108864 bytes"):
        await channel.exchange("guest-x", None, Deadline(PATIENT))


async def test_hanging_up_fails_the_command(pair: tuple[AgentChannel, FakeAgent]) -> None:
    channel, fake = pair
    waiting = asyncio.ensure_future(ping(channel))
    fake.instead_of("guest-ping", lambda request: b"")
    await fake.seen("guest-ping")
    fake.hang_up()
    with pytest.raises(AgentClosed, match="gone before it answered guest-ping"):
        await waiting
    assert channel.closed
    with pytest.raises(AgentClosed, match="guest-ping was not sent, because the connection"):
        await ping(channel)


@pytest.mark.fault(58)
async def test_a_reset_fails_the_command_and_says_so(
    pair: tuple[AgentChannel, FakeAgent],
) -> None:
    channel, fake = pair
    fake.instead_of("guest-ping", lambda request: b"")
    waiting = asyncio.ensure_future(ping(channel))
    await fake.seen("guest-ping")
    channel.reset()
    with pytest.raises(AgentClosed, match="the guest was reset before the agent answered guest-pi"):
        await waiting
    fake.answer = properly
    assert await ping(channel) == {}
    assert fake.commands()[-2:] == ["guest-sync-delimited", "guest-ping"]


async def test_after_a_reset_the_next_command_gets_into_step_first(
    pair: tuple[AgentChannel, FakeAgent],
) -> None:
    channel, fake = pair
    await ping(channel)
    channel.reset()
    await ping(channel)
    assert fake.commands() == ["guest-sync-delimited", "guest-ping"] * 2


async def test_an_interrupted_command_leaves_the_channel_usable(
    pair: tuple[AgentChannel, FakeAgent],
) -> None:
    channel, fake = pair
    fake.instead_of("guest-slow", lambda request: b"")
    waiting = asyncio.ensure_future(channel.exchange("guest-slow", None, Deadline(None)))
    await fake.seen("guest-slow")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await ping(channel) == {}


async def test_commands_wait_for_each_other(pair: tuple[AgentChannel, FakeAgent]) -> None:
    channel, fake = pair
    fake.answer = lambda request: (
        properly(request)
        if request["execute"] == "guest-sync-delimited"
        else reply(request, request["execute"])
    )
    names = [f"guest-{number}" for number in range(20)]
    answers = await asyncio.gather(
        *(channel.exchange(name, None, Deadline(PATIENT)) for name in names)
    )
    assert answers == names
    assert fake.commands()[1:] == names


async def test_a_command_whose_time_is_over_is_not_sent(
    pair: tuple[AgentChannel, FakeAgent],
) -> None:
    channel, fake = pair
    await ping(channel)
    with pytest.raises(AgentTimeout):
        await channel.exchange("guest-shutdown", None, Deadline(0))
    await ping(channel)
    assert "guest-shutdown" not in fake.commands()


async def test_a_full_socket_ends_with_the_deadline() -> None:
    ours, theirs = socket.socketpair()
    channel = AgentChannel("vm0", ours)
    try:
        # Nobody reads `theirs`, so the line does not fit.
        with pytest.raises(AgentTimeout):
            await channel._converse(b"x" * 10_000_000, "guest-x", Deadline(BRIEF), lambda r: None)
    finally:
        await channel.close()
        theirs.close()


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, "\ud800"])
async def test_arguments_that_cannot_be_sent(
    pair: tuple[AgentChannel, FakeAgent], value: object
) -> None:
    channel, fake = pair
    with pytest.raises(AgentError, match="guest-x was not sent, its arguments are not JSON"):
        await channel.exchange("guest-x", {"a": value}, Deadline(PATIENT))
    assert fake.requests == []


async def test_nothing_is_read_while_nobody_waits(pair: tuple[AgentChannel, FakeAgent]) -> None:
    channel, fake = pair
    await ping(channel)
    fake.send(b"x" * 10_000_000)
    # The guest's flood stays where it is, until the kernel takes no more of it.
    for _ in range(100):
        await asyncio.sleep(0)
    assert channel._framer._line == b""
    assert fake._writer.transport.get_write_buffer_size() > 1_000_000


async def test_closing_twice_is_quiet(pair: tuple[AgentChannel, FakeAgent]) -> None:
    channel, _ = pair
    await ping(channel)
    await channel.close()
    await channel.close()
    with pytest.raises(AgentClosed, match="it was closed"):
        await ping(channel)


async def test_closing_before_the_first_command() -> None:
    ours, theirs = socket.socketpair()
    channel = AgentChannel("vm0", ours)
    await channel.close()
    assert ours.fileno() == -1
    theirs.close()


async def test_closing_fails_the_command(pair: tuple[AgentChannel, FakeAgent]) -> None:
    channel, fake = pair
    fake.instead_of("guest-ping", lambda request: b"")
    waiting = asyncio.ensure_future(ping(channel))
    await fake.seen("guest-ping")
    await channel.close()
    with pytest.raises(AgentClosed, match="it was closed"):
        await waiting


async def announce(channel: AgentChannel) -> None:
    await channel.announce("guest-shutdown", {"mode": "halt"}, Deadline(PATIENT), PATIENT)


async def test_an_announcement_succeeded_when_the_ping_behind_it_is_answered(
    pair: tuple[AgentChannel, FakeAgent],
) -> None:
    channel, fake = pair
    fake.instead_of("guest-shutdown", lambda request: b"")
    await announce(channel)
    assert fake.commands() == ["guest-sync-delimited", "guest-shutdown", "guest-ping"]


async def test_an_announcement_that_is_refused(pair: tuple[AgentChannel, FakeAgent]) -> None:
    channel, fake = pair
    fake.instead_of("guest-shutdown", lambda request: refuse(request, "not root"))
    with pytest.raises(AgentCommandError, match="refused guest-shutdown: not root"):
        await announce(channel)
    fake.instead_of("guest-get", lambda request: reply(request, "fresh"))
    assert await channel.exchange("guest-get", None, Deadline(PATIENT)) == "fresh"


async def test_an_announcement_ends_with_the_guest(pair: tuple[AgentChannel, FakeAgent]) -> None:
    channel, fake = pair
    fake.answer = lambda request: properly(request) if "sync" in request["execute"] else b""
    waiting = asyncio.ensure_future(announce(channel))
    await fake.seen("guest-shutdown")
    fake.hang_up()
    await waiting


async def test_an_announcement_ends_with_the_look(pair: tuple[AgentChannel, FakeAgent]) -> None:
    channel, fake = pair
    fake.answer = lambda request: properly(request) if "sync" in request["execute"] else b""
    await channel.announce("guest-shutdown", {"mode": "halt"}, Deadline(PATIENT), BRIEF)


async def test_an_announcement_to_a_silent_agent_is_not_made(
    pair: tuple[AgentChannel, FakeAgent],
) -> None:
    channel, fake = pair
    fake.answer = lambda request: b""
    with pytest.raises(AgentTimeout):
        await channel.announce("guest-shutdown", {"mode": "halt"}, Deadline(BRIEF), BRIEF)
    assert "guest-shutdown" not in fake.commands()
