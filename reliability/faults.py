"""The faults that the project knows, and the tests that show what becomes of each.

``python -m reliability.faults`` writes docs/faults.md. The rows stand in faults.yaml beside
this file. A test says which rows it shows: one for Robot Framework by tags (``fault-12``),
one for pytest by a marker (``@pytest.mark.fault(12, 13)``), which may stand at a parameter of
the test or in a table of the module that the test is parametrized with.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from robot.api import TestSuite, TestSuiteBuilder

ROOT = Path(__file__).resolve().parent.parent
ROWS = Path(__file__).with_name("faults.yaml")
PAGE = ROOT / "docs/faults.md"
ROBOT_DIRECTORIES = ("atest", "suites")
TAG = re.compile(r"fault-(\d+)")
HEAD = """\
# Faults

What can go wrong, what the library makes of it, and the tests that show it. An error is a class
of `DtsVirtLibrary/errors.py`; a dash means that nothing fails. "clean" means: no process, socket,
pid file, port, huge page, tap, lock or overlay of ours is left, and the report is whole. Written
by `python -m reliability.faults` from `reliability/faults.yaml` and the tests.

| # | Fault | Errors | Their text holds | State that is left | Shown by |
|--:|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Fault:
    """A row of faults.yaml; ``untested`` is the reason why no test shows it."""

    number: int
    fault: str
    errors: tuple[str, ...]
    text: str
    state: str
    note: str = ""
    untested: str = ""
    open: bool = False


@dataclass(frozen=True, order=True)
class Proof:
    """A test and the numbers of the faults that it shows; ``path`` is relative to the root."""

    path: str
    name: str
    faults: frozenset[int] = field(compare=False)


def read_faults(path: Path = ROWS) -> list[Fault]:
    """Return the rows in the order of their numbers."""
    rows = yaml.safe_load(path.read_text(encoding="utf-8"))
    faults = [Fault(**{**row, "errors": tuple(row["errors"])}) for row in rows]
    return sorted(faults, key=lambda fault: fault.number)


def find_tests(root: Path = ROOT) -> list[Proof]:
    """Return every test below `root` that names a fault."""
    found = [*_robot_tests(root), *_pytest_tests(root)]
    return sorted(test for test in found if test.faults)


def page(faults: Iterable[Fault], tests: Iterable[Proof]) -> str:
    """Return the text of docs/faults.md."""
    known = list(tests)
    return HEAD + "".join(
        _table_row(fault, [test for test in known if fault.number in test.faults])
        for fault in faults
    )


def _table_row(fault: Fault, tests: Iterable[Proof]) -> str:
    state = f"{fault.state}. ({fault.note}.)" if fault.note else fault.state
    cells = [
        str(fault.number),
        fault.fault,
        ", ".join(f"`{name}`" for name in fault.errors) or "-",
        fault.text or "-",
        state,
        _shown_by(fault, tests),
    ]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def _shown_by(fault: Fault, tests: Iterable[Proof]) -> str:
    shown = [f"[{test.name}](../{test.path})" for test in tests]
    if fault.untested:
        shown.append(f"Untested: {fault.untested}.")
    if fault.open:
        shown.append("(open)")
    return "<br>".join(shown)


def _robot_tests(root: Path) -> Iterator[Proof]:
    directories = [root / name for name in ROBOT_DIRECTORIES if (root / name).is_dir()]
    if directories:
        yield from _tests_of(TestSuiteBuilder().build(*directories), root)


def _tests_of(suite: TestSuite, root: Path) -> Iterator[Proof]:
    for child in suite.suites:
        yield from _tests_of(child, root)
    for test in suite.tests:
        tags = [TAG.fullmatch(tag) for tag in test.tags]
        numbers = frozenset(int(tag[1]) for tag in tags if tag)
        yield Proof(Path(test.source).relative_to(root).as_posix(), test.name, numbers)


def _pytest_tests(root: Path) -> Iterator[Proof]:
    for path in (root / "utest").rglob("test_*.py"):
        module = ast.parse(path.read_text(encoding="utf-8"))
        tables = dict(_module_values(module))
        for node in ast.walk(module):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                numbers = frozenset(_marked(node.decorator_list, tables))
                yield Proof(path.relative_to(root).as_posix(), node.name, numbers)


def _module_values(module: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Yield the names that the module assigns and what it assigns to them."""
    for node in module.body:
        if isinstance(node, ast.Assign):
            yield from (
                (name.id, node.value) for name in node.targets if isinstance(name, ast.Name)
            )
        elif isinstance(node, ast.AnnAssign) and node.value and isinstance(node.target, ast.Name):
            yield node.target.id, node.value


def _marked(expressions: Iterable[ast.AST], tables: Mapping[str, ast.expr]) -> Iterator[int]:
    """Yield the numbers in the markers of the expressions and of the tables they name."""
    for node in (node for expression in expressions for node in ast.walk(expression)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.fault":
            yield from (int(ast.literal_eval(argument)) for argument in node.args)
        elif isinstance(node, ast.Name) and node.id in tables:
            others = {name: value for name, value in tables.items() if name != node.id}
            yield from _marked([tables[node.id]], others)


if __name__ == "__main__":
    PAGE.write_text(page(read_faults(), find_tests()), encoding="utf-8")
    print(PAGE)
