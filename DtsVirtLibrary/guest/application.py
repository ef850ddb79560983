"""A console application that is talked to: a command, an answer, a prompt."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence

from pexpect.exceptions import EOF, TIMEOUT

from DtsVirtLibrary.errors import (
    ApplicationDied,
    ApplicationError,
    ApplicationTimeout,
    ConfigError,
    Evidence,
    describe_exit,
)
from DtsVirtLibrary.guest.programs import Program

REGEXP = "REGEXP:"
# Characters at the end of the output that a regular expression for a prompt is tried on:
# searching all of a long output again for each piece of it would take for ever.
PROMPT_WINDOW = 4096
LAST_LINES = 20
# How long an application may take to end after SIGTERM, and after SIGKILL.
TERMINATE_GRACE = 5.0
KILL_GRACE = 5.0


class Application:
    """A program with a name, and what is known of its prompt.

    All methods may be called from any one thread; they wait, and can be interrupted.

    :ivar place: where it runs, for messages: ``localhost`` or ``VM 'vm0'``.
    :ivar prompt: what it prints when it waits for a command: plain text, or a regular
        expression after ``REGEXP:``. None if it takes no commands.
    """

    def __init__(
        self, name: str, command: str, program: Program, place: str, prompt: str | None
    ) -> None:
        self.name = name
        self.command = command
        self.place = place
        self.prompt = prompt
        self._program = program

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return not self._program.screen.ended

    @property
    def exit_code(self) -> int | None:
        """Exit code (negative: signal); None while it runs, or where it is not known."""
        return self._program.exit_code

    def transcript(self) -> str:
        """Return all that it printed."""
        return self._program.screen.text()

    def await_prompt(self, prompt: str | None, seconds: float, action: str) -> str:
        """Return what it prints up to its prompt, without the prompt.

        :param prompt: None for the application's own.
        :raises ConfigError: no prompt is known, or it is no regular expression.
        :raises ApplicationTimeout: no prompt came in time.
        :raises ApplicationDied: it ended instead.
        """
        wanted = self._prompt(prompt)
        regular = wanted.removeprefix(REGEXP) if wanted.startswith(REGEXP) else None
        return self._expect(
            wanted if regular is None else _compiled(regular),
            f"the prompt '{regular or wanted}'",
            seconds,
            action,
            window=PROMPT_WINDOW,
        )[0]

    def send(self, text: str, prompt: str | None, seconds: float) -> str:
        """Type a line and return what it answers, without the echo and the prompt.

        What it had printed before is not part of the answer.

        :raises ConfigError: no prompt is known, or it is no regular expression.
        :raises ApplicationTimeout: no prompt came in time.
        :raises ApplicationDied: it has ended, or ended instead.
        """
        self._prompt(prompt)
        self.type(text)
        answer = self.await_prompt(prompt, seconds, f"after '{text}'")
        # The blank after the former prompt may come as late as the echo.
        echoed = answer.lstrip(" ")
        return (echoed.removeprefix(text) if echoed.startswith(text) else answer).strip("\n")

    def type(self, text: str) -> None:
        """Type a line and do not wait; what it had printed before is passed over.

        :raises ApplicationDied: it has ended.
        """
        self.require_running(f"and takes no '{text}' any more")
        self._program.screen.take()
        self._program.type(f"{text}\n".encode())

    def require_running(self, instead: str = "while it was to run on") -> None:
        """Check that it has not ended.

        :raises ApplicationDied: it has.
        """
        if not self.running:
            raise self._died(instead)

    def read(self) -> str:
        """Return what it has printed since it was last asked for, at once."""
        return self._program.screen.take()

    def wait_until(self, text: str | None, regexp: str | None, seconds: float) -> str:
        """Return what it prints up to and with `text`, or what `regexp` matches.

        :raises ConfigError: not just one of both was given, or it is no regular expression.
        :raises ApplicationTimeout: it did not print that in time.
        :raises ApplicationDied: it ended instead.
        """
        if text is not None and regexp is None:
            wanted: str | re.Pattern[str] = text
        elif regexp is not None and text is None:
            wanted = _compiled(regexp)
        else:
            raise ConfigError("Say what is waited for: either a text, or regexp=...")
        before, found = self._expect(wanted, f"'{text or regexp}'", seconds, "while waiting", None)
        return before + found

    def stop(self, command: str | None, seconds: float) -> str:
        """End it and return the way that worked: the command, ``SIGTERM``, ``SIGKILL``.

        One that has ended already is fine.

        :param command: what makes it end, such as ``quit``; None for SIGTERM.
        :param seconds: how long the command may take.
        :raises ApplicationError: it cannot be ended.
        """
        if not self.running:
            return "nothing: it had ended already"
        if command is not None:
            self._program.type(f"{command}\n".encode())
            if self._ends_within(seconds):
                return f"'{command}'"
        for number, grace in ((signal.SIGTERM, TERMINATE_GRACE), (signal.SIGKILL, KILL_GRACE)):
            self._program.signal(number)
            if self._ends_within(grace):
                return number.name
        raise self._immortal()

    def kill(self, *, wait: bool = False) -> None:
        """End it at once.

        :param wait: until it has ended.
        :raises ApplicationError: it has not, though it was waited for.
        """
        self._program.close()
        if wait and not self._ends_within(KILL_GRACE):
            raise self._immortal()

    @property
    def _who(self) -> str:
        return f"Application '{self.name}' ({self.place})"

    def _prompt(self, prompt: str | None) -> str:
        wanted = self.prompt if prompt is None else prompt
        if not wanted:
            raise ConfigError(
                f"{self._who} was started without a prompt, so nothing tells when its answer is "
                "whole. Give prompt=... here or to 'Start Application'."
            )
        return wanted

    def _expect(
        self,
        wanted: str | re.Pattern[str],
        what: str,
        seconds: float,
        action: str,
        window: int | None,
    ) -> tuple[str, str]:
        """Return what came before, and what matched."""
        screen = self._program.screen
        try:
            if isinstance(wanted, str):
                screen.expect_exact(wanted, timeout=seconds)
            else:
                screen.expect(wanted, timeout=seconds, searchwindowsize=window)
        except TIMEOUT as error:
            raise ApplicationTimeout(
                f"{self._who} did not print {what} within {seconds:g} s {action}.",
                Evidence(facts=self._last_lines()),
            ) from error
        except EOF as error:
            raise self._died(f"instead of printing {what} {action}") from error
        return screen.before, screen.after

    def _died(self, instead: str) -> ApplicationDied:
        code = self.exit_code
        how = "no exit code known" if code is None else describe_exit(code)
        return ApplicationDied(
            f"{self._who} has ended ({how}) {instead}.",
            Evidence(exit_code=code, facts=[*self._last_lines(), f"Command: {self.command}"]),
        )

    def _immortal(self) -> ApplicationError:
        return ApplicationError(
            f"{self._who} cannot be ended, even by SIGKILL.", Evidence(facts=self._last_lines())
        )

    def _last_lines(self) -> Sequence[str]:
        lines = self._program.screen.last_lines(LAST_LINES)
        return ["Last lines that it printed:", *(f"    {line}" for line in lines)] if lines else []

    def _ends_within(self, seconds: float) -> bool:
        return self._program.screen.wait_until_ended(seconds)


def _compiled(regexp: str) -> re.Pattern[str]:
    try:
        return re.compile(regexp, re.MULTILINE)
    except re.error as error:
        raise ConfigError(f"'{regexp}' is no regular expression: {error}.") from error
