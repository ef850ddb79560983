"""What errors show: enough to act on, and no more than a report has room for."""

from __future__ import annotations

import pytest
from robot.utils import cut_long_message

from DtsVirtLibrary.errors import DtsVirtError, Evidence, describe_exit, nearest


def error(**evidence: object) -> DtsVirtError:
    return DtsVirtError("VM 'vm0': it failed.", Evidence(**evidence))  # type: ignore[arg-type]


def test_the_first_line_is_whole_in_itself() -> None:
    assert str(error()) == "VM 'vm0': it failed."


def test_what_was_found_follows() -> None:
    text = str(
        error(
            stage="waiting",
            waited=1.26,
            exit_code=-9,
            facts=["A fact."],
            stderr_tail="last words\n",
            serial_tail="console\n",
            argv=["qemu", "a b"],
        )
    )
    assert text.splitlines() == [
        "VM 'vm0': it failed.",
        "Stage: waiting",
        "Waited: 1.3 s",
        "Process ended: signal SIGKILL (9)",
        "A fact.",
        "QEMU's stderr, last lines:",
        "    last words",
        "Serial console, last lines:",
        "    console",
        "Command line: qemu 'a b'",
    ]


def test_a_command_line_that_is_kept_as_a_file_is_not_shown() -> None:
    found = error(argv=["qemu"], artifacts="/out/vms/vm0/start-1")
    assert "Command line" not in str(found)
    assert str(found).endswith("Artifacts: /out/vms/vm0/start-1")
    assert "Command line: qemu\n" in found.whole_text()


@pytest.mark.parametrize("width", [10, 77, 78, 300])
def test_long_tails_fit_into_a_report(width: int) -> None:
    lines = [f"{number:04d}" + "x" * (width - 4) for number in range(1000)]
    found = error(
        stage="waiting for the guest agent",
        waited=120.0,
        exit_code=1,
        facts=["Stages reached: process started 0.03 s, QMP answered 0.10 s, CPUs started 0.12 s"],
        stderr_tail="\n".join(lines),
        serial_tail="\n".join(lines),
        argv=["qemu", *lines],
        artifacts="/results/vms/vm0/start-1",
    )
    assert cut_long_message(str(found)) == str(found), "Robot Framework leaves it whole"
    assert str(found).count("    0999") == 2, "the last lines are there"
    assert lines[0] in found.whole_text()


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (0, "exit code 0"),
        (1, "exit code 1"),
        (-9, "signal SIGKILL (9)"),
        (-99, "signal unknown (99)"),
    ],
)
def test_how_a_process_ended(code: int, text: str) -> None:
    assert describe_exit(code) == text


def test_the_nearest_name_is_offered() -> None:
    assert nearest("modle", ["model", "number"]) == " Did you mean 'model'?"
    assert nearest("zzz", ["model", "number"]) == ""
