"""The floors of docs/architecture.md hold: nothing imports upwards or in a circle."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "DtsVirtLibrary"
ROW = re.compile(r"^\|(?P<rooms>[^|]*`[^|]+)\|[^|]+\|\s*(?P<floor>\d)\s*\|$", re.MULTILINE)
ROBOT_ROOMS = {"library", "keywords", "traffic"}
# It makes the parts for the keywords, at their first call.
PART_OF = {"assembly": "keywords"}


def floors() -> dict[str, int]:
    """Return the floor of each room, as the table in docs/architecture.md says."""
    table = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    found = {}
    for match in ROW.finditer(table):
        for name in re.findall(r"`(?:DtsVirtLibrary/)?([\w]+)(?:/|\.py)`", match["rooms"]):
            found[name] = int(match["floor"])
    return found


def room_of(path: Path) -> str:
    return _room(path.relative_to(PACKAGE).parts[0].removesuffix(".py"))


def _room(name: str) -> str:
    return PART_OF.get(name, name)


def imports(path: Path) -> Iterator[str]:
    """Yield the absolute name of every module that is imported when `path` runs."""
    package = ["DtsVirtLibrary", *path.relative_to(PACKAGE).parts[:-1]]
    for node in _without_type_checking(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _without_type_checking(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield child
        yield from _without_type_checking(child)


def room_imports() -> dict[str, set[str]]:
    """Return the rooms that each room imports."""
    found: dict[str, set[str]] = {}
    known = floors()
    for path in PACKAGE.rglob("*.py"):
        room = room_of(path)
        names = [name.split(".") for name in imports(path) if name.startswith("DtsVirtLibrary.")]
        found.setdefault(room, set()).update(
            _room(name[1]) for name in names if name[1] in known and _room(name[1]) != room
        )
    return found


def test_every_room_stands_in_the_table() -> None:
    rooms = {room_of(path) for path in PACKAGE.rglob("*.py")} - {"version"}
    assert rooms - set(floors()) == set()


@pytest.mark.parametrize("room", sorted(floors()))
def test_nothing_imports_upwards(room: str) -> None:
    known = floors()
    above = {other for other in room_imports().get(room, ()) if known[other] > known[room]}
    assert above == set(), f"{room} (floor {known[room]}) imports from above: {sorted(above)}"


def test_no_circles_between_rooms() -> None:
    left = room_imports()
    while free := [room for room, wanted in left.items() if not wanted & set(left)]:
        for room in free:
            del left[room]
    assert left == {}, f"rooms that import each other: {left}"


def test_only_libraries_know_robot_framework() -> None:
    knowing = {
        room_of(path)
        for path in PACKAGE.rglob("*.py")
        for name in imports(path)
        if name.split(".")[0] in ("robot", "SSHLibrary", "robotlibcore")
    }
    assert knowing <= ROBOT_ROOMS
