"""The agent's services against the real qemu-ga, and against one that lies."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from DtsVirtLibrary.errors import (
    AgentCommandError,
    AgentError,
    AgentProtocolError,
    AgentTimeout,
)
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.qemu.agent.agent import Agent
from DtsVirtLibrary.qemu.agent.files import PIECE
from DtsVirtLibrary.results import GuestAddress
from utest.fakes.agent import FakeAgent, fake_agent, refuse, reply

PATIENT = 20.0


@pytest.fixture
async def agent(agent_socket: socket.socket) -> AsyncIterator[Agent]:
    """The real one. It runs on this machine, so "in the guest" is here."""
    agent = Agent("vm0", agent_socket)
    yield agent
    await agent.close()


@pytest.fixture
async def liar() -> AsyncIterator[tuple[Agent, FakeAgent]]:
    async with fake_agent() as (ours, fake):
        agent = Agent("vm0", ours)
        yield agent, fake
        await agent.close()


class TestRealAgent:
    @pytest.mark.fault(63)
    async def test_synchronizes_after_half_a_message(
        self, agent: Agent, agent_socket: socket.socket
    ) -> None:
        agent_socket.sendall(b'{"execute": "guest-pi')
        await agent.synchronize(Deadline(PATIENT))
        assert await agent.ping() < PATIENT

    async def test_synchronizes_again_and_again(self, agent: Agent) -> None:
        for _ in range(5):
            await agent.synchronize(Deadline(PATIENT))
        assert await agent.execute("guest-sync", {"id": 5}) == 5

    async def test_tells_its_version(self, agent: Agent) -> None:
        info = await agent.info()
        assert info["version"][0].isdigit()
        assert any(command["name"] == "guest-ping" for command in info["supported_commands"])

    async def test_refuses_an_unknown_command(self, agent: Agent) -> None:
        with pytest.raises(AgentCommandError) as caught:
            await agent.execute("guest-nonsense")
        assert caught.value.summary == (
            "VM 'vm0': the guest agent refused guest-nonsense: "
            "The command guest-nonsense has not been found"
        )

    async def test_refuses_a_shutdown_that_is_blocked(self, agent: Agent) -> None:
        with pytest.raises(AgentCommandError, match="guest-shutdown has been disabled"):
            await agent.shutdown()

    async def test_lists_interfaces(self, agent: Agent) -> None:
        interfaces = {interface.name: interface for interface in await agent.interfaces()}
        assert set(interfaces) == {name for _, name in socket.if_nameindex()}
        assert GuestAddress("127.0.0.1", 8, "ipv4") in interfaces["lo"].addresses
        assert interfaces["lo"].ipv4 == "127.0.0.1"

    async def test_reads_the_boot_id(self, agent: Agent) -> None:
        expected = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        assert await agent.boot_id() == expected


class TestRun:
    async def test_text_goes_through_the_shell(self, agent: Agent) -> None:
        result = await agent.run("echo $((6 * 7)); echo oops >&2; exit 3", timeout=PATIENT)
        assert (result.rc, result.stdout, result.stderr) == (3, "42\n", "oops\n")
        assert not result.truncated

    async def test_a_list_goes_through_no_shell(self, agent: Agent) -> None:
        result = await agent.run(["printf", "%s|", "a b", "$HOME", "*", "ä"], timeout=PATIENT)
        assert result.stdout == "a b|$HOME|*|ä|"

    async def test_standard_input(self, agent: Agent) -> None:
        data = bytes(range(256)) * 1000
        result = await agent.run("wc -c", timeout=PATIENT, stdin=data)
        assert result.stdout.strip() == "256000"

    async def test_without_standard_input_there_is_nothing_to_read(self, agent: Agent) -> None:
        assert (await agent.run("cat", timeout=PATIENT)).stdout == ""

    async def test_a_signal_is_a_negative_exit_code(self, agent: Agent) -> None:
        assert (await agent.run("kill -TERM $$", timeout=PATIENT)).rc == -15

    async def test_bytes_that_are_no_text_are_replaced(self, agent: Agent) -> None:
        result = await agent.run(r"printf '\377\303\244'", timeout=PATIENT)
        assert result.stdout == "\ufffdä"

    @pytest.mark.fault(65)
    async def test_output_of_20_mb_is_cut_and_says_so(self, agent: Agent) -> None:
        result = await agent.run("head -c 20000000 /dev/zero | tr '\\0' x", timeout=60)
        assert result.truncated
        assert len(result.stdout) == 16 * 1024 * 1024

    async def test_a_program_that_does_not_exist(self, agent: Agent) -> None:
        with pytest.raises(AgentCommandError) as caught:
            await agent.run(["/no/such/program"], timeout=PATIENT)
        assert "refused guest-exec of '/no/such/program'" in caught.value.summary
        assert "No such file or directory" in caught.value.summary

    async def test_what_takes_too_long_is_killed_with_its_children(
        self, agent: Agent, tmp_path: Path
    ) -> None:
        pids = tmp_path / "pids"
        script = f"echo started; echo no >&2; (sleep 98 & sleep 99 & echo $! >{pids}; wait); :"
        with pytest.raises(AgentTimeout) as caught:
            await agent.run(script, timeout=2)
        text = str(caught.value)
        assert "did not end in the guest within 2 s; it was killed there." in text
        assert "Its stdout so far: started" in text
        assert "Its stderr so far: no" in text
        assert ended(int(pids.read_text()))
        assert (await agent.run("echo alive", timeout=PATIENT)).stdout == "alive\n"

    async def test_an_interrupted_command_is_killed(self, agent: Agent, tmp_path: Path) -> None:
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        running = asyncio.ensure_future(
            agent.run(f"echo $$ >{fifo}; exec sleep 97", timeout=PATIENT)
        )
        pid = int(await first_line(fifo))
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert ended(pid)

    async def test_a_command_interrupted_while_it_starts_is_killed(
        self, liar: tuple[Agent, FakeAgent]
    ) -> None:
        agent, fake = liar
        starts: list[dict[str, object]] = []

        def answer(request: dict[str, object]) -> bytes:
            if request["execute"] == "guest-exec-status":
                return _lie(request, {"exited": True, "signal": 9})
            if request["execute"] == "guest-exec":
                starts.append(request)
                return b"" if len(starts) == 1 else _lie(request, {"pid": 8})
            return _lie(request, {})

        fake.answer = answer
        running = asyncio.ensure_future(agent.run("sleep 96", timeout=PATIENT))
        await fake.seen("guest-exec")
        running.cancel()
        fake.send(reply(starts[0], {"pid": 7}))
        with pytest.raises(asyncio.CancelledError):
            await running
        arguments = starts[1]["arguments"]
        assert isinstance(arguments, dict)
        assert arguments["arg"][-2:] == ["sh", "7"]

    async def test_a_command_that_never_starts_can_be_interrupted(
        self, liar: tuple[Agent, FakeAgent], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("DtsVirtLibrary.qemu.agent.commands.ANSWER_GRACE", 0.05)
        agent, fake = liar
        fake.instead_of("guest-exec", lambda request: b"")
        running = asyncio.ensure_future(agent.run("sleep 95", timeout=PATIENT))
        await fake.seen("guest-exec")
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert await agent.ping() < PATIENT

    @pytest.mark.fault(62)
    async def test_a_guest_that_falls_silent_in_a_command(
        self, liar: tuple[Agent, FakeAgent], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("DtsVirtLibrary.qemu.agent.commands.ANSWER_GRACE", 0.05)
        agent, fake = liar
        fake.answer = lambda request: (
            b"" if request["execute"] == "guest-exec-status" else _lie(request, {"pid": 7})
        )
        with pytest.raises(AgentTimeout, match="did not answer guest-exec-status"):
            await asyncio.wait_for(agent.run("true", timeout=1), PATIENT)

    @pytest.mark.parametrize(
        "status",
        [
            {},
            {"exited": 1},
            {"exited": True},
            {"exited": True, "exitcode": "0"},
            {"exited": True, "exitcode": 0, "out-data": 5},
            {"exited": True, "exitcode": 0, "out-data": "*"},
            [],
            None,
        ],
    )
    async def test_a_status_that_is_none(
        self, liar: tuple[Agent, FakeAgent], status: object
    ) -> None:
        agent, fake = liar
        fake.answer = lambda request: _lie(
            request, {"pid": 7} if request["execute"] == "guest-exec" else status
        )
        with pytest.raises(AgentProtocolError, match="guest-exec-status"):
            await agent.run("true", timeout=PATIENT)


class TestFiles:
    @pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 7])
    async def test_come_back_as_they_went(self, agent: Agent, tmp_path: Path, size: int) -> None:
        data, path = os.urandom(size), tmp_path / "a file ä"
        await agent.put_file(data, str(path))
        assert path.read_bytes() == data
        assert await agent.get_file(str(path)) == data

    async def test_are_replaced(self, agent: Agent, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(b"long content")
        await agent.put_file(b"new", str(path))
        assert path.read_bytes() == b"new"

    async def test_get_their_mode(self, agent: Agent, tmp_path: Path) -> None:
        path = tmp_path / "-secret"
        await agent.put_file(b"x", str(path), mode=0o640)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640

    async def test_missing(self, agent: Agent) -> None:
        with pytest.raises(AgentCommandError) as caught:
            await agent.get_file("/no/such/file")
        assert "refused guest-file-open of '/no/such/file'" in caught.value.summary
        assert "No such file or directory" in caught.value.summary

    async def test_a_full_disk_is_noticed(self, agent: Agent) -> None:
        with pytest.raises(AgentCommandError) as caught:
            await agent.put_file(b"x", "/dev/full")
        assert "'/dev/full'" in caught.value.summary
        assert "No space left on device" in caught.value.summary

    async def test_are_closed_after_a_failure(self, liar: tuple[Agent, FakeAgent]) -> None:
        agent, fake = liar
        fake.answer = lambda request: (
            refuse(request, "disk on fire")
            if request["execute"] == "guest-file-write"
            else _lie(request, 1000)
        )
        with pytest.raises(AgentCommandError, match="guest-file-write of '/x': disk on fire"):
            await agent.put_file(b"data", "/x")
        assert fake.commands()[-1] == "guest-file-close"

    async def test_a_short_write_is_noticed(self, liar: tuple[Agent, FakeAgent]) -> None:
        agent, fake = liar
        fake.answer = lambda request: _lie(
            request, {"count": 2, "eof": True} if "write" in request["execute"] else 1000
        )
        with pytest.raises(AgentProtocolError, match="only 2 of 4 bytes were written to '/x'"):
            await agent.put_file(b"data", "/x")

    @pytest.mark.parametrize(
        "answer",
        [
            {"count": 5, "buf-b64": "eA==", "eof": True},
            {"count": 0, "buf-b64": "", "eof": False},
            {"count": 1, "buf-b64": "?", "eof": True},
            {"count": 1, "eof": True},
            {"count": 1, "buf-b64": "eA=="},
            7,
        ],
    )
    async def test_a_read_that_lies_is_noticed(
        self, liar: tuple[Agent, FakeAgent], answer: object
    ) -> None:
        agent, fake = liar
        fake.answer = lambda request: _lie(
            request, answer if "read" in request["execute"] else 1000
        )
        with pytest.raises(AgentProtocolError, match="guest-file-read"):
            await agent.get_file("/x")
        assert fake.commands()[-1] == "guest-file-close"

    async def test_a_file_without_end_is_given_up(
        self, liar: tuple[Agent, FakeAgent], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("DtsVirtLibrary.qemu.agent.files.FILE_LIMIT", 3000)
        agent, fake = liar
        piece = base64.b64encode(b"x" * 1000).decode()
        fake.answer = lambda request: _lie(
            request,
            {"count": 1000, "buf-b64": piece, "eof": False}
            if "read" in request["execute"]
            else 1000,
        )
        with pytest.raises(AgentError, match="'/dev/zero' in the guest has more than 3000 bytes"):
            await agent.get_file("/dev/zero")

    async def test_the_deadline_holds_for_the_whole(self, liar: tuple[Agent, FakeAgent]) -> None:
        agent, fake = liar
        piece = {"count": 1, "buf-b64": "eA==", "eof": False}
        fake.answer = lambda request: _lie(request, piece if "read" in request["execute"] else 1000)
        start = time.monotonic()
        with pytest.raises(AgentTimeout, match="guest-file-read of '/slow'"):
            await agent.get_file("/slow", timeout=0.5)
        assert time.monotonic() - start < PATIENT


@pytest.mark.fault(64)
@pytest.mark.parametrize(
    "answer",
    [
        {},
        [7],
        [{}],
        [{"name": 5}],
        [{"name": "eth0", "hardware-address": None}],
        [{"name": "eth0", "ip-addresses": {}}],
        [{"name": "eth0", "ip-addresses": [{"ip-address": "1.2.3", "prefix": 8}]}],
        [{"name": "eth0", "ip-addresses": [{"ip-address": "10.0.2.15", "prefix": True}]}],
        [{"name": "eth0", "ip-addresses": ["10.0.2.15"]}],
    ],
)
async def test_interfaces_that_are_none(liar: tuple[Agent, FakeAgent], answer: object) -> None:
    agent, fake = liar
    fake.instead_of("guest-network-get-interfaces", lambda request: reply(request, answer))
    with pytest.raises(AgentProtocolError, match="guest-network-get-interfaces"):
        await agent.interfaces()


async def test_an_interface_without_addresses(liar: tuple[Agent, FakeAgent]) -> None:
    agent, fake = liar
    fake.instead_of(
        "guest-network-get-interfaces", lambda request: reply(request, [{"name": "eth\x1b0"}])
    )
    (interface,) = await agent.interfaces()
    assert (interface.name, interface.mac, interface.addresses) == ("eth0", None, ())


async def test_setting_the_time(liar: tuple[Agent, FakeAgent]) -> None:
    agent, fake = liar
    await agent.set_time(1_700_000_000_000_000_000)
    assert fake.requests[-1]["arguments"] == {"time": 1_700_000_000_000_000_000}


@pytest.mark.parametrize("mode", ["powerdown", "reboot", "halt"])
async def test_shutting_down(liar: tuple[Agent, FakeAgent], mode: str) -> None:
    agent, fake = liar
    fake.instead_of("guest-shutdown", lambda request: b"")
    await agent.shutdown(mode)
    assert fake.requests[1]["arguments"] == {"mode": mode}


async def test_shutting_down_in_an_unknown_way(liar: tuple[Agent, FakeAgent]) -> None:
    agent, fake = liar
    with pytest.raises(AgentError, match="Did you mean 'reboot'"):
        await agent.shutdown("rebot")
    assert fake.requests == []


def ended(pid: int) -> bool:
    """Say whether a process is gone, or a zombie that nobody has waited for yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


async def first_line(fifo: Path) -> bytes:
    """Return the line that a process writes to `fifo`."""
    reader = asyncio.StreamReader()
    with os.fdopen(os.open(fifo, os.O_RDWR | os.O_NONBLOCK), "rb") as pipe:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        try:
            return await asyncio.wait_for(reader.readline(), PATIENT)
        finally:
            transport.close()
            await asyncio.sleep(0)


def _lie(request: dict[str, object], value: object) -> bytes:
    if request["execute"] == "guest-sync-delimited":
        arguments = request["arguments"]
        assert isinstance(arguments, dict)
        return b"\xff" + reply(request, arguments["id"])
    return reply(request, value)
