"""Console applications: real programs of this machine, on a real terminal."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from DtsVirtLibrary.errors import (
    ApplicationDied,
    ApplicationTimeout,
    CommandError,
    ConfigError,
)
from DtsVirtLibrary.guest.application import Application
from DtsVirtLibrary.guest.programs import HostProgram
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.loop import LoopThread

# Only a hang takes as long.
PATIENCE = 30.0
# It answers each line, and ends at "quit" with exit code 7.
TALKER = r"""
printf 'welcome\nready> '
while read -r line; do
    [ "$line" != quit ] || exit 7
    printf 'you said %s\nready> ' "$line"
done
"""
CATCHER = "trap 'echo interrupted' INT; echo ready; while :; do sleep 0.1; done"
Starter = Callable[..., Application]


@pytest.fixture
def start() -> Iterator[Starter]:
    """Return what starts an application; all are ended after the test."""
    loop, host = LoopThread(), LocalHost()

    def starter(*argv: str, prompt: str | None = None) -> Application:
        async def run() -> HostProgram:
            return await HostProgram.start(host, argv, None)

        return Application("app", " ".join(argv), loop.run(run()), "localhost", prompt)

    yield starter
    loop.run(host.close())
    loop.close()


@pytest.fixture
def talker(start: Starter) -> Application:
    application = start("/bin/sh", "-c", TALKER, prompt="ready>")
    assert application.await_prompt(None, PATIENCE, "after its start") == "welcome\n"
    return application


def test_answer_is_without_echo_and_prompt(talker: Application) -> None:
    assert talker.send("one", None, PATIENCE) == "you said one"
    assert talker.send("two words", None, PATIENCE) == "you said two words"


def test_answer_is_without_what_was_printed_before(talker: Application) -> None:
    talker.type("early")
    talker.wait_until("ready>", None, PATIENCE)
    talker.type("late")
    assert "early" not in talker.send("now", "REGEXP:said now\nready>", PATIENCE)


def test_other_prompt_for_one_line(talker: Application) -> None:
    assert talker.send("x", "said", PATIENCE) == "you "
    assert talker.wait_until("ready>", None, PATIENCE) == " x\nready>"


@pytest.mark.parametrize("prompt", ["REGEXP:read[xyz]>", "REGEXP:^ready> ?$"])
def test_prompt_by_regular_expression(talker: Application, prompt: str) -> None:
    assert talker.send("x", prompt, PATIENCE).endswith("said x")


def test_missing_prompt_is_told_with_the_last_lines(talker: Application) -> None:
    with pytest.raises(ApplicationTimeout) as caught:
        talker.send("hello", "never>", 0.3)
    text = str(caught.value)
    assert text.splitlines()[0] == (
        "Application 'app' (localhost) did not print the prompt 'never>' within 0.3 s "
        "after 'hello'."
    )
    assert "    you said hello" in text


def test_death_is_noticed_at_once_with_its_exit_code(talker: Application) -> None:
    start_time = time.monotonic()
    with pytest.raises(ApplicationDied, match=re.escape("has ended (exit code 7)")) as caught:
        talker.send("quit", None, 600)
    assert time.monotonic() - start_time < PATIENCE
    assert caught.value.evidence.exit_code == 7
    assert not talker.running


def test_dead_application_takes_no_command(talker: Application) -> None:
    talker.stop("quit", PATIENCE)
    with pytest.raises(ApplicationDied, match="takes no 'hello' any more"):
        talker.send("hello", None, PATIENCE)
    with pytest.raises(ApplicationDied, match="exit code 7"):
        talker.require_running()


def test_last_words_of_one_that_dies_at_once_are_told(start: Starter) -> None:
    application = start("/bin/sh", "-c", "echo no hugepages; exit 1", prompt="ready>")
    with pytest.raises(ApplicationDied, match="exit code 1") as caught:
        application.await_prompt(None, PATIENCE, "after its start")
    assert "    no hugepages" in str(caught.value)


def test_program_that_is_not_there(start: Starter) -> None:
    with pytest.raises(CommandError, match="/bin/nothing-here"):
        start("/bin/nothing-here")


def test_no_prompt_is_known(start: Starter) -> None:
    application = start("cat")
    with pytest.raises(ConfigError, match=re.escape("prompt=...")):
        application.send("x", None, PATIENCE)


def test_wrong_regular_expression_is_told(start: Starter) -> None:
    application = start("cat", prompt="REGEXP:(")
    with pytest.raises(ConfigError, match="is no regular expression"):
        application.send("x", None, PATIENCE)


def test_wait_needs_one_of_both(start: Starter) -> None:
    application = start("cat")
    for text, regexp in ((None, None), ("a", "b")):
        with pytest.raises(ConfigError, match="either a text, or regexp"):
            application.wait_until(text, regexp, PATIENCE)


def test_waiting_for_what_it_prints(start: Starter) -> None:
    application = start("/bin/sh", "-c", "echo first; echo port 12 is up; echo last; cat")
    assert application.wait_until("first", None, PATIENCE) == "first"
    assert application.wait_until(None, r"port \d+ is up", PATIENCE) == "\nport 12 is up"
    assert application.wait_until("last", None, PATIENCE) == "\nlast"


def test_much_output_up_to_the_prompt(start: Starter) -> None:
    lines = 100_000
    script = f"yes {'x' * 98} | head -n {lines}; printf 'ready> '; cat"
    application = start("/bin/sh", "-c", script, prompt="ready>")
    text = application.await_prompt(None, 2 * PATIENCE, "after its start")
    assert len(text) == 99 * lines


def test_nobody_has_to_read(start: Starter, tmp_path: Path) -> None:
    """A terminal holds some kilobytes: a program that nobody read would stand still."""
    witness = tmp_path / "witness"
    application = start("/bin/sh", "-c", f"yes | head -c 1000000; echo >{witness}; echo ended")
    application.wait_until("ended", None, PATIENCE)
    assert witness.exists()


def test_terminal_controls_the_program(start: Starter) -> None:
    application = start("/bin/sh", "-c", CATCHER)
    application.wait_until("ready", None, PATIENCE)
    application.type("\x03")
    application.wait_until("interrupted", None, PATIENCE)


def test_terminal_is_wide_and_without_colours(start: Starter) -> None:
    application = start("/bin/sh", "-c", "stty size; echo TERM=$TERM; cat")
    text = application.wait_until(None, "TERM=.*$", PATIENCE)
    assert text.splitlines() == ["50 1000", "TERM=dumb"]


def test_stop_by_command(talker: Application) -> None:
    assert talker.stop("quit", PATIENCE) == "'quit'"
    assert talker.exit_code == 7
    assert talker.stop("quit", PATIENCE) == "nothing: it had ended already"


def test_stop_without_a_command(start: Starter) -> None:
    application = start("sleep", "1000")
    assert application.stop(None, 0) == "SIGTERM"
    assert application.exit_code == -15


def test_command_that_does_not_end_it(talker: Application) -> None:
    assert talker.stop("hello", 0.3) == "SIGTERM"


def test_stubborn_application_is_killed(start: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("DtsVirtLibrary.guest.application.TERMINATE_GRACE", 0.3)
    application = start("/bin/sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done")
    application.wait_until("ready", None, PATIENCE)
    assert application.stop(None, 0) == "SIGKILL"


def test_kill_as_in_a_crash(talker: Application) -> None:
    talker.kill(wait=True)
    assert talker.exit_code == -9


def test_transcript_has_all(talker: Application) -> None:
    talker.send("one", None, PATIENCE)
    talker.stop("quit", PATIENCE)
    assert talker.transcript() == "welcome\nready> one\nyou said one\nready> quit\n"
