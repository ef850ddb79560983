"""What tries the inputs notices what it is there for."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reliability.fuzz import eager_loop
from reliability.fuzz.figures import Figure, write
from reliability.fuzz.mutation import LONGEST, mutations
from reliability.fuzz.trial import attempt

ROOT = Path(__file__).parents[2]


def raising(data: bytes) -> None:
    raise KeyError(data)


def looping(data: bytes) -> None:
    while data:
        pass


def waiting(data: bytes) -> None:
    async def wait() -> None:
        await asyncio.Event().wait()

    eager_loop.run(wait())


def complaining(data: bytes) -> None:
    async def fail() -> None:
        asyncio.get_running_loop().call_soon(raising, data)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    eager_loop.run(fail())


def leaving(data: bytes) -> None:
    async def leave() -> None:
        task = asyncio.ensure_future(asyncio.sleep(1))
        leave.task = task  # type: ignore[attr-defined]

    eager_loop.run(leave())


def swallowing(data: bytes) -> None:
    try:
        looping(data)
    except Exception:
        return


@pytest.mark.parametrize(
    ("target", "place"),
    [
        (raising, "KeyError in test_harness.py"),
        (looping, "Hang in test_harness.py looping"),
        (swallowing, "Hang in test_harness.py looping"),
        (complaining, "AssertionError"),
        (leaving, "AssertionError"),
    ],
)
def test_a_finding(target: object, place: str) -> None:
    finding = attempt(target, b"x")  # type: ignore[arg-type]
    assert finding is not None
    assert finding.place.startswith(place)
    assert finding.data == b"x"


def test_a_wait_for_ever_is_noticed() -> None:
    with pytest.raises(eager_loop.WaitsForEver):
        waiting(b"")


def test_an_answer_and_a_refusal_are_none() -> None:
    assert attempt(lambda data: None, b"x") is None


def test_two_findings_of_one_place_have_one_name() -> None:
    first, second = attempt(raising, b"a"), attempt(raising, b"b")
    assert first is not None
    assert second is not None
    assert first.name == second.name
    assert first.name != getattr(attempt(complaining, b"a"), "name", None)


def test_no_time_is_spent_on_waiting() -> None:
    times: list[float] = []

    async def sleep() -> None:
        loop = asyncio.get_running_loop()
        times.append(loop.time())
        await asyncio.sleep(86400)
        times.append(loop.time())

    assert attempt(lambda data: eager_loop.run(sleep()), b"") is None
    assert 86400 <= times[1] - times[0] < 86500


def test_mutations_are_the_same_every_time_and_bounded() -> None:
    begin = [b"one", b"two" * 2000]
    first = list(mutations(begin, 1, 200))
    assert first == list(mutations(begin, 1, 200))
    assert first != list(mutations(begin, 2, 200))
    assert len(set(first)) > 150
    assert max(map(len, first)) == LONGEST


def test_a_figure_takes_the_place_of_the_last_one(tmp_path: Path) -> None:
    path = tmp_path / "results" / "fuzz.json"
    for executions in (1, 2):
        write(path, Figure("yaml", 1.5, executions, 0, 7, "2026-01-02"))
    write(path, Figure("cfg", 1.5, 3, 0, 7, "2026-01-02"))
    found = json.loads(path.read_text(encoding="utf-8"))
    assert [(item["target"], item["executions"]) for item in found] == [("cfg", 3), ("yaml", 2)]
    assert found[1] == {
        "target": "yaml",
        "seconds": 1.5,
        "executions": 2,
        "crashes": 0,
        "seed": 7,
        "date": "2026-01-02",
    }


def fuzz(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command where atheris cannot be imported."""
    (directory / "atheris.py").write_text("raise ImportError('not here')\n")
    environment = {**os.environ, "PYTHONPATH": f"{directory}{os.pathsep}{ROOT}"}
    argv = [sys.executable, "-m", "reliability.fuzz", *arguments, f"--work={directory / 'work'}"]
    return subprocess.run(
        argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("targets", [["yaml"], ["yaml", "cfg"]])
def test_without_atheris_it_says_what_to_install(tmp_path: Path, targets: list[str]) -> None:
    done = fuzz(tmp_path, *targets)
    assert done.returncode == 2
    assert done.stderr.count("pip install -e '.[fuzz]'") == len(targets)
    assert not (tmp_path / "work").exists()


def test_an_unknown_target_is_refused_with_the_known(tmp_path: Path) -> None:
    done = fuzz(tmp_path, "yaml", "ymal")
    assert done.returncode == 2
    assert "unknown: ymal. Known: cfg, yaml, agent-framing" in done.stderr
