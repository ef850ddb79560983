"""What the log shows of throughput."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from DtsVirtLibrary.traffic.chart import throughput_html, throughput_text
from DtsVirtLibrary.traffic.tester import Throughput

RESULTS = [
    Throughput(frame_size=114, sent=1000, received=750, send_rate=2000.0, receive_rate=1500.0),
    Throughput(frame_size=1450, sent=1000, received=0, send_rate=1000.0, receive_rate=0.0),
]


def test_table_in_text() -> None:
    lines = throughput_text(RESULTS).splitlines()
    assert lines[0].split("  ")[0].strip() == "frame size"
    assert lines[1].split() == ["114", "B", "1000", "750", "25.0%", "2000", "1500", "1.37"]
    assert "100.0%" in lines[2]


def test_chart_has_a_bar_in_proportion_for_each() -> None:
    html = throughput_html(RESULTS)
    svg = ElementTree.fromstring(html[html.index("<svg") :])
    bars = [float(item.get("width", "")) for item in svg.iter("{http://www.w3.org/2000/svg}rect")]
    assert bars == [420.0, 315.0, 210.0, 0.0]


def test_nothing_measured_is_no_error() -> None:
    assert "<table" in throughput_html([])
    assert throughput_text([]).startswith("frame size")
