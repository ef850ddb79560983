"""What a run took is given back by the next one, where its supervisor was killed too."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from DtsVirtLibrary.host.leash import notebook
from DtsVirtLibrary.host.local import LocalHost
from utest.host.supervised import Runner, runner, supervisor_pid, swept, wait_for_end

UNDONE = "second\nfirst\n"


@dataclass
class Taking:
    """A run that has taken two things and forgotten a third, and where it tells of undoing."""

    run: Runner
    supervisor: int
    witness: Path

    def end(self, *pids: int) -> None:
        """Kill processes, none of which can act on the end of another; none is collected."""
        pidfds = [os.pidfd_open(pid) for pid in pids]
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in pids:
                os.kill(pid, number)
        for pidfd in pidfds:
            wait_for_end(pidfd)

    def move_notebook(self, base: Path) -> Path:
        """Put the notebook where the test's own sweep looks, and return its path there."""
        (found,) = notebooks(self.run.base)
        return Path(shutil.move(found, base))

    def undone(self) -> str:
        return self.witness.read_text() if self.witness.exists() else ""


@pytest.fixture
def taking(tmp_path: Path) -> Iterator[Taking]:
    with runner("taking", str(tmp_path / "witness")) as run:
        yield Taking(run, run.said()["supervisor"], tmp_path / "witness")


def notebooks(base: Path) -> list[Path]:
    return [mark.parent for mark in base.glob(f"dtsvirt-*/{notebook.MARK}")]


@pytest.mark.fault(73)
async def test_sweep_takes_back_what_nobody_else_can(
    host: LocalHost, base: Path, taking: Taking
) -> None:
    taking.end(taking.run.process.pid, taking.supervisor)
    taking.move_notebook(base)
    assert len(await swept(host, base)) == 1
    assert taking.undone() == UNDONE
    assert os.listdir(base) == []
    assert await swept(host, base) == []
    assert taking.undone() == UNDONE


@pytest.mark.parametrize("killed", ["nobody", "the supervisor"])
async def test_sweep_takes_nothing_from_a_run_that_lives(
    host: LocalHost, base: Path, taking: Taking, killed: str
) -> None:
    if killed == "the supervisor":
        taking.end(taking.supervisor)
    path = taking.move_notebook(base)
    assert await swept(host, base) == []
    assert path.is_dir()
    assert taking.undone() == ""


async def test_sweep_leaves_it_to_a_supervisor_that_lives(
    host: LocalHost, base: Path, taking: Taking
) -> None:
    os.kill(taking.supervisor, signal.SIGSTOP)
    ended = os.pidfd_open(taking.run.process.pid)
    taking.run.process.kill()
    wait_for_end(ended)
    path = taking.move_notebook(base)
    assert await swept(host, base) == []
    assert path.is_dir()
    supervisor = os.pidfd_open(taking.supervisor)
    os.kill(taking.supervisor, signal.SIGCONT)
    wait_for_end(supervisor)
    assert taking.undone() == UNDONE


async def test_after_another_boot_there_is_nothing_to_take_back(
    host: LocalHost, base: Path, taking: Taking
) -> None:
    taking.end(taking.run.process.pid, taking.supervisor)
    path = taking.move_notebook(base)
    owners = json.loads((path / notebook.MARK).read_text())
    for owner in owners:
        owner["identity"]["boot_id"] = "an earlier one"
    (path / notebook.MARK).write_text(json.dumps(owners))
    assert await swept(host, base) == [str(path)]
    assert taking.undone() == ""
    assert os.listdir(base) == []


async def test_notebook_is_there_as_long_as_something_is_taken(host: LocalHost, base: Path) -> None:
    tokens = [await host.on_runner_death(["true"]) for _ in range(2)]
    assert len(notebooks(base)) == 1
    for token in tokens:
        await host.forget(token)
    await host.on_runner_death(["true"])  # all before it has been done by then
    assert len(notebooks(base)) == 1
    await host.close()
    assert os.listdir(base) == []


async def test_run_whose_supervisor_was_killed_takes_back_once(
    host: LocalHost, base: Path, tmp_path: Path
) -> None:
    await host.on_runner_death(["sh", "-c", f"echo undone >>{tmp_path}/witness"])
    ended = os.pidfd_open(supervisor_pid(host))
    os.kill(supervisor_pid(host), signal.SIGKILL)
    wait_for_end(ended)
    await host.close()
    assert (tmp_path / "witness").read_text() == "undone\n"
    assert os.listdir(base) == []


async def test_next_supervisor_takes_the_notes_over(
    host: LocalHost, base: Path, tmp_path: Path
) -> None:
    await host.on_runner_death(["sh", "-c", f"echo undone >>{tmp_path}/witness"])
    (first,) = notebooks(base)
    ended = os.pidfd_open(supervisor_pid(host))
    os.kill(supervisor_pid(host), signal.SIGKILL)
    wait_for_end(ended)
    assert host._supervisor is not None
    await host._supervisor._gone.wait()
    await host.on_runner_death(["true"])
    (second,) = notebooks(base)
    assert second != first
    assert len(notebook.read(str(second))) == 2
    await host.close()
    assert (tmp_path / "witness").read_text() == "undone\n"
    assert os.listdir(base) == []


def test_commands_arrive_as_they_were_noted(tmp_path: Path) -> None:
    path = str(tmp_path / "notebook")
    noted = notebook.Notebook(path, "mark")
    commands = [["a b", "", 'c"d\n'], ["\udcff"], ["ä"]]
    for token, argv in enumerate(commands, 9):  # 10 comes after 9, not before
        noted.note(str(token), argv)
    assert [argv for _, argv in notebook.read(path)] == commands[::-1]
    assert os.stat(path).st_mode & 0o777 == 0o700
    for token in ("9", "10", "11", "never noted"):
        noted.strike(token)
    assert not os.path.exists(path)
