"""What the soak runs, and what it makes of the samples."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from reliability.mix import CLONE, COLD, END_WAYS, PROCESS, plan
from reliability.points import ENDINGS, POINTS
from reliability.soak import slope


@pytest.mark.parametrize("cycles", [20, 1000])
def test_all_kinds_of_start_and_of_end_are_in_the_mix(cycles: int) -> None:
    planned = plan(cycles, random.Random(1))
    assert len(planned) == cycles
    assert {cycle.start for cycle in planned} == {PROCESS, CLONE, COLD}
    assert {cycle.end for cycle in planned} == set(END_WAYS)
    assert any(cycle.with_host for cycle in planned)


def test_a_thousand_cycles_have_each_end_of_each_start() -> None:
    counts = Counter((cycle.start, cycle.end) for cycle in plan(1000, random.Random(1)))
    assert len(counts) == 3 * len(END_WAYS)


def test_the_seed_gives_the_order() -> None:
    first, again, other = (plan(50, random.Random(seed)) for seed in (1, 1, 2))
    assert first == again != other


def test_the_slope_is_that_of_the_line() -> None:
    assert slope([(x, 5 + 3 * x) for x in range(10)]) == pytest.approx(3)
    assert slope([(1, 7), (2, 7)]) == 0
    assert slope([(1, 7)]) == 0


def test_points_have_names_of_their_own() -> None:
    names = [point.name for point in (*POINTS, *ENDINGS)]
    assert len(names) == len(set(names))
    assert len(POINTS) >= 12
