"""``dtsvirt render``: the command line of a configured VM, and errors in the file."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TWO_VMS = """\
[suite]
cases = none
[vm0]
cpu =
    model=qemu64,number=2;
mem =
    size=1024;
[vm1]
cpu =
    number=1;
"""


def environment() -> dict[str, str]:
    # The library need not be installed for its tests.
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def render(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "DtsVirtLibrary.cli.main", "render", *arguments],
        cwd=directory, env=environment(),
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "two.cfg").write_text(TWO_VMS)
    return tmp_path


def words(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.returncode == 0, done.stderr
    return shlex.split(done.stdout.replace("\\\n", " "))


def after(option: str, line: list[str]) -> str:
    return line[line.index(option) + 1]


@pytest.mark.qemu
def test_the_command_line_is_shell_text_of_what_the_file_says(directory: Path) -> None:
    line = words(render(directory, "two.cfg", "vm0"))
    assert any(word.endswith("qemu-system-x86_64") for word in line)
    assert after("-name", line).split(",")[0] == "vm0"
    assert after("-cpu", line) == "qemu64"
    assert after("-smp", line).split(",")[0] in ("2", "cpus=2")
    assert "-S" not in line, "whoever pastes it wants the VM to run"


@pytest.mark.qemu
def test_a_guest_that_is_not_built_is_not_built_for_this(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DTSVIRT_CACHE", str(directory / "cache"))
    line = words(render(directory, "two.cfg", "vm1"))
    assert "not-built-yet" in after("-kernel", line)
    assert not (directory / "cache/guest").exists()


@pytest.mark.qemu
def test_the_only_vm_needs_no_name(directory: Path) -> None:
    (directory / "one.cfg").write_text("[vm7]\nmem =\n    size=700;\n")
    assert after("-name", words(render(directory, "one.cfg"))).startswith("vm7")


@pytest.mark.qemu
def test_a_yaml_document_that_is_one_vm_is_named_vm0(directory: Path) -> None:
    (directory / "one.yaml").write_text("mem: {size: 700}\n")
    assert after("-name", words(render(directory, "one.yaml"))).startswith("vm0")


@pytest.mark.parametrize(
    ("text", "arguments", "first_line"),
    [
        (TWO_VMS, [], "x.cfg describes 2 VMs; name one of them: vm0, vm1."),
        (TWO_VMS, ["vm2"], "x.cfg: "),
        ("[vm0]\ncpu =\n    modle=host;\n", ["vm0"], "x.cfg:3: cpu: "),
        ("", [], "x.cfg describes no VM"),
        ("", ["vm0"], "x.cfg: "),
    ],
    ids=["two VMs and no name", "no such VM", "unknown option", "empty file", "VM of none"],
)
def test_errors_in_the_file_are_exit_code_2(
    tmp_path: Path, text: str, arguments: list[str], first_line: str
) -> None:
    (tmp_path / "x.cfg").write_text(text)
    done = render(tmp_path, "x.cfg", *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(first_line)
    assert "Traceback" not in done.stderr


@pytest.mark.qemu
def test_a_reader_that_has_seen_enough_gets_no_traceback(directory: Path) -> None:
    command = [sys.executable, "-m", "DtsVirtLibrary.cli.main", "render", "two.cfg", "vm0"]
    with subprocess.Popen(
        command,
        cwd=directory,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


def test_a_missing_file_is_exit_code_2(tmp_path: Path) -> None:
    done = render(tmp_path, "none.cfg", "vm0")
    assert done.returncode == 2
    assert done.stderr == "Configuration file 'none.cfg' does not exist.\n"
