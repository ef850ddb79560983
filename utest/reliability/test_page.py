"""docs/reliability.md shows the figures that are committed, and says what they do not reach."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reliability.figures import RESULTS, load, store
from reliability.fuzz.figures import Figure, forget, write
from reliability.fuzz.targets import TARGETS
from reliability.kill_matrix import joined
from reliability.page import BEGIN, END, NOT_RUN, PAGE, renewed, verdicts

ROW = {"name": "here", "title": "it is here", "seconds": [0.1, 0.3], "qemu": [0.0, 0.07]}
HELD = {"first": 7, "last": 7, "least": 7, "most": 8}
SOAK: dict[str, Any] = {
    "cycles": 1000,
    "mix": {"process": 990, "cold": 10},
    "ends": {"stop": 500, "kill": 500},
    "seconds": {"process": 0.5, "cold": 9.0},
    "flat": {"descriptors": HELD},
    "memory": {"memory": {"first": 60000, "last": 60100, "per_cycle": 0.1}},
    "left_at_the_end": [],
    "exit_code": 0,
}


def kill(**changes: Any) -> dict[str, Any]:
    return {"limit": 2.0, "lanes": 1, "points": [{**ROW, "unclean": [], **changes}]}


def soak(**changes: Any) -> dict[str, Any]:
    return {**SOAK, **changes}


def parallel(**changes: Any) -> dict[str, Any]:
    return {"pabot": {"vms": 16, "seconds": 9.5, "failures": [], "left": [], **changes}}


def stored(directory: Path, part: str, figures: dict[str, Any]) -> Any:
    store(directory, part, 1, 90.0, figures)
    return load(directory, part)


def test_the_page_is_what_its_figures_give() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert renewed(text, RESULTS) == text


@pytest.mark.parametrize("part", ["kill", "soak"])
def test_the_committed_figures_reach_their_goals(part: str) -> None:
    assert verdicts(part, load(RESULTS, part)) == []


def test_writing_twice_changes_nothing_and_keeps_the_prose(tmp_path: Path) -> None:
    for part, figures in (("kill", kill()), ("soak", soak()), ("parallel", parallel())):
        store(tmp_path, part, 1, 90.0, figures)
    once = renewed(f"before\n{BEGIN}old{END}\nafter\n", tmp_path)
    assert renewed(once, tmp_path) == once
    assert once.startswith("before\n")
    assert once.endswith("\nafter\n")
    assert "| it is here | 2 | 2 | 1 | 70 ms, 70 ms | 200 ms, 300 ms |" in once
    assert "2 of 2 rounds" in once
    assert "| descriptors | 7 | 7 | 7 to 8 |" in once
    assert "| 8 pabot workers, the same suite and names | 16 | 9.5 s | 0 | 0 |" in once
    assert once.count(NOT_RUN) == 1
    assert "seed 1, 2 minutes on" in once


def test_fuzz_figures_are_read_as_they_are(tmp_path: Path) -> None:
    item = {"target": "cfg", "executions": 1234567, "seconds": 3600, "crashes": 0}
    found = [{**item, "seed": 3, "date": "2026-11-23"}]
    (tmp_path / "fuzz.json").write_text(json.dumps(found))
    assert "| cfg | 1,234,567 | 1.0 h | 0 | 3 | 2026-11-23 |" in renewed(BEGIN + END, tmp_path)


def test_findings_and_targets_that_did_not_run_to_their_end_are_told(tmp_path: Path) -> None:
    path = tmp_path / "fuzz.json"
    for target in TARGETS:
        write(path, Figure(target, 3600.0, 7, 0, 3, "2026-11-23"))
    assert verdicts("fuzz", load(tmp_path, "fuzz")) == []
    write(path, Figure("cfg", 3600.0, 7, 2, 3, "2026-11-23"))
    forget(path, "yaml")
    assert verdicts("fuzz", load(tmp_path, "fuzz")) == [
        "fuzz target cfg has findings",
        "fuzz target yaml was not run to its end",
    ]


UNCLEAN = {"round": 2, "left": ["process 7: sh"], "harm": ["the witness does not answer"]}


@pytest.mark.parametrize(
    ("part", "figures", "missed"),
    [
        ("kill", kill(), ""),
        ("kill", kill(unclean=[UNCLEAN]), "process 7: sh; the witness does not answer"),
        ("soak", soak(), ""),
        ("soak", soak(flat={"threads": {**HELD, "last": 8}}), "threads went from 7 to 8"),
        ("soak", soak(memory={"memory": {**HELD, "per_cycle": 2.5}}), "memory grew by 2.4 MiB"),
        ("soak", soak(cycles=20, flat={"threads": {**HELD, "last": 8}}), ""),
        ("soak", soak(cycles=20, flat={"sockets": {**HELD, "last": 8}}), "sockets went from"),
        ("soak", soak(cycles=20, memory={"memory": {**HELD, "per_cycle": 250}}), ""),
        ("soak", soak(exit_code=1), "a cycle failed"),
        ("soak", soak(left_at_the_end=["process 8: qemu"]), "process 8: qemu"),
        ("parallel", parallel(), ""),
        ("parallel", parallel(failures=["Pairs: no port"]), "Pairs: no port"),
        ("parallel", parallel(left=["interface tap-1"]), "interface tap-1"),
    ],
)
def test_what_is_not_reached_is_said(
    tmp_path: Path, part: str, figures: dict[str, Any], missed: str
) -> None:
    found = verdicts(part, stored(tmp_path, part, figures))
    assert len(found) == bool(missed)
    assert missed in "".join(found)


def test_rows_that_were_measured_anew_take_the_place_of_the_old() -> None:
    other = {**ROW, "name": "there"}
    old = {"limit": 2.0, "lanes": 1, "points": [ROW, other]}
    new = {"limit": 2.0, "lanes": 3, "points": [{**ROW, "seconds": [0.2]}, {**ROW, "name": "new"}]}
    rows = joined(old, new)["points"]
    assert [(row["name"], len(row["seconds"])) for row in rows] == [
        ("here", 1),
        ("there", 2),
        ("new", 2),
    ]


def test_a_part_without_figures_is_a_miss() -> None:
    assert verdicts("kill", None) == ["kill has no figures"]
