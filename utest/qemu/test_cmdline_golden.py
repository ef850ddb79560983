"""Every case's command line against its reviewed text in ``golden/``.

``NAME.args`` holds for both recorded QEMUs unless there is a ``NAME.qemu-10.0.args``. After
a change on purpose: ``DTSVIRT_REGENERATE=1 pytest utest/qemu/test_cmdline_golden.py``, then
read the difference.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from DtsVirtLibrary.qemu.binary.facts import BinaryFacts, from_json
from DtsVirtLibrary.qemu.command_line.build import CommandLine, command_line
from DtsVirtLibrary.qemu.command_line.placement import Descriptor, Placement
from utest.qemu.cases import Case, cases

HERE = Path(__file__).parent
GOLDEN = HERE / "golden"
VERSIONS = ("7.2", "10.0")
REGENERATE = "DTSVIRT_REGENERATE" in os.environ
CASES = {case.name: case for case in cases()}


def recorded(version: str) -> BinaryFacts:
    """Return what QEMU of this version said of itself when it was recorded."""
    return from_json((HERE / "facts" / f"qemu-{version}.json").read_text())


FACTS = {version: recorded(version) for version in VERSIONS}


def as_text(line: CommandLine) -> str:
    """Return the notes and the options, one a line."""
    notes = [f"# {note}" for note in line.notes]
    options = [shlex.join(option.words) for option in line.options]
    return "\n".join([*notes, line.binary, *options]) + "\n"


def made(case: Case, version: str) -> str:
    """Return the command line of a case as text."""
    placement = Placement(
        "/run/vm0", Descriptor(10), Descriptor(11), taps=case.taps, append="quiet"
    )
    return as_text(command_line(case.spec, FACTS[version], case.host, placement))


@pytest.mark.parametrize("name", CASES)
def test_command_line_is_the_reviewed_one(name: str) -> None:
    texts = {version: made(CASES[name], version) for version in VERSIONS}
    first, second = GOLDEN / f"{name}.args", GOLDEN / f"{name}.qemu-10.0.args"
    if REGENERATE:
        first.write_text(texts["7.2"])
        second.unlink(missing_ok=True)
        if texts["10.0"] != texts["7.2"]:
            second.write_text(texts["10.0"])
    assert texts["7.2"] == first.read_text()
    assert texts["10.0"] == (second if second.exists() else first).read_text()


def test_every_golden_file_has_its_case() -> None:
    written = {
        path.name.removesuffix(".args").removesuffix(".qemu-10.0") for path in GOLDEN.iterdir()
    }
    assert written == set(CASES)


def test_names_of_cases_are_distinct() -> None:
    assert len(CASES) == len(cases()) >= 80
