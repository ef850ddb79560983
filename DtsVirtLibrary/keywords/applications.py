"""Keywords for console applications, on the host and in guests alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from robot.api import logger
from robot.api.deco import keyword

from DtsVirtLibrary.errors import ApplicationDied, ApplicationError, describe_exit

if TYPE_CHECKING:
    from DtsVirtLibrary.keywords.context import LibraryContext

PROMPT_TIMEOUT = timedelta(seconds=30)
# Longer output is in the transcript; in the log it would only be in the way.
LOGGED_CHARACTERS = 20_000


class ApplicationKeywords:
    """Programs that are talked to on a terminal: testpmd, ovs-vswitchd, a shell.

    An application belongs to the test or suite that started it and ends with it; it never
    outlives the run, however the run ended.
    """

    def __init__(self, context: LibraryContext) -> None:
        self._context = context

    @keyword(name="Start Application", tags=("Application",))
    def start_application(
        self,
        name: str,
        command: str,
        *,
        prompt: str | None = None,
        vm: str | None = None,
        timeout: timedelta = PROMPT_TIMEOUT,
    ) -> str:
        """Starts a program on a terminal and returns what it prints up to its prompt.

        It runs on the host, or with ``vm`` in that guest, over the SSH connection of
        `Start VM`. ``command`` is a program and its arguments, quoted as in a shell; no
        shell sees it (write ``sh -c '...'`` for one). ``prompt`` is what it prints when it
        waits for a command: plain text, or a regular expression after ``REGEXP:``. Without
        a prompt the keyword returns at once. Fails, and ends the program, if no prompt
        comes within ``timeout``; fails at once if the program ends instead.

        | `Start Application` | shell | /bin/sh | prompt=REGEXP:[#$] $ |
        | `Start Application` | testpmd | dpdk-testpmd -- -i | prompt=testpmd> | vm=vm0 | timeout=1 min |
        """  # noqa: E501 - a table row is one line
        consoles = self._context.consoles
        application = consoles.start(name, command, vm, prompt)
        self._context.application_scopes.started(name)
        if prompt is None:
            return ""
        try:
            with self._explained(name):
                text = application.await_prompt(None, timeout.total_seconds(), "after its start")
        except BaseException:
            application.kill()
            raise
        _log_output(text)
        return text.strip("\n")

    @keyword(name="Send To Application", tags=("Application",))
    def send_to_application(
        self,
        name: str,
        text: str,
        *,
        prompt: str | None = None,
        timeout: timedelta = PROMPT_TIMEOUT,
    ) -> str:
        """Types a line and returns what the application answers, up to its prompt.

        The answer is without the line itself and the prompt. ``prompt`` is another prompt
        than that of `Start Application`, for this line only; with ``prompt=${EMPTY}`` the
        keyword does not wait and returns nothing. Fails with the last lines if no prompt
        comes within ``timeout``, and at once if the application ends.

        | ${answer} = | `Send To Application` | testpmd | show port stats all |
        | `Send To Application` | testpmd | start tx_first | timeout=10 s |
        """
        application = self._context.consoles.get(name)
        with self._explained(name):
            if prompt == "":
                application.type(text)
                return ""
            answer = application.send(text, prompt, timeout.total_seconds())
        _log_output(answer)
        return answer

    @keyword(name="Read Application Output", tags=("Application", "Getter"))
    def read_application_output(self, name: str) -> str:
        """Returns at once what the application printed since it was last asked.

        | ${printed} = | `Read Application Output` | testpmd |
        """
        text = self._context.consoles.get(name).read()
        _log_output(text)
        return text

    @keyword(name="Wait Until Application Prints", tags=("Application", "Wait"))
    def wait_until_application_prints(
        self,
        name: str,
        text: str | None = None,
        *,
        regexp: str | None = None,
        timeout: timedelta = PROMPT_TIMEOUT,
    ) -> str:
        """Waits until the application prints ``text``, and returns all up to it.

        What it printed since it was last asked counts too. Instead of ``text`` a regular
        expression can be given as ``regexp``. Fails with the last lines if it does not
        come within ``timeout``, and at once if the application ends.

        | `Wait Until Application Prints` | testpmd | link state change event |
        | `Wait Until Application Prints` | ovs | regexp=bridge br-int: added interface .* | timeout=1 min |
        """  # noqa: E501 - a table row is one line
        application = self._context.consoles.get(name)
        with self._explained(name):
            found = application.wait_until(text, regexp, timeout.total_seconds())
        _log_output(found)
        return found

    @keyword(name="Application Should Be Running", tags=("Application", "Assertion"))
    def application_should_be_running(self, name: str) -> None:
        """Fails if the application has ended; the failure tells how, with its last lines.

        | `Application Should Be Running` | testpmd |
        """
        with self._explained(name):
            self._context.consoles.get(name).require_running()

    @keyword(name="Stop Application", tags=("Application",))
    def stop_application(
        self,
        name: str,
        command: str | None = None,
        *,
        timeout: timedelta = timedelta(seconds=10),
    ) -> int | None:
        """Ends an application and returns its exit code; one that has ended is fine.

        ``command`` is typed to end it, such as ``quit``, and has ``timeout`` to work; then,
        or without it, the application is ended by SIGTERM, at last by SIGKILL. A guest's
        terminal knows ^C and hanging up instead. Warns if the command did not work or the
        application had ended by itself with an exit code other than 0. The transcript is
        linked. The exit code is negative for a signal, and None where it is not known.

        | `Stop Application` | testpmd | quit |
        """
        consoles = self._context.consoles
        application = consoles.get(name)
        was_running = application.running
        way = application.stop(command, timeout.total_seconds())
        consoles.keep(name)
        code = application.exit_code
        if was_running:
            message = f"Application '{name}' was ended by {way}; {_exit(code)}."
            as_wanted = command is None or way == f"'{command}'"
        else:
            message = f"Application '{name}' had ended already; {_exit(code)}."
            as_wanted = code == 0
        (logger.info if as_wanted else logger.warn)(message)
        return code

    @keyword(name="Kill Application", tags=("Application",))
    def kill_application(self, name: str) -> None:
        """Ends an application at once by SIGKILL, as if it had crashed, and waits for its end.

        In a guest its terminal is hung up instead. The transcript is linked.

        | `Kill Application` | ovs-vswitchd |
        """
        consoles = self._context.consoles
        consoles.get(name).kill(wait=True)
        consoles.keep(name)

    @contextmanager
    def _explained(self, name: str) -> Iterator[None]:
        """Keep the transcript where something fails, and say if it is the VM that ended."""
        try:
            yield
        except ApplicationError as error:
            self._context.consoles.keep(name)
            if isinstance(error, ApplicationDied):
                self._context.consoles.explain(name)
            raise


def _exit(code: int | None) -> str:
    return "its exit code is not known" if code is None else describe_exit(code)


def _log_output(text: str) -> None:
    """Log what an application printed; of very much the middle is left out."""
    if len(text) > LOGGED_CHARACTERS:
        half = LOGGED_CHARACTERS // 2
        dropped = len(text) - 2 * half
        text = f"{text[:half]}\n[... {dropped} characters, see the transcript ...]\n{text[-half:]}"
    logger.info(text)
