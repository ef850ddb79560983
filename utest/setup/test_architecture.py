"""The floors of docs/architecture.md hold: nothing imports upwards or in a circle."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "DtsVirtLibrary"
ROW = re.compile(r"^\|(?P<rooms>[^|]*`[^|]+)\|[^|]+\|\s*(?P<floor>\d)\s*\|$", re.MULTILINE)
ROBOT_ROOMS = {"library", "keywords", "traffic"}
# It makes the parts for the keywords, at their first call.
PART_OF = {"assembly": "keywords"}


@dataclass(frozen=True)
class House:
    """A package whose rooms have floors.

    :ivar package: its name; each directory or module in it is a room.
    :ivar heading: of the part of docs/architecture.md that has the table of them.
    """

    package: str
    heading: str

    def __str__(self) -> str:
        return self.package

    def floors(self) -> dict[str, int]:
        """Return the floor of each room, as the table says."""
        text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
        _, _, after = text.partition(f"\n{self.heading}\n")
        found = {}
        for match in ROW.finditer(re.split(r"\n##+ ", after)[0]):
            for name in re.findall(r"`([\w]+)(?:/|\.py)`", match["rooms"]):
                found[name] = int(match["floor"])
        return found

    def room_of(self, path: Path) -> str:
        """Return the room that a file is in."""
        parts = path.relative_to(ROOT / self.package.replace(".", "/")).parts
        return _room(parts[0].removesuffix(".py"))

    def files(self) -> Iterator[Path]:
        """Yield the files of all rooms."""
        return (ROOT / self.package.replace(".", "/")).rglob("*.py")

    def imports(self) -> dict[str, set[str]]:
        """Return the rooms that each room imports."""
        found: dict[str, set[str]] = {}
        known = self.floors()
        prefix = f"{self.package}."
        for path in self.files():
            room = self.room_of(path)
            names = [name for name in imports(path) if name.startswith(prefix)]
            rooms = {_room(name.removeprefix(prefix).split(".")[0]) for name in names}
            found.setdefault(room, set()).update(rooms & set(known) - {room})
        return found


HOUSES = [
    House("DtsVirtLibrary", "## Rooms and floors"),
    House("DtsVirtLibrary.qemu", "### The rooms of `qemu/`"),
]


def _room(name: str) -> str:
    return PART_OF.get(name, name)


@cache
def imports(path: Path) -> Sequence[str]:
    """Return the absolute name of every module that `path` imports, be it for types alone."""
    package = ["DtsVirtLibrary", *path.relative_to(PACKAGE).parts[:-1]]
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found += [module, *(f"{module}.{alias.name}" for alias in node.names)]
    return found


@pytest.mark.parametrize("house", HOUSES, ids=str)
def test_every_room_stands_in_the_table(house: House) -> None:
    rooms = {house.room_of(path) for path in house.files()} - {"version", "__init__"}
    assert rooms == {_room(name) for name in house.floors()} - {"__init__"}


@pytest.mark.parametrize(
    ("house", "room"),
    [(house, room) for house in HOUSES for room in sorted(house.floors())],
    ids=str,
)
def test_nothing_imports_upwards(house: House, room: str) -> None:
    known = house.floors()
    above = {other for other in house.imports().get(room, ()) if known[other] > known[room]}
    assert above == set(), f"{room} (floor {known[room]}) imports from above: {sorted(above)}"


@pytest.mark.parametrize("house", HOUSES, ids=str)
def test_no_circles_between_rooms(house: House) -> None:
    left = house.imports()
    while free := [room for room, wanted in left.items() if not wanted & set(left)]:
        for room in free:
            del left[room]
    assert left == {}, f"rooms that import each other: {left}"


def test_only_libraries_know_robot_framework() -> None:
    whole = HOUSES[0]
    knowing = {
        whole.room_of(path)
        for path in whole.files()
        for name in imports(path)
        if name.split(".")[0] in ("robot", "SSHLibrary", "robotlibcore")
    }
    assert knowing <= ROBOT_ROOMS
