"""What the comparison with peers says of those that fail and of those that do not."""

from __future__ import annotations

from benchmarks.peers.report import Row, table
from benchmarks.peers.sandbox import complaint

FACTS = {"date": "2026-01-01", "machine": "2 CPUs", "qemu": "7.2.22"}
TRACEBACK = """warned
Traceback (most recent call last):
  File "job.py", line 1, in <module>
    run(job)
OSError: no such kernel
Exception ignored in: <function Spawn.__del__>
Traceback (most recent call last):
NameError: name 'open' is not defined
"""


def test_the_first_error_is_what_went_wrong() -> None:
    assert complaint(TRACEBACK, 1) == "OSError: no such kernel"


def test_the_last_line_is_what_went_wrong_where_there_is_no_traceback() -> None:
    assert complaint("one\nunshare: not permitted\n\n", 1) == "unshare: not permitted"


def test_the_exit_code_is_what_is_known_of_a_silent_end() -> None:
    assert complaint("\n", 7) == "exit code 7"


def test_a_row_holds_medians_and_spread_of_parts_and_of_the_whole() -> None:
    samples = [{"ready": ready, "command": 0.5, "stop": 0.25} for ready in (1.0, 3.0, 2.0)]
    row = Row("peer", "SSH", "cold only", samples=samples)
    assert table([row], FACTS).splitlines()[-1] == (
        "| peer | SSH | 2.00 (1.00 to 3.00) | 0.50 (0.50 to 0.50) | 0.25 (0.25 to 0.25) | "
        "2.75 (1.75 to 3.75) | 3 | cold only |"
    )


def test_a_row_without_samples_says_why() -> None:
    row = Row("peer", "SSH", "cold only", problem="did not do the job: OSError")
    assert table([row], FACTS).splitlines()[-1] == (
        "| peer | SSH | - | - | - | - | 0 | did not do the job: OSError; cold only |"
    )


def test_a_part_that_was_not_done_has_no_figure_and_no_whole() -> None:
    row = Row("floor", "guest agent", samples=[{"ready": 1.0}])
    assert "| 1.00 (1.00 to 1.00) | - | - | - | 1 |" in table([row], FACTS)
