"""What Libdoc shows: every keyword, typed and with examples that would run."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest
from robot.api import TestSuite as Suite
from robot.libdocpkg import LibraryDocumentation
from robot.libdocpkg.model import KeywordDoc

from DtsVirtLibrary import results
from utest.keywords.specification import GOLDEN, specification

LIBRARY = LibraryDocumentation("DtsVirtLibrary")
KEYWORDS: list[KeywordDoc] = list(LIBRARY.keywords)
SETTINGS = (
    "*** Settings ***\nLibrary    DtsVirtLibrary\nLibrary    SSHLibrary\nLibrary    Process\n"
)

ROOT = Path(__file__).resolve().parents[2]
SUITES = [
    (path.name, suite)
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    for suite in re.findall(r"^```robotframework\n(.*?)^```", path.read_text("utf-8"), re.M | re.S)
    if suite.startswith("*** Settings ***")
]
# What helps nobody who writes a test.
UNTOLD = {"growth"}

# SSHLibrary and paramiko use what newer versions of Python and cryptography deprecate.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
every_keyword = pytest.mark.parametrize("keyword", KEYWORDS, ids=lambda keyword: keyword.name)


def rows(documentation: str) -> list[str]:
    """Return the rows of the tables in a documentation, as lines of a test."""
    found = re.findall(r"^\| (.*) \|$", documentation, re.MULTILINE)
    return ["    ".join(row.replace("`", "").split(" | ")) for row in found]


def problems_of(suite: str, directory: Path) -> list[str]:
    """Run a suite dry and return what is wrong with it."""
    result = Suite.from_string(suite).run(
        dryrun=True, output=None, log=None, report=None, console="none", outputdir=directory
    )
    problems = [str(message) for message in result.errors]
    return problems + [test.message for test in result.suite.all_tests if not test.passed]


def test_the_specification_is_the_reviewed_one() -> None:
    written = GOLDEN.read_text(encoding="utf-8")
    advice = "If this change is wanted: python -m utest.keywords.specification"
    assert specification() == written, advice


@every_keyword
def test_every_example_would_run(keyword: KeywordDoc, tmp_path: Path) -> None:
    lines = rows(keyword.doc)
    assert any(keyword.name in line for line in lines), "an example uses the keyword"
    body = "\n".join(f"    {line}" for line in lines)
    suite = f"{SETTINGS}*** Test Cases ***\nExample\n    No Operation\n{body}\n"
    assert problems_of(suite, tmp_path) == []


@every_keyword
def test_what_is_returned_is_told(keyword: KeywordDoc) -> None:
    told = keyword.doc
    for name in re.findall(r"`([A-Z][^`]+)`", keyword.doc):
        told += "".join(other.doc for other in KEYWORDS if other.name == name)
    for kind in returned(keyword):
        fields = {item.name for item in dataclasses.fields(kind)}
        assert {name for name in fields if not re.search(rf"\b{name}\b", told)} <= UNTOLD


def returned(keyword: KeywordDoc) -> list[type]:
    """Return the classes of this library that a keyword returns, also within others."""
    names = re.findall(r"\w+", str(keyword.args.return_type))
    kinds = [getattr(results, name) for name in names if hasattr(results, name)]
    return [kind for kind in kinds if dataclasses.is_dataclass(kind)]


def test_keywords_return_objects_of_this_library() -> None:
    kinds = {kind for keyword in KEYWORDS for kind in returned(keyword)}
    assert {results.VmInfo, results.GuestSession, results.TemplateInfo} <= kinds


@pytest.mark.parametrize(("document", "suite"), SUITES)
def test_the_suites_of_the_documents_would_run(document: str, suite: str, tmp_path: Path) -> None:
    assert problems_of(suite, tmp_path) == []


def test_the_documents_have_suites() -> None:
    assert {document for document, _ in SUITES} >= {"README.md", "warm_start.md", "guest.md"}


def test_the_example_of_the_introduction_would_run(tmp_path: Path) -> None:
    lines = re.findall(r"^\|(?: (.*))?$", LIBRARY.doc, re.MULTILINE)
    suite = "\n".join(lines).replace("*****", "***")
    assert suite.startswith("*** Settings ***")
    assert problems_of(suite, tmp_path) == []


def test_the_example_of_the_import_would_run(tmp_path: Path) -> None:
    settings = "\n".join(rows(LIBRARY.inits[0].doc))
    assert settings.startswith("Library    DtsVirtLibrary    accelerator=tcg")
    suite = f"*** Settings ***\n{settings}\n*** Test Cases ***\nExample\n    Stop All VMs\n"
    assert problems_of(suite, tmp_path) == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Stat VM    vm0", "No keyword with name 'Stat VM' found."),
        ("Start VM", "expected 1 non-named argument, got 0"),
        ("Start VM    vm0    until=ssh", "expected 1 non-named argument, got 2"),
        ("Start VM    vm0    wait_for=coffee", "coffee"),
    ],
)
def test_a_wrong_example_is_seen(line: str, expected: str, tmp_path: Path) -> None:
    suite = f"{SETTINGS}*** Test Cases ***\nExample\n    {line}\n"
    assert re.search(expected, "\n".join(problems_of(suite, tmp_path)))


@every_keyword
def test_every_argument_is_typed(keyword: KeywordDoc) -> None:
    untyped = [item.name for item in keyword.args if item.type is None and item.name]
    assert untyped == []


@every_keyword
def test_every_keyword_says_what_it_returns(keyword: KeywordDoc) -> None:
    assert keyword.args.return_type is not None


@every_keyword
def test_every_keyword_has_a_sentence_and_a_tag(keyword: KeywordDoc) -> None:
    assert re.fullmatch(r"[A-Z].*[.;:]", keyword.short_doc)
    assert list(keyword.tags)


@every_keyword
def test_the_vm_comes_first(keyword: KeywordDoc) -> None:
    if "VM" in keyword.tags and keyword.args.positional:
        assert keyword.args.positional[0] in ("vm", "name", "path", "binary")


@pytest.mark.parametrize("name", ["DtsVirtLibrary", "DtsVirtLibrary.traffic"])
def test_the_page_shows_the_documentation_and_not_its_markup(name: str) -> None:
    page = (ROOT / f"docs/{name}.html").read_text(encoding="utf-8")
    shown = json.loads(
        re.findall(r"^libdoc = (\{.*\})", page, re.MULTILINE)[0].replace("\\x3c", "<")
    )
    assert "<h2" in shown["doc"]
    for item in [shown, *shown["inits"], *shown["keywords"]]:
        without_code = re.sub(r"<(pre|code)[ >].*?</\1>", "", item["doc"], flags=re.DOTALL)
        assert "``" not in without_code
        assert not re.search(r"^\|", without_code, re.MULTILINE)
