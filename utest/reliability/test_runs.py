"""What counts as a trace of a run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reliability.runs import Run


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    """Return a store of templates in which another run that lives has a draft."""
    store = tmp_path / "templates"
    (store / ".draft-1111111111111111").mkdir(parents=True)
    return store


@pytest.fixture
def run(tmp_path: Path, templates: Path) -> Iterator[Run]:
    directory = tmp_path / "run"
    directory.mkdir()
    started = Run([sys.executable, "-c", ""], directory, templates)
    yield started
    if directory.exists():
        started.close()


def test_a_draft_from_before_a_run_is_none_of_its_traces(run: Run) -> None:
    assert run.traces() == []


def test_a_draft_that_a_run_forgot_is_a_trace_until_the_close(run: Run, templates: Path) -> None:
    forgotten = templates / ".draft-2222222222222222"
    forgotten.mkdir()
    assert run.traces() == [str(forgotten)]
    run.close()
    assert [path.name for path in templates.iterdir()] == [".draft-1111111111111111"]
