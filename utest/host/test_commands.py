"""Commands that run to their end: output, errors, deadlines, what they leave behind."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
from pathlib import Path

import pytest

from DtsVirtLibrary.errors import CommandError
from DtsVirtLibrary.host import command
from DtsVirtLibrary.host.local import LocalHost
from utest.host.supervised import DEADLINE, processes_with, within


@pytest.fixture
def token() -> str:
    return f"token-{secrets.token_hex(8)}"


async def test_both_outputs_and_the_exit_code_come_back(host: LocalHost) -> None:
    argv = ["sh", "-c", "echo out; echo err >&2; exit 3"]
    completed = await host.run(argv, timeout=DEADLINE, check=False)
    assert completed.argv == tuple(argv)
    assert (completed.exit_code, completed.stdout, completed.stderr) == (3, "out\n", "err\n")


async def test_input_is_given(host: LocalHost) -> None:
    data = os.urandom(1 << 20).hex()
    completed = await host.run(["cat"], timeout=DEADLINE, stdin=data.encode())
    assert completed.stdout == data


@pytest.mark.parametrize("stdin", [None, b""])
async def test_input_is_never_the_runners(host: LocalHost, stdin: bytes | None) -> None:
    assert (await host.run(["cat"], timeout=DEADLINE, stdin=stdin)).stdout == ""


async def test_input_that_nobody_reads_is_no_error(host: LocalHost) -> None:
    await host.run(["true"], timeout=DEADLINE, stdin=b"x" * (1 << 20))


async def test_undecodable_output_is_replaced(host: LocalHost) -> None:
    completed = await host.run(["printf", r"a\377b"], timeout=DEADLINE)
    assert completed.stdout == "a\ufffdb"


async def test_environment_is_small_with_additions(
    host: LocalHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "42")
    monkeypatch.setenv("PATH", "relative:/opt/mine:/usr/bin")
    completed = await host.run(["env"], timeout=DEADLINE, environment={"MORE": "1"})
    variables = dict(line.split("=", 1) for line in completed.stdout.splitlines())
    assert set(variables) == {"PATH", "HOME", "LANG", "MORE"}
    # Only whole paths, and the sbin directories that an ordinary user's PATH lacks.
    assert variables["PATH"].startswith("/opt/mine:/usr/bin:")
    assert "/usr/sbin" in variables["PATH"].split(":")


async def test_directory_is_as_asked(host: LocalHost) -> None:
    completed = await host.run(["pwd"], timeout=DEADLINE, directory="/usr")
    assert completed.stdout == "/usr\n"


async def test_failure_says_all_that_is_known(host: LocalHost) -> None:
    script = "echo progress; echo first >&2; printf 'it \\033[31mbroke' >&2; exit 7"
    with pytest.raises(CommandError) as raised:
        await host.run(["sh", "-c", script], timeout=DEADLINE)
    lines = str(raised.value).splitlines()
    assert lines[0] == "The command 'sh' failed with exit code 7: it broke"
    assert lines[2:7] == [
        "stderr, last lines:",
        "    first",
        "    it broke",
        "stdout, last lines:",
        "    progress",
    ]
    assert lines[-1].startswith("Command line: sh -c ")
    assert raised.value.evidence.exit_code == 7


async def test_silent_failure_says_so(host: LocalHost) -> None:
    with pytest.raises(CommandError, match=r"with signal SIGKILL \(9\), and wrote nothing"):
        await host.run(["sh", "-c", "kill -9 $$"], timeout=DEADLINE)


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (["no-such-program"], r"Cannot start 'no-such-program': no such program on PATH \("),
        (["/no/such"], "Cannot start '/no/such': No such file or directory"),
        (["sh\0x"], "embedded null byte"),
    ],
)
async def test_program_that_cannot_be_run(host: LocalHost, argv: list[str], reason: str) -> None:
    with pytest.raises(CommandError, match=reason):
        await host.run(argv, timeout=DEADLINE)


async def test_directory_that_is_missing(host: LocalHost) -> None:
    with pytest.raises(CommandError, match="its working directory '/no/where' cannot be used"):
        await host.run(["true"], timeout=DEADLINE, directory="/no/where")


async def test_overdue_command_is_killed_with_its_children(host: LocalHost, token: str) -> None:
    script = f"echo begun; env TOKEN={token} sleep 1000 & wait"
    with pytest.raises(CommandError, match=r"did not end within 0.3 s and was killed") as raised:
        await within(host.run(["sh", "-c", script], timeout=0.3))
    assert "    begun" in str(raised.value).splitlines()
    assert processes_with(token) == []


async def test_cancelled_command_is_killed_with_its_children(host: LocalHost, token: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
        ours.bind(f"\0{token}")
        ours.setblocking(False)
        here = "import socket, sys; socket.socket(1, 2).sendto(b'x', chr(0) + sys.argv[1])"
        script = f'python3 -c "{here}" {token}; env TOKEN={token} sleep 1000 & wait'
        running = asyncio.create_task(host.run(["sh", "-c", script], timeout=DEADLINE))
        await within(asyncio.get_running_loop().sock_recv(ours, 1))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(running)
    assert processes_with(token) == []


async def test_close_ends_commands(host: LocalHost, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "begun")
    script = f"echo begun >{tmp_path}/begun; sleep 1000"
    running = asyncio.create_task(host.run(["sh", "-c", script], timeout=10 * DEADLINE))
    # Opening returns once the command opened its end too.
    await within(asyncio.to_thread((tmp_path / "begun").read_text))
    await within(host.close())
    with pytest.raises(CommandError, match="signal SIGKILL"):
        await within(running)


async def test_close_ends_a_command_that_just_starts(host: LocalHost) -> None:
    running = asyncio.create_task(host.run(["sleep", "1000"], timeout=10 * DEADLINE))
    await asyncio.sleep(0)
    await within(host.close())
    with pytest.raises(CommandError, match="signal SIGKILL"):
        await within(running)


async def test_endless_output_is_an_error(host: LocalHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "OUTPUT_LIMIT", 3 << 20)
    with pytest.raises(CommandError, match="wrote more than 3 MiB and was killed"):
        await within(host.run(["yes"], timeout=DEADLINE))


async def test_daemon_that_keeps_the_output_open_does_not_hold_us_up(
    host: LocalHost, token: str
) -> None:
    script = f"setsid env TOKEN={token} sleep 1000 & echo started"
    try:
        completed = await within(host.run(["sh", "-c", script], timeout=DEADLINE))
        assert completed.stdout == "started\n"
        assert len(processes_with(token)) == 1
    finally:
        for pid in processes_with(token):
            os.kill(pid, signal.SIGKILL)


async def test_many_commands_leave_no_descriptor(host: LocalHost) -> None:
    await host.run(["true"], timeout=DEADLINE)
    before = len(os.listdir("/proc/self/fd"))
    await asyncio.gather(*(host.run(["true"], timeout=DEADLINE) for _ in range(20)))
    assert len(os.listdir("/proc/self/fd")) == before
