"""Whatever lies in the package is installed with it."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from DtsVirtLibrary.version import VERSION

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "DtsVirtLibrary"


def packages_below(where: str) -> list[str]:
    """Return what setuptools.find_packages returns."""
    top = ROOT / where
    inside = [path.parent.relative_to(top) for path in top.rglob("__init__.py")]
    return [".".join(path.parts) for path in inside if path.parts]


@pytest.fixture
def arguments(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What setup.py tells setuptools."""
    told: dict[str, Any] = {}
    module = ModuleType("setuptools")
    module.setup = told.update  # type: ignore[attr-defined]
    module.find_packages = packages_below  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "setuptools", module)
    runpy.run_path(str(ROOT / "setup.py"))
    return told


def test_every_file_of_the_package_is_installed(arguments: dict[str, Any]) -> None:
    installed = set()
    for package in arguments["packages"]:
        directory = ROOT / package.replace(".", "/")
        installed.update(directory.glob("*.py"))
        for pattern in arguments["package_data"].get(package, ()):
            installed.update(directory.glob(pattern))
    files = {path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert files - installed == set()


def test_the_version_is_the_library_s(arguments: dict[str, Any]) -> None:
    assert arguments["version"] == VERSION


def test_the_command_is_installed(arguments: dict[str, Any]) -> None:
    script = "dtsvirt = DtsVirtLibrary.cli.main:main"
    assert arguments["entry_points"] == {"console_scripts": [script]}
