"""The supervisor process itself: closing, dying, hanging, standing in again."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path

import pytest

from DtsVirtLibrary.errors import CleanupError, CommandError, HostError
from DtsVirtLibrary.host import supervisor
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.host.process import SupervisedProcess
from DtsVirtLibrary.host.protocol import Spawn
from utest.host.supervised import QUIET, children_of, supervisor_pid, swept, wait_for_end, within

SLEEP = Spawn(["sleep", "1000"], QUIET, QUIET)


async def said(ours: socket.socket) -> str:
    """Return the first thing that a process says on a socket, and close it."""
    with ours:
        ours.setblocking(False)
        return (await within(asyncio.get_running_loop().sock_recv(ours, 100))).decode().strip()


async def test_nothing_is_started_before_it_is_needed(host: LocalHost) -> None:
    before = set(children_of(os.getpid()))
    await host.status("/")
    assert set(children_of(os.getpid())) == before


async def test_close_ends_all_and_is_quiet_the_second_time(host: LocalHost) -> None:
    processes = [await host.spawn(SLEEP) for _ in range(3)]
    ends = [os.pidfd_open(process.identity.pid) for process in processes]
    ends.append(os.pidfd_open(supervisor_pid(host)))
    await within(host.close())
    for pidfd in ends:
        wait_for_end(pidfd)
    assert [process.exit_code for process in processes] == [-signal.SIGTERM] * 3
    await within(host.close())


async def test_close_kills_what_ignores_sigterm(host: LocalHost) -> None:
    ours, theirs = socket.socketpair()
    script = "trap '' TERM; echo ready >&3; while :; do sleep 1000; done"
    process = await host.spawn(Spawn(["sh", "-c", script], QUIET, QUIET, sockets={3: theirs}))
    assert await said(ours) == "ready"
    await within(host.close())
    assert process.exit_code == -signal.SIGKILL


async def test_close_ends_a_stopped_process(host: LocalHost) -> None:
    process = await host.spawn(SLEEP)
    process.send_signal(signal.SIGSTOP)
    await within(host.close())
    assert process.exit_code == -signal.SIGTERM


async def test_close_ends_a_daemon_that_left_its_session(host: LocalHost) -> None:
    ours, theirs = socket.socketpair()
    argv = ["setsid", "-f", "sh", "-c", "echo $$ >&3; exec sleep 1000"]
    starter = await host.spawn(Spawn(argv, QUIET, QUIET, sockets={3: theirs}))
    assert await within(starter.wait()) == 0
    daemon = os.pidfd_open(int(await said(ours)))
    await within(host.close())
    wait_for_end(daemon)


async def test_host_can_be_used_again_after_it_was_closed(host: LocalHost) -> None:
    await host.spawn(SLEEP)
    former = supervisor_pid(host)
    await within(host.close())
    process = await host.spawn(Spawn(["true"], QUIET, QUIET))
    assert await within(process.wait()) == 0
    assert supervisor_pid(host) != former


async def test_close_leaves_directories_to_the_runner(host: LocalHost, tmp_path: Path) -> None:
    directory = await host.private_directory("vm0")
    await host.spawn(Spawn(["sleep", "1000"], QUIET, QUIET, remove=tmp_path))
    await within(host.close())
    assert tmp_path.is_dir()
    assert Path(directory).is_dir()
    await host.remove(directory)


async def test_close_takes_back_what_was_not_forgotten(host: LocalHost, tmp_path: Path) -> None:
    tokens = [
        await host.on_runner_death(["sh", "-c", f"echo {number} >>{tmp_path}/witness"])
        for number in range(4)
    ]
    await host.on_runner_death(["/no/such/program"])  # does not keep the others from running
    await host.forget(tokens[1])
    await host.forget(tokens[1])
    await within(host.close())
    assert (tmp_path / "witness").read_text() == "3\n2\n0\n"


async def test_processes_end_with_a_supervisor_that_is_killed(host: LocalHost) -> None:
    process = await host.spawn(SLEEP)
    child = os.pidfd_open(process.identity.pid)
    os.kill(supervisor_pid(host), signal.SIGKILL)
    assert await within(process.wait()) == -signal.SIGKILL
    wait_for_end(child)
    process.send_signal(signal.SIGTERM)  # nothing happens any more
    again = await host.spawn(Spawn(["true"], QUIET, QUIET))
    assert await within(again.wait()) == 0


async def test_next_supervisor_keeps_the_promises_of_a_dead_one(
    host: LocalHost, tmp_path: Path
) -> None:
    await host.on_runner_death(["touch", str(tmp_path / "witness")])
    process = await host.spawn(SLEEP)
    os.kill(supervisor_pid(host), signal.SIGKILL)
    await within(process.wait())
    await host.spawn(SLEEP)
    await within(host.close())
    assert (tmp_path / "witness").exists()


@pytest.mark.parametrize("noticed", [True, False])
async def test_close_takes_back_what_a_dead_supervisor_cannot(
    host: LocalHost, tmp_path: Path, noticed: bool
) -> None:
    for number in range(2):
        await host.on_runner_death(["sh", "-c", f"echo {number} >>{tmp_path}/witness"])
    forgotten = await host.on_runner_death(["sh", "-c", f"echo no >>{tmp_path}/witness"])
    process = await host.spawn(SLEEP)
    os.kill(supervisor_pid(host), signal.SIGKILL)
    if noticed:
        await within(process.wait())
    await host.forget(forgotten)
    await within(host.close())
    assert (tmp_path / "witness").read_text() == "1\n0\n"


async def test_nothing_is_promised_by_a_supervisor_that_is_dead(
    host: LocalHost, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(supervisor, "PROGRAM", "raise RuntimeError('no such luck')")
        with pytest.raises(HostError, match="while it was asked to stand by") as error:
            await within(host.on_runner_death(["touch", str(tmp_path / "witness")]))
    assert "RuntimeError: no such luck" in str(error.value)
    await within(host.close())
    assert not (tmp_path / "witness").exists()


async def test_nothing_is_promised_by_a_supervisor_that_hangs(
    host: LocalHost, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    await host.spawn(SLEEP)
    os.kill(supervisor_pid(host), signal.SIGSTOP)
    with monkeypatch.context() as patched:
        patched.setattr(supervisor, "SPAWN_TIMEOUT", 0.05)
        with pytest.raises(HostError, match="so nothing may be changed here"):
            await within(host.on_runner_death(["touch", str(tmp_path / "witness")]))
    os.kill(supervisor_pid(host), signal.SIGCONT)
    await within(host.close())
    assert not (tmp_path / "witness").exists()


async def test_supervisor_that_dies_during_a_start_is_named(host: LocalHost) -> None:
    await host.spawn(SLEEP)
    os.kill(supervisor_pid(host), signal.SIGSTOP)
    start = asyncio.create_task(host.spawn(SLEEP))
    await asyncio.sleep(0)
    os.kill(supervisor_pid(host), signal.SIGKILL)
    with pytest.raises(HostError, match=r"ended with signal SIGKILL \(9\) while it started"):
        await within(start)


async def test_supervisor_that_cannot_come_up_says_why(
    host: LocalHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "PROGRAM", "raise RuntimeError('no such luck')")
    with pytest.raises(HostError, match="ended with exit code 1 while it started 'sleep'") as error:
        await host.spawn(SLEEP)
    assert "RuntimeError: no such luck" in str(error.value)


async def test_missing_python_is_an_error(host: LocalHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/no/such/python")
    with pytest.raises(HostError, match="Cannot start the supervisor"):
        await host.spawn(SLEEP)


async def test_supervisor_that_hangs_is_not_waited_for(
    host: LocalHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = await host.spawn(SLEEP)
    os.kill(supervisor_pid(host), signal.SIGSTOP)
    monkeypatch.setattr(supervisor, "SPAWN_TIMEOUT", 0.05)
    with pytest.raises(CommandError, match="did not answer within"):
        await within(host.spawn(SLEEP))
    monkeypatch.setattr(supervisor, "CLOSE_TIMEOUT", 0.05)
    await within(host.close())
    assert process.exit_code == -signal.SIGKILL


async def test_start_that_is_answered_too_late_is_taken_back(
    host: LocalHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    await host.spawn(SLEEP)
    former = children_of(supervisor_pid(host))
    os.kill(supervisor_pid(host), signal.SIGSTOP)
    with monkeypatch.context() as patched:
        patched.setattr(supervisor, "SPAWN_TIMEOUT", 0.05)
        with pytest.raises(CommandError, match="did not answer within"):
            await within(host.spawn(SLEEP))
    os.kill(supervisor_pid(host), signal.SIGCONT)
    following = await host.spawn(Spawn(["true"], QUIET, QUIET))  # answered after the late one
    await within(following.wait())
    assert children_of(supervisor_pid(host)) == former


async def test_request_that_is_too_long_is_an_error(host: LocalHost) -> None:
    arguments = [letter * 100_000 for letter in "abcdefghijkl"]
    with pytest.raises(HostError, match=r"takes no request 'spawn' of 1200.*: Message too long"):
        await host.spawn(Spawn(["echo", *arguments], QUIET, QUIET))
    assert await within((await host.spawn(Spawn(["true"], QUIET, QUIET))).wait()) == 0


@pytest.mark.fault(57)
async def test_process_that_cannot_be_ended_is_named(
    host: LocalHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A process that hangs in the kernel cannot be had: one is held back from being noted.
    process = await host.spawn(SLEEP)
    monkeypatch.setattr(SupervisedProcess, "finish", lambda *_: None)
    monkeypatch.setattr(SupervisedProcess, "finish_when_killed", lambda *_: None)
    monkeypatch.setattr(supervisor, "KILLED_TIMEOUT", 0.05)
    assert host._supervisor is not None
    monkeypatch.setattr(host._supervisor, "_handle", lambda *_: None)
    with pytest.raises(CleanupError, match=rf"sleep \(process {process.identity.pid}\)"):
        await within(host.close())
    monkeypatch.undo()
    process.finish(-signal.SIGTERM)  # type: ignore[attr-defined]


async def test_kept_process_outlives_the_runner_and_is_cleaned_up_after(
    host: LocalHost, base: Path, tmp_path: Path
) -> None:
    directory = Path(await host.private_directory("kept"))
    await host.on_runner_death(["touch", str(tmp_path / "undone")])
    kept, other = await host.spawn(SLEEP), await host.spawn(SLEEP)
    await kept.keep([directory])
    ends = [os.pidfd_open(pid) for pid in (kept.identity.pid, supervisor_pid(host))]
    waiting = asyncio.create_task(kept.wait())
    await within(host.close())
    assert other.exit_code == -signal.SIGTERM
    assert kept.exit_code is None
    with pytest.raises(HostError, match=f"Process {kept.identity.pid} was kept"):
        await within(waiting)
    assert await swept(host, base) == []
    assert directory.is_dir()
    assert not (tmp_path / "undone").exists()
    signal.pidfd_send_signal(ends[0], signal.SIGTERM)
    for pidfd in ends:
        wait_for_end(pidfd)
    assert not directory.exists()
    assert (tmp_path / "undone").exists()


async def test_kept_process_that_has_ended_keeps_nothing(host: LocalHost) -> None:
    directory = Path(await host.private_directory("kept"))
    kept = await host.spawn(SLEEP)
    await kept.keep([directory])
    kept.send_signal(signal.SIGTERM)
    assert await within(kept.wait()) == -signal.SIGTERM
    end = os.pidfd_open(supervisor_pid(host))
    await within(host.close())
    wait_for_end(end)
    assert not directory.exists()


async def test_kept_process_ends_with_a_supervisor_that_is_killed(host: LocalHost) -> None:
    kept = await host.spawn(SLEEP)
    await kept.keep()
    os.kill(supervisor_pid(host), signal.SIGKILL)
    assert await within(kept.wait()) == -signal.SIGKILL


async def test_nothing_is_kept_by_a_supervisor_that_has_ended(host: LocalHost) -> None:
    kept = await host.spawn(SLEEP)
    await within(host.close())
    with pytest.raises(HostError, match="takes no request 'keep'"):
        await kept.keep()
