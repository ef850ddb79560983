"""The command as a whole: its exit codes, and that its own errors show no traceback."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from DtsVirtLibrary.cli import main as main_module
from DtsVirtLibrary.cli.main import main
from DtsVirtLibrary.errors import ConfigError, HostError
from DtsVirtLibrary.version import VERSION


def command_that(raises: Callable[[], BaseException]) -> object:
    def parser() -> argparse.ArgumentParser:
        def run(_: argparse.Namespace) -> int:
            raise raises()

        made = argparse.ArgumentParser()
        made.set_defaults(function=run)
        return made

    return parser


@pytest.mark.parametrize(
    ("error", "exit_code", "text"),
    [
        (ConfigError("a.cfg:7: cpu: unknown option"), 2, "a.cfg:7: cpu: unknown option\n"),
        (HostError("no space"), 1, "dtsvirt: no space\n"),
        (KeyboardInterrupt(), 130, "dtsvirt: interrupted\n"),
    ],
)
def test_errors_become_exit_codes(
    error: BaseException,
    exit_code: int,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(main_module, "_parser", command_that(lambda: error))
    assert main([]) == exit_code
    assert capsys.readouterr().err == text


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"dtsvirt {VERSION}\n"


@pytest.mark.parametrize("arguments", [[], ["doctr"], ["render"], ["doctor", "--yaml"]])
def test_wrong_usage_is_exit_code_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: dtsvirt" in capsys.readouterr().err


def test_help_names_every_command_and_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    for word in ("doctor", "render", "guest", "clean", "exit codes:", "130"):
        assert word in text


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "DtsVirtLibrary.cli.main", *arguments],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.qemu
def test_doctor_on_this_machine_says_that_vms_can_be_started() -> None:
    done = run("doctor", "--json")
    document = json.loads(done.stdout)
    assert done.returncode == 0, done.stdout
    assert document["ready"] is True
    groups = {row["group"] for row in document["findings"]}
    assert {"QEMU", "Accelerator", "Guest images", "Debian packages", "Python"} <= groups
    assert {"Rights", "Hugepages", "Space"} <= groups


def test_looking_at_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom DtsVirtLibrary.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print('loaded', sorted({'asyncio', 'qemu', 'yaml', 'robot', 'paramiko'} & {*sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "loaded []"
