"""The counting of scripts/run_tests.py: nothing that failed or did not run is green."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts/run_tests.py"
JUNIT = '<testsuites><testsuite tests="{}" failures="{}" errors="{}" skipped="{}"/></testsuites>'
ROBOT = (
    "<robot><statistics><total>"
    '<stat pass="{}" fail="{}" skip="{}">All Tests</stat>'
    "</total></statistics></robot>"
)


@pytest.fixture(scope="module")
def runner() -> ModuleType:
    spec = importlib.util.spec_from_file_location("run_tests", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["run_tests"] = module
    spec.loader.exec_module(module)
    return module


def counted(totals: object) -> tuple[int, int, int]:
    return totals.passed, totals.failed, totals.skipped  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("numbers", "exit_code", "expected"),
    [
        ((5, 0, 0, 0), 0, (5, 0, 0)),
        ((5, 1, 1, 1), 1, (2, 2, 1)),
        ((0, 0, 0, 0), 5, (0, 1, 0)),
        ((3, 0, 0, 3), 0, (0, 1, 3)),
        ((4, 0, 0, 0), 1, (4, 1, 0)),
    ],
    ids=["green", "failures and errors", "no test", "all skipped", "pytest itself failed"],
)
def test_pytest_report(
    runner: ModuleType,
    tmp_path: Path,
    numbers: tuple[int, ...],
    exit_code: int,
    expected: tuple[int, int, int],
) -> None:
    (tmp_path / "r.xml").write_text(JUNIT.format(*numbers))
    assert counted(runner.pytest_totals("utest", tmp_path / "r.xml", exit_code)) == expected


@pytest.mark.parametrize(
    ("numbers", "exit_code", "expected"),
    [
        ((7, 0, 0), 0, (7, 0, 0)),
        ((7, 2, 1), 2, (7, 2, 1)),
        ((0, 0, 0), 252, (0, 1, 0)),
        ((0, 0, 4), 0, (0, 1, 4)),
        ((7, 0, 0), 255, (7, 1, 0)),
    ],
    ids=["green", "failures", "no test", "all skipped", "robot itself failed"],
)
def test_robot_report(
    runner: ModuleType,
    tmp_path: Path,
    numbers: tuple[int, ...],
    exit_code: int,
    expected: tuple[int, int, int],
) -> None:
    (tmp_path / "output.xml").write_text(ROBOT.format(*numbers))
    assert counted(runner.robot_totals("atest", tmp_path / "output.xml", exit_code)) == expected


@pytest.mark.parametrize("text", [None, "", "<testsuites><testsuite tests="])
def test_a_missing_or_broken_report_is_a_failure(
    runner: ModuleType, tmp_path: Path, text: str | None
) -> None:
    report = tmp_path / "r.xml"
    if text is not None:
        report.write_text(text)
    assert counted(runner.pytest_totals("utest", report, 0)) == (0, 1, 0)
    assert counted(runner.robot_totals("atest", report, 0)) == (0, 1, 0)


def test_the_last_line_sums_everything_and_the_exit_code_tells(
    runner: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = {
        "good": lambda: [runner.Totals("ruff", 1, 0), runner.Totals("utest", 10, 0, 2)],
        "bad": lambda: [runner.Totals("atest", 4, 3)],
    }
    monkeypatch.setattr(runner, "TARGETS", parts)
    assert runner.main(["good"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "11 passed, 0 failed"
    assert runner.main(["good", "bad"]) == 1
    output = capsys.readouterr().out.splitlines()
    assert output[-1] == "15 passed, 3 failed"
    assert "   utest: 10 passed, 0 failed, 2 skipped" in output


@pytest.mark.parametrize(
    ("target", "data"), [("atest", "atest"), ("atest-cold", "atest"), ("suites", "suites")]
)
def test_each_robot_target_runs_its_own_data(
    runner: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, data: str
) -> None:
    def robot(name: str, argv: list[str], path: Path | None, more: dict[str, str]) -> int:
        directory = tmp_path / name
        assert ("WARM:False" in argv) == (target == "atest-cold")
        Path(more["DTSVIRT_TEMPLATES"]).mkdir()
        directory.mkdir()
        assert f"--outputdir={directory}" in argv
        passed = 3 if argv[-1] == data else 0
        (directory / "output.xml").write_text(ROBOT.format(passed, 0, 0))
        return 0

    monkeypatch.setattr(runner, "RESULTS", tmp_path)
    monkeypatch.setattr(runner, "run", robot)
    monkeypatch.setattr(runner, "TMPFS", tmp_path)
    (totals,) = runner.TARGETS[target]()
    assert counted(totals) == (3, 0, 0)
    assert [path.name for path in tmp_path.iterdir()] == [target]


def test_a_command_counts_as_one_test(runner: ModuleType) -> None:
    assert counted(runner.check("yes", ["true"])) == (1, 0, 0)
    assert counted(runner.check("no", ["false"])) == (0, 1, 0)


def test_an_unknown_target_is_refused(
    runner: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert runner.main(["unit"]) == 2
    assert "unknown target 'unit'; known: lint, libdoc, utest-fast" in capsys.readouterr().err
