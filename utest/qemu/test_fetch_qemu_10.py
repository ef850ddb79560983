"""The script that puts QEMU 10 beside the installed one: what it does without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "fetch-qemu-10"
TOOLS = ("bash", "sort", "tail", "uname", "mkdir", "mktemp", "rm", "awk", "cat", "dpkg-deb")


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """Return a directory of programs that holds no apt-get and no unshare."""
    directory = tmp_path / "tools"
    directory.mkdir()
    for name in TOOLS:
        program = shutil.which(name)
        assert program, name
        (directory / name).symlink_to(program)
    return directory


def add(directory: Path, name: str, body: str) -> Path:
    """Write a program that does what `body` says."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def run(tools: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    """Run the script with these programs and this cache only."""
    environment = {"PATH": str(tools), "DTSVIRT_CACHE": str(cache), "LC_ALL": "C"}
    return subprocess.run([SCRIPT], env=environment, capture_output=True, text=True, check=False)


def test_what_was_fetched_is_found_with_no_network_and_no_apt(tools: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    add(cache / "qemu-10.0.2", "qemu-system-x86_64", "exit 0")
    newest = add(cache / "qemu-10.0.12", "qemu-system-x86_64", "exit 0")
    (cache / ".fetch-qemu-10.broken").mkdir()
    done = run(tools, cache)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{newest}\n", "")


def test_machine_without_apt_is_told_so(tools: Path, tmp_path: Path) -> None:
    done = run(tools, tmp_path / "cache")
    assert done.returncode == 1
    assert "apt-get is missing; this script needs Debian 12" in done.stderr
    assert not (tmp_path / "cache").exists()


def test_machine_without_package_lists_is_told_the_remedy(tools: Path, tmp_path: Path) -> None:
    add(tools, "apt-get", "exit 0")
    add(tools, "unshare", "exit 0")
    done = run(tools, tmp_path / "cache")
    assert done.returncode == 1
    assert "apt knows no package lists of Debian 12" in done.stderr
    assert "apt-get update" in done.stderr


def test_machine_that_allows_no_namespace_is_told_the_remedy(tools: Path, tmp_path: Path) -> None:
    add(tools, "apt-get", "echo 'http://mirror.invalid/debian/|bookworm|Debian'")
    add(tools, "unshare", "exit 1")
    done = run(tools, tmp_path / "cache")
    assert done.returncode == 1
    assert "no mount namespace can be made" in done.stderr
    assert "CAP_SYS_ADMIN" in done.stderr
    assert not (tmp_path / "cache").exists()


def test_mirror_that_does_not_answer_leaves_nothing(tools: Path, tmp_path: Path) -> None:
    answer = "case \"$*\" in *indextargets*) echo 'http://mirror.invalid/debian/|bookworm|Debian';;"
    add(tools, "apt-get", f"{answer} *) echo 'E: no route' >&2; exit 100;; esac")
    add(tools, "unshare", "exit 0")
    done = run(tools, tmp_path / "cache")
    assert done.returncode == 1
    assert "E: no route" in done.stderr
    assert "the package lists could not be fetched" in done.stderr
    assert os.listdir(tmp_path / "cache") == []
