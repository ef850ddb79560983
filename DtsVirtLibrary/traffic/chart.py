"""What log.html shows of throughput: a table and a small chart."""

from __future__ import annotations

from collections.abc import Sequence

from DtsVirtLibrary.traffic.tester import Throughput

BAR_HEIGHT, GAP, LEFT, WIDTH = 18, 8, 90, 420
SENT, RECEIVED = "#d5dde6", "#5a8fc7"
HEADINGS = ("frame size", "sent", "received", "lost", "sent/s", "received/s", "Mbit/s received")


def throughput_html(results: Sequence[Throughput]) -> str:
    """Return HTML: a table of the results, and a bar for each with its rates."""
    return f"{_table(results)}{_chart(results)}"


def throughput_text(results: Sequence[Throughput]) -> str:
    """Return the table as text, for consoles."""
    rows = [HEADINGS, *(_cells(result) for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True))
        for row in rows
    )


def _cells(result: Throughput) -> tuple[str, ...]:
    bits = result.receive_rate * result.frame_size * 8
    return (
        f"{result.frame_size} B",
        f"{result.sent}",
        f"{result.received}",
        f"{result.loss:.1%}",
        f"{result.send_rate:.0f}",
        f"{result.receive_rate:.0f}",
        f"{bits / 1e6:.2f}",
    )


def _table(results: Sequence[Throughput]) -> str:
    style = "style='text-align:right;padding:0 .7em'"
    head = "".join(f"<th {style}>{heading}</th>" for heading in HEADINGS)
    rows = (
        "<tr>" + "".join(f"<td {style}>{cell}</td>" for cell in _cells(result)) + "</tr>"
        for result in results
    )
    return f"<table style='border-collapse:collapse'><tr>{head}</tr>{''.join(rows)}</table>"


def _chart(results: Sequence[Throughput]) -> str:
    most = max((max(one.send_rate, one.receive_rate) for one in results), default=0.0) or 1.0
    height = len(results) * (BAR_HEIGHT + GAP) + GAP
    parts = [_bars(result, index, most) for index, result in enumerate(results)]
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{LEFT + WIDTH + 110}' height='{height}' "
        "font-family='sans-serif' font-size='12' role='img'>"
        "<title>frames a second: sent (pale) and received</title>" + "".join(parts) + "</svg>"
    )


def _bars(result: Throughput, index: int, most: float) -> str:
    top = GAP + index * (BAR_HEIGHT + GAP)
    base = top + BAR_HEIGHT - 5
    sent, received = (
        round(WIDTH * rate / most, 1) for rate in (result.send_rate, result.receive_rate)
    )
    return (
        f"<text x='{LEFT - 8}' y='{base}' text-anchor='end'>{result.frame_size} B</text>"
        f"<rect x='{LEFT}' y='{top}' width='{sent}' height='{BAR_HEIGHT}' fill='{SENT}'/>"
        f"<rect x='{LEFT}' y='{top + 4}' width='{received}' height='{BAR_HEIGHT - 8}' "
        f"fill='{RECEIVED}'/>"
        f"<text x='{LEFT + WIDTH + 8}' y='{base}'>{result.receive_rate:.0f}/s</text>"
    )
