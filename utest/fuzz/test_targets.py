"""Every fuzz target over its corpus and some thousand mutations, the same every time.

The fuzzer itself, with more time: ``python -m reliability.fuzz TARGET --seconds N``.
"""

from __future__ import annotations

import resource

import pytest

from reliability.fuzz.mutation import mutations
from reliability.fuzz.targets import CORPUS, TARGETS, corpus, load
from reliability.fuzz.trial import Finding, attempt

SEED = 20261123
# So many that all of them together take seconds; an input of some takes milliseconds.
COUNTS = dict.fromkeys(TARGETS, 2000) | {"agent-replies": 1000, "qmp": 500, "options": 150}
MOST_MEMORY_KIB = 256 * 1024
MOST_CORPUS_BYTES = 1024 * 1024


@pytest.mark.fault(11, 64)
@pytest.mark.parametrize("name", TARGETS)
def test_every_input_is_answered_or_refused(name: str) -> None:
    target, begin = load(name), corpus(name)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found: dict[str, Finding] = {}
    for data in [*begin, *mutations(begin, SEED, COUNTS[name])]:
        if finding := attempt(target, data):
            found.setdefault(finding.place, finding)
    texts = [f"{finding.data!r}\n{finding.text}" for finding in found.values()]
    assert not texts, "\n\n".join(texts)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < MOST_MEMORY_KIB


def test_the_corpora_are_those_of_the_targets_and_small() -> None:
    assert sorted(path.name for path in CORPUS.iterdir()) == sorted(TARGETS)
    sizes = [path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()]
    assert sum(sizes) < MOST_CORPUS_BYTES
