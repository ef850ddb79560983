"""Times that are none are refused by every keyword that takes one, before it does anything."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from DtsVirtLibrary import DtsVirtLibrary
from DtsVirtLibrary.errors import ConfigError
from DtsVirtLibrary.keywords.times import require_some_time

LIBRARY = DtsVirtLibrary()
NEGATIVE = timedelta(seconds=-1)
TIMED = sorted(
    (keyword, argument)
    for keyword in LIBRARY.get_keyword_names()
    for argument, kinds in LIBRARY.get_keyword_types(keyword).items()
    if "timedelta" in str(kinds) and argument != "return"
)


def test_many_keywords_take_a_time() -> None:
    assert len(TIMED) > 20


@pytest.mark.parametrize(("keyword", "argument"), TIMED)
def test_a_negative_time_is_refused_first(
    keyword: str, argument: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*given: Any, **named: Any) -> None:
        raise AssertionError("the keyword was run")

    monkeypatch.setitem(LIBRARY.keywords, keyword, never)
    with pytest.raises(ConfigError, match=f"^{argument} is -1 s, and no time is negative"):
        LIBRARY.run_keyword(keyword, ["vm0"], {argument: NEGATIVE})


@pytest.mark.parametrize(
    "argument", ["start_timeout", "stop_timeout", "agent_timeout", "monitor_timeout"]
)
def test_the_import_refuses_it_too(argument: str) -> None:
    with pytest.raises(ConfigError, match=f"^{argument} is -1 s"):
        DtsVirtLibrary(**{argument: NEGATIVE})


def test_a_time_in_which_nothing_can_be() -> None:
    assert require_some_time("timeout", timedelta(milliseconds=1)) == 0.001
    with pytest.raises(ConfigError, match=r"^timeout is 0 s, in which nothing can start"):
        require_some_time("timeout", timedelta(0))
