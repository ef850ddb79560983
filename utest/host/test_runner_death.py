"""A runner that is killed leaves nothing: no process, no directory, no change of the host."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest

from utest.host.supervised import processes_with, runner, wait_for_end

# Two seconds are promised; the rest is for a machine that is busy with other things.
GONE_WITHIN = 8.0


@pytest.mark.parametrize("ordinary", [False, True], ids=["as we are", "as an ordinary user"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_killed_runner_leaves_nothing(number: int, ordinary: bool) -> None:
    with runner("running", ordinary=ordinary) as run:
        said = run.said()
        supervisor = os.pidfd_open(said["supervisor"])
        children = [os.pidfd_open(pid) for pid in said["pids"]]
        assert len(processes_with(run.token)) >= 3
        killed = time.monotonic()
        run.process.send_signal(number)
        for pidfd in [*children, supervisor]:
            wait_for_end(pidfd)
        assert time.monotonic() - killed < GONE_WITHIN
        assert processes_with(run.token) == []
        assert os.listdir(run.base) == ["witness"]
        # The latest change is taken back first, and a forgotten one not at all.
        assert Path(said["witness"]).read_text() == "second\nfirst\n"


@pytest.mark.parametrize("milliseconds", [0, 1, 2, 3, 4, 5, 8, 13, 21, 34, 55, 89, 144])
def test_runner_killed_while_it_starts_processes_leaves_nothing(milliseconds: int) -> None:
    with runner("starting") as run:
        supervisor = os.pidfd_open(run.said()["supervisor"])
        select.select([], [], [], milliseconds / 1000)  # to hit another moment each time
        run.process.kill()
        wait_for_end(supervisor)
        assert processes_with(run.token) == []
        assert os.listdir(run.base) == []


def test_directory_that_passes_goes_with_the_runner_unless_it_was_renamed() -> None:
    with runner("passing") as run:
        said = run.said()
        assert said["names"] == ["draft", "stays"]
        supervisor = os.pidfd_open(said["supervisor"])
        run.process.kill()
        wait_for_end(supervisor)
        assert os.listdir(run.base) == ["stays"]
        assert os.listdir(run.base / "stays") == ["content"]


@pytest.mark.fault(75)
def test_fork_of_the_runner_does_not_hold_the_leash() -> None:
    with runner("forked") as run:
        said = run.said()
        supervisor, child = (os.pidfd_open(pid) for pid in (said["supervisor"], said["pids"][0]))
        run.process.kill()
        try:
            wait_for_end(child)
            wait_for_end(supervisor)
            os.kill(said["fork"], 0)  # it does live, with its copy of the leash
        finally:
            os.kill(said["fork"], signal.SIGKILL)


def test_runner_that_ends_without_closing_leaves_nothing() -> None:
    with runner("leaving") as run:
        said = run.said()
        supervisor = os.pidfd_open(said["supervisor"])
        run.say("go")
        wait_for_end(supervisor)
        assert run.process.wait() == 0
        assert processes_with(run.token) == []
        assert os.listdir(run.base) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_supervisor_outlives_the_signals_of_a_terminal(number: int) -> None:
    with runner("running") as run:
        said = run.said()
        os.kill(said["supervisor"], number)
        signals = subprocess.check_output(["cat", f"/proc/{said['supervisor']}/status"], text=True)
        ignored = int(signals.split("SigIgn:")[1].split()[0], 16)
        assert ignored & 1 << (number - 1)
        supervisor = os.pidfd_open(said["supervisor"])
        run.process.kill()
        wait_for_end(supervisor)  # and still did its work
        assert os.listdir(run.base) == ["witness"]
