"""Each fault of reliability/faults.yaml is shown by a test, or says why it is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from DtsVirtLibrary import errors
from reliability.faults import PAGE, ROOT, Fault, Proof, find_tests, page, read_faults

FAULTS = read_faults()
TESTS = find_tests()
SHOWN = {number for test in TESTS for number in test.faults}
ROBOT = """\
*** Settings ***
Test Tags    fault-1

*** Test Cases ***
One
    [Tags]    fault-12    other
    No Operation
"""
PYTHON = """\
import pytest
TABLE = [pytest.param(1, marks=pytest.mark.fault(4))]
CASES = {"a": TABLE}
@pytest.mark.fault(2, 3)
@pytest.mark.parametrize("case", CASES)
async def test_it(case): ...
def test_other(): ...
"""


def test_all_are_there() -> None:
    assert [fault.number for fault in FAULTS] == list(range(1, 79))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.number)
def test_a_fault_is_shown_or_says_why_not(fault: Fault) -> None:
    assert fault.number in SHOWN or fault.untested or fault.open


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.number)
def test_its_errors_are_the_librarys(fault: Fault) -> None:
    assert [name for name in fault.errors if not hasattr(errors, name)] == []


@pytest.mark.parametrize("test", TESTS, ids=lambda test: test.name)
def test_it_names_faults_that_there_are(test: Proof) -> None:
    assert sorted(test.faults - {fault.number for fault in FAULTS}) == []


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(FAULTS, TESTS), (
        "run `python -m reliability.faults` and commit docs/faults.md"
    )


@pytest.mark.parametrize(
    "fault", [fault for fault in FAULTS if not fault.untested], ids=lambda fault: fault.number
)
def test_its_tests_look_at_the_classes_of_its_errors(fault: Fault) -> None:
    """And not at their texts alone, which another class could have."""
    paths = {test.path for test in TESTS if fault.number in test.faults}
    words = {
        word for path in paths for word in re.findall(r"\w+", (ROOT / path).read_text("utf-8"))
    }
    assert [name for name in fault.errors if name not in words] == []


def test_tests_are_found_by_tag_and_by_marker(tmp_path: Path) -> None:
    (tmp_path / "atest").mkdir()
    (tmp_path / "atest/a.robot").write_text(ROBOT, encoding="utf-8")
    (tmp_path / "utest").mkdir()
    (tmp_path / "utest/test_a.py").write_text(PYTHON, encoding="utf-8")
    found = {(test.path, test.name): set(test.faults) for test in find_tests(tmp_path)}
    assert found == {
        ("atest/a.robot", "One"): {1, 12},
        ("utest/test_a.py", "test_it"): {2, 3, 4},
    }
