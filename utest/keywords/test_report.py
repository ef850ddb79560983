"""What log.html shows of a start."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from DtsVirtLibrary.keywords.report import links, picture_html, start_report
from DtsVirtLibrary.results import Stage

OUTPUT = Path("/results")
STAGES = (Stage("process started", 0.5), Stage("agent answered", 2.0))


def report(*, failed: bool = False, directory: Path = OUTPUT / "vms/vm0/start-1") -> str:
    return start_report("vm0", STAGES, directory, ["serial.log"], OUTPUT, failed=failed)


def bars(html: str) -> list[tuple[int, int]]:
    """Return the left edge and the width of each bar."""
    found = re.findall(r"margin-left:(\d+)px;width:(\d+)px", html)
    return [(int(left), int(width)) for left, width in found]


def test_each_stage_has_a_row_with_its_time_and_a_bar_behind_the_one_before() -> None:
    html = report()
    assert re.findall(r"<tr><td>([^<]*)</td><td[^>]*>([^<]*)</td>", html) == [
        ("process started", "0.50 s"),
        ("agent answered", "2.00 s"),
    ]
    assert bars(html) == [(0, 60), (60, 180)]


def test_where_a_start_was_given_up_is_marked() -> None:
    colours = re.findall(r"background:(#\w+)", report(failed=True))
    assert colours[0] == re.findall(r"background:(#\w+)", report())[-1]
    assert colours[0] != colours[1]


def test_links_are_relative_to_the_log() -> None:
    assert '<a href="vms/vm0/start-1/serial.log">serial.log</a>' in report()
    elsewhere = report(directory=Path("/elsewhere/a b/start-1"))
    assert 'href="../elsewhere/a%20b/start-1/serial.log"' in elsewhere


@pytest.mark.parametrize("worker", ["0", "1/0"])
def test_links_hold_where_pabot_puts_the_log_together(worker: str) -> None:
    output = OUTPUT / "pabot_results" / worker
    html = links(output / "vms/vm0", ["serial.log"], output)
    # It takes that off.
    assert html == f'<a href="../../pabot_results/{worker}/vms/vm0/serial.log#">serial.log</a>'


def test_a_start_without_stages_is_a_table_without_rows() -> None:
    html = start_report("vm0", (), OUTPUT, [], OUTPUT)
    assert "<tr>" not in html


def test_names_are_text_and_not_markup() -> None:
    html = start_report("<b>", (Stage("<i>", 1.0),), OUTPUT, ["<u>"], OUTPUT)
    assert "<i>" not in html
    assert "<u>" not in html
    assert html.startswith("<b>&lt;b&gt;</b>")


def test_a_picture_is_in_the_log_itself() -> None:
    html = picture_html(b"\x89PNG", "Display of 'vm0'")
    assert 'src="data:image/png;base64,iVBORw=="' in html
    assert "Display of &#x27;vm0&#x27;" in html
