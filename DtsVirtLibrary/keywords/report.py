"""What log.html shows of a VM: the stages of a start, and links to the artifacts."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from DtsVirtLibrary.results import Stage

BAR_PIXELS = 240
COLOUR = "#5a8fc7"
FAILED_COLOUR = "#ce3e01"
# Where pabot lets its workers write, each below a number, or below that of an argument file.
PABOT_DIRECTORY = "pabot_results"


def start_report(
    vm: str,
    stages: Sequence[Stage],
    directory: Path,
    files: Sequence[str],
    log_directory: Path,
    *,
    failed: bool = False,
) -> str:
    """Return HTML: a small table of the start's stages and links to the artifacts.

    :param failed: the last stage is the one at which the start was given up.
    """
    rows = "".join(_rows(stages, failed))
    return (
        f"<b>{escape(vm)}</b>: {links(directory, files, log_directory)}"
        f"<table style='border-collapse:collapse'>{rows}</table>"
    )


def picture_html(picture: bytes, title: str) -> str:
    """Return HTML that shows a PNG picture, embedded so that it survives a merge of logs."""
    data = base64.b64encode(picture).decode("ascii")
    return f'<img alt="{escape(title)}" title="{escape(title)}" src="data:image/png;base64,{data}">'


def _rows(stages: Sequence[Stage], failed: bool) -> list[str]:
    total = max((stage.at for stage in stages), default=0.0) or 1.0
    rows = []
    previous = 0.0
    for stage in stages:
        left = round(BAR_PIXELS * previous / total)
        width = max(1, round(BAR_PIXELS * (stage.at - previous) / total))
        colour = FAILED_COLOUR if failed and stage is stages[-1] else COLOUR
        rows.append(
            f"<tr><td>{escape(stage.name)}</td>"
            f"<td style='text-align:right;padding:0 1em'>{stage.at:.2f} s</td>"
            f"<td><div style='margin-left:{left}px;width:{width}px;height:.7em;"
            f"background:{colour}'></div></td></tr>"
        )
        previous = stage.at
    return rows


def links(directory: Path, files: Sequence[str], log_directory: Path) -> str:
    """Return HTML: relative links to files of a directory.

    They hold in the log that pabot merges, too.
    """
    base, end = _relative(directory, log_directory)
    return " ".join(
        f'<a href="{escape(quote(f"{base}/{name}"))}{end}">{escape(name)}</a>' for name in files
    )


def _relative(directory: Path, log_directory: Path) -> tuple[str, str]:
    """Return the way from the log to a directory, and what ends a link on it.

    pabot's workers write below its own directory, and the merged log lies above that: pabot
    takes one ``../../`` off each link. With ``--artifacts`` it also puts the worker's number
    before the name at a link's end; the empty fragment keeps the name, so that of the file there.
    """
    for place in (log_directory.parent, log_directory.parent.parent):
        if place.name == PABOT_DIRECTORY:
            way = os.path.relpath(directory, place.parent)
            return f"../../{Path(way).as_posix()}", "#"
    return Path(os.path.relpath(directory, log_directory)).as_posix(), ""
