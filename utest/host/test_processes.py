"""Processes that live long: how they start, what they inherit, how their end is told."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import sys
import threading
from pathlib import Path

import pytest

from DtsVirtLibrary.errors import CommandError
from DtsVirtLibrary.host.identity import is_alive
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.host.protocol import Spawn
from utest.host.supervised import QUIET, children_of, supervisor_pid, within

# Signals 32 and 33, which no program can reset; make(1) leaves them ignored.
OF_THE_C_LIBRARY = 0b11 << 31
SLEEP = Spawn(["sleep", "1000"], QUIET, QUIET)
PYTHON = [sys.executable, "-I", "-S", "-c"]
OPEN_DESCRIPTORS = """
import os
def is_open(number):
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
print([number for number in range(1024) if is_open(number)])
"""


async def output_of(host: LocalHost, argv: list[str], log: Path, **more: object) -> str:
    process = await host.spawn(Spawn(argv, log, log, **more))  # type: ignore[arg-type]
    assert await within(process.wait()) == 0, log.read_text()
    return log.read_text()


@pytest.mark.parametrize("code", [0, 1, 3, 255])
async def test_exit_code_is_told(host: LocalHost, code: int) -> None:
    process = await host.spawn(Spawn(["sh", "-c", f"exit {code}"], QUIET, QUIET))
    assert await within(process.wait()) == code
    assert process.exit_code == code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
async def test_signal_ends_a_process_and_is_told(host: LocalHost, number: int) -> None:
    process = await host.spawn(Spawn(["sleep", "1000"], QUIET, QUIET))
    assert process.exit_code is None
    process.send_signal(number)
    assert await within(process.wait()) == -number
    process.send_signal(number)  # nothing happens any more


async def test_identity_tells_a_living_process_from_a_dead_one(host: LocalHost) -> None:
    process = await host.spawn(Spawn(["sleep", "1000"], QUIET, QUIET))
    assert is_alive(process.identity)
    process.send_signal(signal.SIGKILL)
    await within(process.wait())
    assert not is_alive(process.identity)


@pytest.mark.fault(75)
async def test_process_has_the_descriptors_it_was_given_and_no_other(
    host: LocalHost, tmp_path: Path
) -> None:
    pairs = {number: socket.socketpair() for number in (3, 9, 200)}
    sockets = {number: theirs for number, (_, theirs) in pairs.items()}
    text = await output_of(host, [*PYTHON, OPEN_DESCRIPTORS], tmp_path / "log", sockets=sockets)
    assert text == "[0, 1, 2, 3, 9, 200]\n"
    for ours, theirs in pairs.values():
        ours.close()
        assert theirs.fileno() == -1  # handed over


async def test_numbers_that_are_in_use_in_between_do_not_mix_up(host: LocalHost) -> None:
    # The supervisor holds them under numbers from just this range, in another order.
    numbers = [*range(20, 2, -1)]
    pairs = {number: socket.socketpair() for number in numbers}
    sockets = {number: theirs for number, (_, theirs) in pairs.items()}
    script = f"import os\nfor number in {numbers}: os.write(number, b'%d' % number)"
    process = await host.spawn(Spawn([*PYTHON, script], QUIET, QUIET, sockets=sockets))
    assert await within(process.wait()) == 0
    for number, (ours, _) in pairs.items():
        assert ours.recv(10) == str(number).encode()
        ours.close()


async def test_peer_sees_the_end_of_a_process_at_once(host: LocalHost) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    process = await host.spawn(Spawn(["sleep", "1000"], QUIET, QUIET, sockets={7: theirs}))
    process.send_signal(signal.SIGKILL)
    # No copy is left open in the runner or in the supervisor.
    assert await within(asyncio.get_running_loop().sock_recv(ours, 1)) == b""
    ours.close()


async def test_sockets_are_closed_when_the_start_fails(host: LocalHost) -> None:
    ours, theirs = socket.socketpair()
    with pytest.raises(CommandError):
        await host.spawn(Spawn(["/nonexistent"], QUIET, QUIET, sockets={7: theirs}))
    ours.setblocking(False)
    assert await within(asyncio.get_running_loop().sock_recv(ours, 1)) == b""
    ours.close()


async def test_output_is_appended_to_files_that_are_ours_alone(
    host: LocalHost, tmp_path: Path
) -> None:
    out, err = tmp_path / "out", tmp_path / "err"
    for _ in range(2):
        process = await host.spawn(Spawn(["sh", "-c", "echo a; echo b >&2"], out, err))
        assert await within(process.wait()) == 0
    assert (out.read_text(), err.read_text()) == ("a\na\n", "b\nb\n")
    assert {file.stat().st_mode & 0o777 for file in (out, err)} == {0o600}


async def test_both_outputs_may_go_to_one_file(host: LocalHost, tmp_path: Path) -> None:
    text = await output_of(host, ["sh", "-c", "echo a; echo b >&2; echo c"], tmp_path / "log")
    assert text == "a\nb\nc\n"


async def test_process_starts_with_a_clean_state(host: LocalHost, tmp_path: Path) -> None:
    script = (
        "import os, resource; print(os.getsid(0) == os.getpid(), os.umask(0),"
        " resource.getrlimit(resource.RLIMIT_CORE), os.readlink('/proc/self/fd/0'))"
    )
    text = await output_of(host, [*PYTHON, script], tmp_path / "python")
    assert text == "True 63 (0, 0) /dev/null\n"
    status = await output_of(host, ["cat", "/proc/self/status"], tmp_path / "status")
    masks = dict(line.split(":\t") for line in status.splitlines() if line.startswith("Sig"))
    for mask in ("SigIgn", "SigBlk"):
        assert int(masks[mask], 16) & ~OF_THE_C_LIBRARY == 0


async def test_environment_is_small(
    host: LocalHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "42")
    text = await output_of(host, ["env"], tmp_path / "log")
    assert {line.partition("=")[0] for line in text.splitlines()} == {"PATH", "HOME", "LANG"}


async def test_environment_and_directory_are_as_asked(host: LocalHost, tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "ODD": "a=b\nc \udcff"}
    script = 'printf "%s|%s" "$ODD" "$PWD"'
    log = tmp_path / "log"
    spawn = Spawn(["sh", "-c", script], log, log, environment=environment, directory="/usr")
    assert await within((await host.spawn(spawn)).wait()) == 0
    assert log.read_bytes() == b"a=b\nc \xff|/usr"


async def test_relative_paths_are_the_runners(
    host: LocalHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await host.private_directory("early")  # the supervisor is up before we go elsewhere
    monkeypatch.chdir(tmp_path)
    process = await host.spawn(Spawn(["pwd", "-P"], "log", "log"))
    assert await within(process.wait()) == 0
    assert (tmp_path / "log").read_text().strip() == str(tmp_path.resolve())


def not_executable(tmp_path: Path) -> list[str]:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    return [str(program)]


def foreign_binary(tmp_path: Path) -> list[str]:
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF, but of no machine")
    program.chmod(0o755)
    return [str(program)]


def lost_interpreter(tmp_path: Path) -> list[str]:
    program = tmp_path / "program"
    program.write_text("#!/nonexistent/python\n")
    program.chmod(0o755)
    return [str(program)]


@pytest.mark.parametrize(
    ("program", "reason", "remedy"),
    [
        (lambda _: ["no-such-program"], "no such program on PATH (", "Install it"),
        (lambda _: ["/no/such"], "No such file or directory", "Check the path"),
        (not_executable, "Permission denied", "chmod +x"),
        (foreign_binary, "Exec format error", "architecture"),
        (lost_interpreter, "the interpreter or loader", "first line (#!)"),
        (lambda _: ["sh\0x"], "Invalid argument", "its arguments"),
        (lambda _: ["echo", "x" * 140_000], "Argument list too long", "Shorten"),
    ],
)
async def test_program_that_cannot_be_executed(
    host: LocalHost, tmp_path: Path, program: object, reason: str, remedy: str
) -> None:
    argv = program(tmp_path)  # type: ignore[operator]
    with pytest.raises(CommandError) as raised:
        await host.spawn(Spawn(argv, QUIET, QUIET))
    first, _, rest = str(raised.value).partition("\n")
    assert first.startswith(f"Cannot start '{argv[0]}': ")
    assert reason in first
    assert remedy in rest
    assert children_of(supervisor_pid(host)) == []


@pytest.mark.parametrize(
    ("place", "reason"),
    [("missing/log", "No such file"), ("link", "symbolic links"), ("fifo", "not a regular file")],
)
async def test_output_goes_nowhere_but_to_a_file(
    host: LocalHost, tmp_path: Path, place: str, reason: str
) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("victim")
    with pytest.raises(CommandError, match=reason) as raised:
        await host.spawn(Spawn(["true"], QUIET, tmp_path / place))
    assert f"its stderr '{tmp_path / place}' cannot be used" in str(raised.value)
    assert not (tmp_path / "victim").exists()


async def test_directory_that_is_missing(host: LocalHost) -> None:
    with pytest.raises(CommandError, match="its working directory '/no/where' cannot be used"):
        await host.spawn(Spawn(["true"], QUIET, QUIET, directory="/no/where"))


async def test_number_beyond_the_limit_of_open_files(host: LocalHost) -> None:
    ours, theirs = socket.socketpair()
    ours.close()
    with pytest.raises(CommandError, match="its descriptors cannot be set up"):
        await host.spawn(Spawn(["true"], QUIET, QUIET, sockets={1 << 30: theirs}))


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
async def test_cancelled_start_leaves_no_process(host: LocalHost, steps: int) -> None:
    await host.private_directory("early")
    for _ in range(5):
        start = asyncio.create_task(host.spawn(Spawn(["sleep", "1000"], QUIET, QUIET)))
        for _ in range(steps):
            await asyncio.sleep(0)
        start.cancel()
        with pytest.raises(asyncio.CancelledError):
            await within(start)
        assert children_of(supervisor_pid(host)) == []


async def test_200_processes_leave_no_descriptor_and_no_thread(host: LocalHost) -> None:
    async def cycle() -> None:
        ours, theirs = socket.socketpair()
        process = await host.spawn(Spawn(["true"], QUIET, QUIET, sockets={3: theirs}))
        assert await within(process.wait()) == 0
        ours.close()

    def held() -> tuple[int, int, int]:
        supervisor = len(os.listdir(f"/proc/{supervisor_pid(host)}/fd"))
        return len(os.listdir("/proc/self/fd")), supervisor, threading.active_count()

    await cycle()
    before = held()
    for _ in range(200):
        await cycle()
    assert held() == before


@pytest.mark.fault(76)
async def test_100_mb_of_output_lose_their_middle(host: LocalHost, tmp_path: Path) -> None:
    log = tmp_path / "log"
    # It writes on when the first half is cut, so that the log is cut twice at least.
    script = (
        "import os\n"
        "def flood():\n"
        "    for _ in range(50): os.write(2, b'x' * (1 << 20))\n"
        "    while os.fstat(2).st_size > 8 << 20 or b'dropped' not in os.pread(2, 60, 1 << 20):\n"
        "        pass\n"
        "os.write(2, b'the first line\\n')\nflood()\nflood()\nos.write(2, b'\\nthe last line\\n')\n"
    )
    process = await host.spawn(Spawn([*PYTHON, script], QUIET, log))
    assert await within(process.wait()) == 0
    text = log.read_text()
    assert len(text) < 9 << 20
    assert text.startswith("the first line\n")
    assert text.endswith("\nthe last line\n")
    (dropped,) = re.findall(r"\n\[\.\.\. (\d+) bytes were dropped here \.\.\.\]\n", text)
    note = len(f"\n[... {dropped} bytes were dropped here ...]\n")
    written = (100 << 20) + len("the first line\n\nthe last line\n")
    assert int(dropped) + len(text) - note == written, "the number tells of all cuts"


@pytest.mark.fault(76)
async def test_further_logs_lose_their_middle_too(host: LocalHost, tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = (
        "import os, sys\nlog = open(sys.argv[1], 'ab+', 0)\nlog.write(b'the first line\\n')\n"
        "for _ in range(12): log.write(b'x' * (1 << 20))\n"
        "while b'were dropped' not in os.pread(log.fileno(), 60, 1 << 20): pass\n"
        "log.write(b'after it\\n')\n"
    )
    process = await host.spawn(Spawn([*PYTHON, script, str(log)], QUIET, QUIET, logs=[log]))
    assert await within(process.wait()) == 0
    text = log.read_text()
    assert len(text) < 2 << 20
    assert text.startswith("the first line\n")
    assert text.endswith("after it\n")


async def test_log_that_cannot_be_made(host: LocalHost, tmp_path: Path) -> None:
    log = tmp_path / "no/log"
    with pytest.raises(CommandError, match=rf"its log '{log}' cannot be used: No such file"):
        await host.spawn(Spawn(["true"], QUIET, QUIET, logs=[log]))


async def test_state_is_told(host: LocalHost) -> None:
    process = await host.spawn(SLEEP)
    process.send_signal(signal.SIGSTOP)
    while not (await process.state()).startswith("T"):
        await asyncio.sleep(0.01)
    assert await process.state() == "T (stopped by a signal; kill -CONT lets it go on)"
    process.send_signal(signal.SIGKILL)
    await within(process.wait())
    assert await process.state() == ""


async def test_program_is_found_where_the_environment_says(host: LocalHost, tmp_path: Path) -> None:
    shutil.copy("/bin/true", tmp_path / "my-program")
    spawn = Spawn(["my-program"], QUIET, QUIET, environment={"PATH": str(tmp_path)})
    assert await within((await host.spawn(spawn)).wait()) == 0
