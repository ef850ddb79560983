"""What is installed is what the documents say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from DtsVirtLibrary.cli.package_checks import known_debian_packages

ROOT = Path(__file__).resolve().parents[2]
DEPENDENCIES = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8")
DOCUMENTS = sorted((ROOT / "docs").glob("*.md"))
SETUP = (ROOT / "setup.py").read_text(encoding="utf-8")
CONSTRAINTS = (ROOT / "constraints.txt").read_text(encoding="utf-8")


def required() -> dict[str, str]:
    """Return the floor of each required Python package, as setup.py says."""
    block = SETUP[SETUP.index("install_requires") : SETUP.index("extras_require")]
    return dict(re.findall(r'"([\w.-]+)>=([\d.]+)"', block))


def extras() -> list[str]:
    block = SETUP[SETUP.index("extras_require") : SETUP.index("entry_points")]
    # The extras' own names stand before a colon.
    return re.findall(r'"([\w.-]+)"(?!:)', block)


@pytest.mark.parametrize("name", sorted(required()))
def test_each_required_package_is_explained(name: str) -> None:
    assert f"| {name} |" in DEPENDENCIES


@pytest.mark.parametrize("name", extras())
def test_each_package_of_an_extra_is_explained(name: str) -> None:
    assert re.search(rf"\b{re.escape(name)}\b", DEPENDENCIES)


@pytest.mark.parametrize("name", [*sorted(required()), *extras()])
def test_each_package_is_pinned_at_or_above_its_floor(name: str) -> None:
    pinned = re.search(rf"^{re.escape(name)}==([\d.]+)", CONSTRAINTS, re.MULTILINE | re.IGNORECASE)
    assert pinned, f"{name} is not in constraints.txt"
    assert numbers(pinned[1]) >= numbers(required().get(name, "0"))


def numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


@pytest.mark.parametrize("package", list(known_debian_packages()), ids=lambda row: row.name)
def test_each_debian_package_is_explained(package: object) -> None:
    name, need, reason = package  # type: ignore[misc]
    assert need in ("vm", "guest", "test")
    row = next(line for line in DEPENDENCIES.splitlines() if line.startswith(f"| {name} |"))
    assert row.replace("`", "").rstrip(" |").endswith(reason)


def test_the_readme_names_only_keywords_that_there_are() -> None:
    from DtsVirtLibrary import DtsVirtLibrary  # it needs Robot Framework

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme[readme.index("## Keywords") : readme.index("## Configuration")]
    named = set(re.findall(r"`([A-Z][^`]+)`", table))
    assert len(named) > 30
    assert named - set(DtsVirtLibrary().get_keyword_names()) == set()


@pytest.mark.parametrize("document", ["README.md", *(f"docs/{p.name}" for p in DOCUMENTS)])
def test_links_lead_somewhere(document: str) -> None:
    path = ROOT / document
    links = re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []
