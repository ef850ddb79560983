"""The monitor: real QEMUs, and one that hangs, dies and talks nonsense."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from DtsVirtLibrary.errors import (
    MonitorClosed,
    MonitorCommandError,
    MonitorError,
    MonitorTimeout,
    WaitTimeout,
)
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.qemu.qmp.monitor import Monitor
from DtsVirtLibrary.results import MonitorEvent
from utest.fakes.qmp_server import FakeQmp, event, fake_qmp
from utest.qemu.conftest import RunningQemu

PATIENT = 30.0
BRIEF = 0.05

StartQemu = Callable[..., RunningQemu]


@pytest.fixture(autouse=True)
async def complaints() -> AsyncIterator[list[str]]:
    """Fail a test after which asyncio complains of something left lying around."""
    found: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda loop, context: found.append(str(context))
    )
    yield found
    await asyncio.sleep(0)
    gc.collect()
    assert found == []


@pytest.fixture
async def monitor(start_qemu: StartQemu) -> AsyncIterator[Monitor]:
    # After `start_qemu`, so that it is closed before.
    monitor = Monitor("vm0")
    yield monitor
    await monitor.close()


@pytest.fixture
async def talk(monitor: Monitor) -> AsyncIterator[tuple[Monitor, FakeQmp]]:
    async with fake_qmp() as (ours, fake):
        await monitor.connect(ours, Deadline(PATIENT))
        yield monitor, fake
        await monitor.close()


HUMAN_REFUSALS = {
    "nosuch": "unknown command: 'nosuch'",
    "info nosuch": "unknown command: 'info nosuch'",
    "set_link zz on": "Error: Device 'zz' not found",
    "info qtree 3 4": "qtree: extraneous characters at the end of line",
    "drive_add": "drive_add: string expected",
    "hostfwd_add n0 foo": "Invalid host forwarding rule 'foo'",
    "hostfwd_add nX tcp::0-:22": "unrecognized netdev id 'nX'",
    "cpu 99": "invalid CPU index",
}


async def connect_and_ask(monitor: Monitor, ours: socket.socket) -> None:
    """Connect and give a first command."""
    await monitor.connect(ours, Deadline(PATIENT))
    await monitor.execute("query-status", timeout=PATIENT)


@pytest.mark.qemu
class TestRealQemu:
    async def test_answers_after_it_has_started(
        self, monitor: Monitor, start_qemu: StartQemu
    ) -> None:
        await monitor.connect(start_qemu("-S").monitor, Deadline(PATIENT))
        assert not monitor.closed
        assert (await monitor.execute("query-status"))["status"] == "prelaunch"

    async def test_human_monitor(self, monitor: Monitor, start_qemu: StartQemu) -> None:
        await monitor.connect(start_qemu("-S").monitor, Deadline(PATIENT))
        assert await monitor.human("info name") == ""

    @pytest.mark.fault(54)
    async def test_human_monitor_refuses(self, monitor: Monitor, start_qemu: StartQemu) -> None:
        qemu = start_qemu("-S", "-netdev", "user,id=n0")
        await monitor.connect(qemu.monitor, Deadline(PATIENT))
        for line, words in HUMAN_REFUSALS.items():
            with pytest.raises(MonitorCommandError) as caught:
                await monitor.human(line)
            assert str(caught.value).startswith(
                f"VM 'vm0': QEMU's human monitor refused '{line}': {words}"
            )
        for line in (
            "info status",
            "info usernet",
            "help info",
            "log none",
            "hostfwd_add n0 tcp::0-:1",
        ):
            await monitor.human(line)
        assert await monitor.human("info version")

    @pytest.mark.fault(49)
    async def test_refuses_a_command_line_after_the_greeting(
        self, monitor: Monitor, start_qemu: StartQemu
    ) -> None:
        qemu = start_qemu("-S", "-device", "nonsense")
        with pytest.raises(MonitorClosed) as caught:
            await monitor.connect(qemu.monitor, Deadline(PATIENT))
        assert caught.value.summary == (
            "VM 'vm0': QEMU closed the monitor before it sent its answer to qmp_capabilities: "
            "it could not start."
        )
        assert monitor.closed
        with pytest.raises(MonitorClosed, match="query-status was not sent"):
            await monitor.execute("query-status")

    @pytest.mark.fault(54)
    async def test_refuses_a_command(self, monitor: Monitor, start_qemu: StartQemu) -> None:
        await monitor.connect(start_qemu("-S", "-M", "q35").monitor, Deadline(PATIENT))
        arguments = {"driver": "e1000e", "bus": "pcie.0", "id": "n0"}
        with pytest.raises(MonitorCommandError) as caught:
            await monitor.execute("device_add", arguments)
        assert caught.value.error_class == "GenericError"
        assert str(caught.value) == (
            "VM 'vm0': QEMU refused device_add: Bus 'pcie.0' does not support hotplugging\n"
            'Command: {"execute": "device_add", "arguments": '
            '{"driver": "e1000e", "bus": "pcie.0", "id": "n0"}}'
        )

    async def test_names_an_unknown_command(self, monitor: Monitor, start_qemu: StartQemu) -> None:
        await monitor.connect(start_qemu("-S").monitor, Deadline(PATIENT))
        with pytest.raises(MonitorCommandError) as caught:
            await monitor.execute("nope")
        assert caught.value.error_class == "CommandNotFound"

    async def test_an_event_that_came_before_the_wait_is_not_lost(
        self, monitor: Monitor, start_qemu: StartQemu
    ) -> None:
        await monitor.connect(start_qemu("-S").monitor, Deadline(PATIENT))
        mark = monitor.mark()
        for command in ("cont", "stop", "cont"):
            await monitor.execute(command)
        resume = await monitor.wait_for_event(["RESUME"], deadline=Deadline(PATIENT), since=mark)
        stop = await monitor.wait_for_event(["STOP"], deadline=Deadline(PATIENT), since=mark)
        later = await monitor.wait_for_event(["RESUME"], deadline=Deadline(PATIENT), since=stop.at)
        assert mark <= resume.at < stop.at < later.at

    async def test_quit(self, monitor: Monitor, start_qemu: StartQemu) -> None:
        qemu = start_qemu("-S")
        await monitor.connect(qemu.monitor, Deadline(PATIENT))
        await monitor.execute("quit")
        event = await monitor.wait_for_event(["SHUTDOWN"], deadline=Deadline(PATIENT), since=0)
        assert event.data["reason"] == "host-qmp-quit"
        await asyncio.wait_for(monitor.wait_closed(), PATIENT)
        assert qemu.process.wait() == 0

    @pytest.mark.fault(51)
    async def test_killed_in_a_command(self, monitor: Monitor, start_qemu: StartQemu) -> None:
        qemu = start_qemu("-S")
        await monitor.connect(qemu.monitor, Deadline(PATIENT))
        qemu.process.send_signal(signal.SIGSTOP)
        running = asyncio.ensure_future(monitor.execute("query-status", timeout=PATIENT))
        waiting = asyncio.ensure_future(
            monitor.wait_for_event(["SHUTDOWN"], deadline=Deadline(PATIENT))
        )
        await asyncio.sleep(0)
        qemu.process.kill()
        with pytest.raises(MonitorClosed, match="closed the monitor before it answered query-st"):
            await running
        with pytest.raises(MonitorClosed, match="before the event SHUTDOWN came"):
            await waiting
        assert monitor.closed

    @pytest.mark.fault(50)
    async def test_hangs_and_comes_back(self, monitor: Monitor, start_qemu: StartQemu) -> None:
        qemu = start_qemu("-S")
        await monitor.connect(qemu.monitor, Deadline(PATIENT))
        qemu.process.send_signal(signal.SIGSTOP)
        with pytest.raises(MonitorTimeout) as caught:
            await monitor.execute("query-status", timeout=BRIEF)
        assert caught.value.summary == (
            "VM 'vm0': QEMU did not answer query-status within 0.05 s; the outcome is unknown."
        )
        qemu.process.send_signal(signal.SIGCONT)
        assert (await monitor.execute("query-version"))["qemu"]["major"] >= 7

    async def test_hangs_with_its_queue_full_and_closing_is_quick(
        self, monitor: Monitor, start_qemu: StartQemu
    ) -> None:
        qemu = start_qemu("-S")
        await monitor.connect(qemu.monitor, Deadline(PATIENT))
        qemu.process.send_signal(signal.SIGSTOP)
        with pytest.raises(MonitorTimeout):
            await monitor.execute("query-x", {"x": "y" * 900_000}, timeout=BRIEF)
        await asyncio.wait_for(monitor.close(), PATIENT)
        assert monitor.closed

    @pytest.mark.fault(50)
    async def test_hangs_before_it_greets(self, monitor: Monitor, start_qemu: StartQemu) -> None:
        qemu = start_qemu("-S")
        qemu.process.send_signal(signal.SIGSTOP)
        with pytest.raises(MonitorTimeout, match=r"did not send its (greeting|answer)"):
            await monitor.connect(qemu.monitor, Deadline(BRIEF))

    @pytest.mark.fault(53)
    async def test_a_second_client_is_told_so(
        self, monitor: Monitor, start_qemu: StartQemu, tmp_path: Path
    ) -> None:
        path = tmp_path / "qmp.sock"
        qemu = start_qemu("-S", "-qmp", f"unix:{path},server=on,wait=off")
        await monitor.connect(qemu.monitor, Deadline(PATIENT))
        first, second = Monitor("vm0"), Monitor("vm0")
        try:
            await first.connect(_unix(path), Deadline(PATIENT))
            with pytest.raises(MonitorTimeout, match="or another client owns this monitor"):
                await second.connect(_unix(path), Deadline(BRIEF))
        finally:
            await first.close()
            await second.close()

    async def test_the_human_monitor_is_no_qmp(
        self, monitor: Monitor, start_qemu: StartQemu, tmp_path: Path
    ) -> None:
        path = tmp_path / "hmp.sock"
        qemu = start_qemu("-S", "-monitor", f"unix:{path},server=on,wait=off")
        await monitor.connect(qemu.monitor, Deadline(PATIENT))
        other = Monitor("vm1")
        with pytest.raises(MonitorError, match="does not speak QMP") as caught:
            await other.connect(_unix(path), Deadline(PATIENT))
        assert not isinstance(caught.value, MonitorClosed)
        await other.close()

    async def test_transcript(self, monitor: Monitor, start_qemu: StartQemu) -> None:
        qemu = start_qemu("-S", "-object", "secret,id=s0,data=letmein")
        await monitor.connect(qemu.monitor, Deadline(PATIENT))
        await monitor.execute("object-add", {"qom-type": "secret", "id": "s1", "data": "swordfish"})
        await monitor.human("object_add secret,id=s2,data=swordfish")
        await monitor.execute("query-qmp-schema")
        await monitor.execute("cont")
        head, *lines = [json.loads(line) for line in monitor.transcript().splitlines()]
        assert set(head) == {"started", "dropped"}
        assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)
        assert "QMP" in lines[0]["received"]
        assert lines[1]["sent"]["execute"] == "qmp_capabilities"
        assert any(line.get("received", {}).get("event") == "RESUME" for line in lines)
        assert "swordfish" not in monitor.transcript()
        assert len(monitor.transcript()) < 20_000


class TestMisbehavingQemu:
    async def test_silence_instead_of_a_greeting(self, monitor: Monitor) -> None:
        async with fake_qmp(greeting=b"") as (ours, _):
            with pytest.raises(MonitorTimeout, match="did not send its greeting within"):
                await monitor.connect(ours, Deadline(0.1))
            await monitor.close()

    async def test_silence_after_the_greeting(self, monitor: Monitor) -> None:
        async with fake_qmp() as (ours, fake):
            fake.answer = lambda request: b""
            with pytest.raises(MonitorTimeout, match="its answer to qmp_capabilities within"):
                await monitor.connect(ours, Deadline(0.5))

    async def test_garbage_instead_of_a_greeting(self, monitor: Monitor) -> None:
        async with fake_qmp(greeting=b"\x1b[31mhello\r\n") as (ours, _):
            with pytest.raises(MonitorError, match="does not speak QMP"):
                await monitor.connect(ours, Deadline(PATIENT))

    @pytest.mark.parametrize("behind", [b"garbage\r\n", b""])
    async def test_a_connection_that_breaks_in_the_moment_it_is_made(
        self, monitor: Monitor, behind: bytes
    ) -> None:
        async with fake_qmp() as (ours, fake):

            def answer(request: dict[str, object]) -> bytes:
                fake.send(b'{"return": {}}\r\n' + behind)
                fake.hang_up()
                return b""

            fake.answer = answer
            with pytest.raises(MonitorClosed):
                await connect_and_ask(monitor, ours)
            assert monitor.closed

    async def test_an_interrupted_connect_leaves_nothing(self, monitor: Monitor) -> None:
        async with fake_qmp() as (ours, fake):
            fake.answer = lambda request: b""
            connecting = asyncio.ensure_future(monitor.connect(ours, Deadline(None)))
            await fake.seen("qmp_capabilities")
            connecting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await connecting
            await monitor.close()
            assert ours.fileno() == -1

    @pytest.mark.parametrize(
        "garbage", [b"garbage\r\n", b"[]\r\n", b"\xff\xfe\r\n", b'{"error": {}}\r\n', b"[" * 99999]
    )
    async def test_garbage_ends_the_connection_and_is_quoted(
        self, talk: tuple[Monitor, FakeQmp], garbage: bytes
    ) -> None:
        monitor, fake = talk
        fake.instead_of("query-x", lambda request: garbage + b"\r\n")
        with pytest.raises(MonitorClosed, match="before it answered query-x") as caught:
            await monitor.execute("query-x", timeout=PATIENT)
        assert str(caught.value).replace("\n", "").isprintable()

    async def test_surrogates_reach_no_report(self, talk: tuple[Monitor, FakeQmp]) -> None:
        monitor, fake = talk
        fake.instead_of(
            "query-x",
            lambda request: (
                event("ODD", text="\ud800")
                + b'{"return": ["\\udfff"], "id": "%s"}\r\n' % request["id"].encode()
            ),
        )
        assert await monitor.execute("query-x", timeout=PATIENT) == ["\ufffd"]
        assert monitor.events[-1].data == {"text": "\ufffd"}

    async def test_an_answer_that_is_too_deep_ends_the_connection(
        self, talk: tuple[Monitor, FakeQmp]
    ) -> None:
        monitor, fake = talk
        deep = b"[" * 100 + b"]" * 100
        fake.instead_of(
            "query-x",
            lambda request: b'{"return": %s, "id": "%s"}\r\n' % (deep, request["id"].encode()),
        )
        with pytest.raises(MonitorClosed, match="nested more than 64 deep"):
            await monitor.execute("query-x", timeout=PATIENT)

    async def test_an_answer_that_is_none(self, talk: tuple[Monitor, FakeQmp]) -> None:
        monitor, fake = talk
        fake.instead_of(
            "query-x", lambda request: b'{"error": 5, "id": "%s"}\r\n' % request["id"].encode()
        )
        with pytest.raises(MonitorError, match="what QEMU sent for query-x is not an answer"):
            await monitor.execute("query-x", timeout=PATIENT)
        assert await monitor.execute("query-y") == {}

    async def test_a_late_answer_is_dropped(self, talk: tuple[Monitor, FakeQmp]) -> None:
        monitor, fake = talk
        fake.instead_of("query-slow", lambda request: b"")
        with pytest.raises(MonitorTimeout):
            await monitor.execute("query-slow", timeout=BRIEF)
        fake.send(b'{"return": "late", "id": "%s"}\r\n' % fake.requests[-1]["id"].encode())
        assert await monitor.execute("query-next") == {}

    async def test_death_in_a_command(self, talk: tuple[Monitor, FakeQmp]) -> None:
        monitor, fake = talk
        fake.instead_of("device_add", lambda request: b'{"retu')
        running = asyncio.ensure_future(monitor.execute("device_add", {"password": "x"}))
        await fake.seen("device_add")
        fake.hang_up()
        with pytest.raises(MonitorClosed, match="the outcome is unknown") as caught:
            await running
        assert '{"password": "***"}' in str(caught.value)

    async def test_closing_in_a_command(self, talk: tuple[Monitor, FakeQmp]) -> None:
        monitor, fake = talk
        fake.instead_of("query-x", lambda request: b"")
        running = asyncio.ensure_future(monitor.execute("query-x"))
        await fake.seen("query-x")
        await monitor.close()
        with pytest.raises(MonitorClosed):
            await running
        await monitor.close()

    async def test_an_interrupted_command_leaves_the_monitor_usable(
        self, talk: tuple[Monitor, FakeQmp]
    ) -> None:
        monitor, fake = talk
        fake.instead_of("query-x", lambda request: b"")
        running = asyncio.ensure_future(monitor.execute("query-x"))
        await fake.seen("query-x")
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert await monitor.execute("query-y") == {}

    async def test_nothing_is_logged_but_what_is_raised(
        self, monitor: Monitor, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.DEBUG):
            async with fake_qmp(greeting=b"garbage\r\n") as (ours, _):
                with pytest.raises(MonitorError):
                    await monitor.connect(ours, Deadline(PATIENT))
        assert [record for record in caplog.records if record.name != "asyncio"] == []

    @pytest.mark.parametrize("value", [float("nan"), {1, 2}, "\ud800", Path("/x")])
    async def test_arguments_that_qemu_could_not_read(
        self, talk: tuple[Monitor, FakeQmp], value: object
    ) -> None:
        monitor, fake = talk
        with pytest.raises(MonitorError, match="query-x was not sent, its arguments are not JSON"):
            await monitor.execute("query-x", {"a": value})
        assert len(fake.requests) == 1

    async def test_arguments_that_are_too_large(self, talk: tuple[Monitor, FakeQmp]) -> None:
        monitor, _ = talk
        with pytest.raises(MonitorError, match="QEMU's monitor takes 1048576"):
            await monitor.execute("query-x", {"a": "x" * 2**20})


class TestEvents:
    async def test_are_kept_in_order_and_bounded(self, talk: tuple[Monitor, FakeQmp]) -> None:
        monitor, fake = talk
        fake.send(b"".join(event("E", number=number) for number in range(1500)))
        fake.send(event("LAST"))
        await monitor.wait_for_event(["LAST"], deadline=Deadline(PATIENT), since=0)
        assert len(monitor.events) == 1000
        numbers = [item.data["number"] for item in monitor.events if item.name == "E"]
        assert numbers == list(range(501, 1500))
        assert monitor._client.events.history == ()

    async def test_are_matched(self, talk: tuple[Monitor, FakeQmp]) -> None:
        monitor, fake = talk
        waiting = _start(
            monitor.wait_for_event(
                ["DELETED", "GONE"],
                deadline=Deadline(PATIENT),
                match=lambda event: event.data.get("device") == "n1",
            )
        )
        await asyncio.sleep(0)
        fake.send(event("DELETED", device="n0") + event("OTHER", device="n1"))
        fake.send(event("GONE", device="n1"))
        assert (await waiting).name == "GONE"

    async def test_from_before_are_not_taken_without_a_mark(
        self, talk: tuple[Monitor, FakeQmp]
    ) -> None:
        monitor, fake = talk
        fake.send(event("E", number=1))
        await monitor.wait_for_event(["E"], deadline=Deadline(PATIENT), since=0)
        with pytest.raises(WaitTimeout) as caught:
            await monitor.wait_for_event(["E", "F"], deadline=Deadline(BRIEF))
        text = str(caught.value)
        assert "VM 'vm0': the event E or F did not come within 0." in text
        assert "Last events: E at 0." in text

    async def test_without_data(self, talk: tuple[Monitor, FakeQmp]) -> None:
        monitor, fake = talk
        fake.send(b'{"event": "BARE"}\r\n')
        bare = await monitor.wait_for_event(["BARE"], deadline=Deadline(PATIENT), since=0)
        assert bare.data == {}

    async def test_reach_every_listener_though_one_fails(
        self, talk: tuple[Monitor, FakeQmp], caplog: pytest.LogCaptureFixture
    ) -> None:
        monitor, fake = talk
        heard: list[MonitorEvent] = []
        monitor.on_event(lambda event: 1 // 0)  # type: ignore[arg-type]
        monitor.on_event(heard.append)
        fake.send(event("E"))
        await monitor.wait_for_event(["E"], deadline=Deadline(PATIENT), since=0)
        assert [item.name for item in heard] == ["E"]
        assert "a listener failed on the event E" in caplog.text
        assert not monitor.closed

    async def test_a_match_that_fails_is_the_waiters_error(
        self, talk: tuple[Monitor, FakeQmp]
    ) -> None:
        monitor, fake = talk
        waiting = _start(
            monitor.wait_for_event(
                ["E"], deadline=Deadline(PATIENT), match=lambda event: bool(event.data["missing"])
            )
        )
        await asyncio.sleep(0)
        fake.send(event("E"))
        with pytest.raises(KeyError):
            await waiting
        assert not monitor.closed

    async def test_before_the_end_count_after_it(self, talk: tuple[Monitor, FakeQmp]) -> None:
        monitor, fake = talk
        fake.send(event("SHUTDOWN", reason="guest-panic"))
        fake.hang_up()
        await asyncio.wait_for(monitor.wait_closed(), PATIENT)
        last = await monitor.wait_for_event(["SHUTDOWN"], deadline=Deadline(PATIENT), since=0)
        assert last.data == {"reason": "guest-panic"}
        with pytest.raises(MonitorClosed, match="before the event RESET came"):
            await monitor.wait_for_event(["RESET"], deadline=Deadline(PATIENT), since=0)


async def test_a_monitor_that_was_never_connected() -> None:
    monitor = Monitor("vm0")
    assert monitor.closed
    await monitor.wait_closed()
    await monitor.close()
    with pytest.raises(MonitorClosed, match="quit was not sent"):
        await monitor.execute("quit")


def _start(coroutine: Coroutine[Any, Any, MonitorEvent]) -> asyncio.Future[MonitorEvent]:
    return asyncio.ensure_future(coroutine)


def _unix(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(bytes(path))
    return connection
