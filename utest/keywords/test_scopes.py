"""What belongs to which test or suite."""

from __future__ import annotations

import pytest

from DtsVirtLibrary.keywords.scopes import Scopes
from DtsVirtLibrary.keywords.settings import ClosingScope


def in_suite(closing: ClosingScope) -> Scopes:
    scopes = Scopes(closing)
    scopes.enter("s1", is_test=False)
    return scopes


def in_test(closing: ClosingScope) -> Scopes:
    scopes = in_suite(closing)
    scopes.enter("s1-t1", is_test=True)
    return scopes


def used(scopes: Scopes, name: str) -> None:
    scopes.created(name)
    scopes.started(name)


@pytest.mark.parametrize(
    ("closing", "after_test", "after_suite"),
    [
        (ClosingScope.AUTO, (["vm0"], ["vm0"]), ([], [])),
        (ClosingScope.SUITE, ([], []), (["vm0"], ["vm0"])),
        (ClosingScope.RUN, ([], []), ([], [])),
        (ClosingScope.KEEP, ([], []), ([], [])),
    ],
)
def test_a_vm_of_a_test(
    closing: ClosingScope,
    after_test: tuple[list[str], list[str]],
    after_suite: tuple[list[str], list[str]],
) -> None:
    scopes = in_test(closing)
    used(scopes, "vm0")
    assert scopes.leave() == after_test
    assert scopes.leave() == after_suite


@pytest.mark.parametrize("closing", [ClosingScope.AUTO, ClosingScope.SUITE])
def test_a_vm_of_a_suite_setup_outlives_the_tests(closing: ClosingScope) -> None:
    scopes = in_suite(closing)
    used(scopes, "vm0")
    for _ in range(2):
        scopes.enter("s1-t1", is_test=True)
        assert scopes.leave() == ([], [])
    assert scopes.leave() == (["vm0"], ["vm0"])


def test_a_vm_belongs_to_where_it_was_started_last() -> None:
    scopes = in_suite(ClosingScope.AUTO)
    used(scopes, "vm0")
    scopes.enter("s1-t1", is_test=True)
    scopes.started("vm0")
    assert scopes.leave() == (["vm0"], []), "stopped, but its name stays the suite's"
    assert scopes.leave() == ([], ["vm0"])


def test_inner_suites_keep_to_themselves() -> None:
    scopes = in_suite(ClosingScope.AUTO)
    used(scopes, "outer")
    scopes.enter("s1-s1", is_test=False)
    used(scopes, "inner")
    assert scopes.leave() == (["inner"], ["inner"])
    assert scopes.leave() == (["outer"], ["outer"])


def test_an_end_without_a_beginning_is_not_the_end_of_what_is_around_it() -> None:
    scopes = in_suite(ClosingScope.AUTO)
    assert not scopes.is_current("s1-t1")
    assert scopes.is_current("s1")
    assert not Scopes(ClosingScope.AUTO).is_current("s1")


def test_the_depth_counts_suites_and_tests() -> None:
    scopes = in_test(ClosingScope.AUTO)
    assert scopes.depth == 2
    scopes.leave()
    assert scopes.depth == 1
