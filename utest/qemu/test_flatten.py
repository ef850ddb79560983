"""One overlay that holds all that a chain of them holds."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from DtsVirtLibrary.qemu.command_line.storage import flatten_commands
from DtsVirtLibrary.spec import Disk

SIZE = 1 << 20


def run(*argv: str | Path) -> str:
    return subprocess.run(
        list(map(str, argv)), check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def overlay(path: Path, backing: Path, kind: str, at: int, byte: str) -> Path:
    """Make an overlay that has 64 KiB of its own."""
    run("qemu-img", "create", "-q", "-f", "qcow2", "-F", kind, "-b", backing, path)
    run("qemu-io", "-f", "qcow2", "-c", f"write -P {byte} {at} 64k", path)
    return path


@pytest.mark.parametrize("kind", ["raw", "qcow2"])
def test_what_every_overlay_of_the_chain_holds_is_there(tmp_path: Path, kind: str) -> None:
    base = tmp_path / "base"
    run("qemu-img", "create", "-q", "-f", kind, base, str(SIZE))
    run("qemu-io", "-f", kind, "-c", f"write -P 1 0 {SIZE}", base)
    template = overlay(tmp_path / "template.qcow2", base, kind, 65536, "2")
    clone = overlay(tmp_path / "clone.qcow2", template, "qcow2", 131072, "3")
    target = tmp_path / "target.qcow2"
    for command in flatten_commands(
        "qemu-img", Disk(str(base), kind), str(base), str(clone), str(target)
    ):
        run(*command)
    for path in (clone, template):
        path.unlink()
    info = json.loads(run("qemu-img", "info", "--output=json", target))
    assert info["backing-filename"] == str(base)
    assert info["backing-filename-format"] == kind
    for at, byte in enumerate((1, 2, 3, 1)):
        said = run("qemu-io", "-f", "qcow2", "-c", f"read -P {byte} {at * 65536} 64k", target)
        assert "read 65536/65536" in said
        assert "Pattern verification failed" not in said
    mapped = json.loads(run("qemu-img", "map", "--output=json", target))
    assert sum(part["length"] for part in mapped if part["depth"] == 0) == 2 * 65536
