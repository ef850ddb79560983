"""The traffic library as Robot Framework sees it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from robot.libdocpkg import LibraryDocumentation
from robot.libdocpkg.model import KeywordDoc

from DtsVirtLibrary.errors import ConfigError
from DtsVirtLibrary.traffic.library import TrafficLibrary
from utest.keywords.test_documentation import problems_of, rows

LIBRARY = LibraryDocumentation("DtsVirtLibrary.traffic")
KEYWORDS: list[KeywordDoc] = list(LIBRARY.keywords)
SETTINGS = "*** Settings ***\nLibrary    DtsVirtLibrary.traffic\n"
every_keyword = pytest.mark.parametrize("keyword", KEYWORDS, ids=lambda keyword: keyword.name)


def test_it_is_found_under_its_name() -> None:
    assert LIBRARY.name == "DtsVirtLibrary.traffic"
    assert LIBRARY.scope == "GLOBAL"
    assert len(KEYWORDS) >= 15


@every_keyword
def test_every_example_would_run(keyword: KeywordDoc, tmp_path: object) -> None:
    lines = rows(keyword.doc)
    assert any(keyword.name in line for line in lines), "an example uses the keyword"
    body = "\n".join(f"    {line}" for line in lines)
    suite = f"{SETTINGS}*** Test Cases ***\nExample\n    No Operation\n{body}\n"
    assert problems_of(suite, tmp_path) == []  # type: ignore[arg-type]


@every_keyword
def test_every_argument_is_typed(keyword: KeywordDoc) -> None:
    untyped = [item.name for item in keyword.args if item.type is None and item.name]
    assert untyped == []
    assert keyword.args.return_type is not None


def test_bytes_that_are_none_are_refused_where_they_are_written() -> None:
    with pytest.raises(ConfigError, match="payload 'hex:0g' is no bytes: after hex: come two"):
        TrafficLibrary().create_udp_packet("hex:0g")


def test_importing_it_loads_no_scapy() -> None:
    script = (
        "import sys; from DtsVirtLibrary.traffic.library import TrafficLibrary; "
        "TrafficLibrary(); print('scapy' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "False"


def test_the_agent_loads_no_robot_framework() -> None:
    script = "import sys, DtsVirtLibrary.traffic.agent; print('robot' in sys.modules)"
    argv = [sys.executable, "-W", "ignore", "-c", script]
    assert subprocess.check_output(argv, text=True).strip() == "False"
