"""Importing the library is cheap: every run, every dry run and every editor does it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

REPORT = """
import json, sys, threading
import robot.api, robot.libraries.BuiltIn, robotlibcore
before = set(sys.modules)
from DtsVirtLibrary import DtsVirtLibrary
DtsVirtLibrary(accelerator="tcg")
children = open("/proc/thread-self/children").read().split()
print(json.dumps({
    "modules": sorted(set(sys.modules) - before),
    "threads": threading.active_count(),
    "children": children,
}))
"""
HEAVY = ("SSHLibrary", "paramiko", "yaml", "qemu", "pexpect", "subprocess", "ssl", "html")
# The rooms below the keywords, but for what keyword signatures name.
OWN = ("assembly", "spec", "config", "host", "qemu", "vm", "guest")


@pytest.fixture(scope="module")
def report() -> dict[str, list[str] | int]:
    """Import the library in an interpreter of its own, beside Robot Framework alone."""
    done = subprocess.run(
        [sys.executable, "-c", REPORT], capture_output=True, text=True, check=True, timeout=60
    )
    found: dict[str, list[str] | int] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", [*HEAVY, *(f"DtsVirtLibrary.{room}" for room in OWN)])
def test_no_heavy_module_is_loaded(report: dict[str, list[str]], name: str) -> None:
    assert not [item for item in report["modules"] if f"{item}.".startswith(f"{name}.")]


def test_nothing_is_started(report: dict[str, list[str] | int]) -> None:
    assert report["threads"] == 1
    assert report["children"] == []
