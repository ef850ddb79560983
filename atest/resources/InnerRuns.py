"""Runs suites of ``atest/_data`` in a Robot Framework of their own and tells what came of it."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote

from robot.api import ExecutionResult, logger
from robot.api.deco import keyword, library
from robot.result import TestCase

DATA = Path(__file__).resolve().parent.parent / "_data"
ROOT = DATA.parent.parent
LONGEST_RUN = 180.0
POLL_SECONDS = 0.02
LAST_WORDS = b"This guest has nothing more to say.\r\n"


class InnerRun:
    """A robot (or pabot) process on a suite of its own.

    :ivar output: its output directory.
    :ivar runtime: the only directory in which its private ones can be.
    :ivar rc: its exit code once it has ended; negative is a signal.
    :ivar console: what it has written to its console.
    :ivar tests: its tests by name, once it has ended; none if it left no report.
    """

    def __init__(self, argv: list[str], output: Path, environment: dict[str, str]) -> None:
        self.output = output
        self.runtime = Path(tempfile.mkdtemp(prefix="rt", dir="/tmp"))
        self.rc: int | None = None
        self.console = ""
        self.tests: dict[str, TestCase] = {}
        self.took = 0.0
        self._started = time.monotonic()
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            cwd=DATA,
            env={**os.environ, "XDG_RUNTIME_DIR": str(self.runtime), **environment},
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def read_until(self, pattern: str) -> str:
        """Read its console until a line matches, and return the first group or all of it."""
        assert self._process.stdout is not None
        while not (match := re.search(f"{pattern}.*\n", self.console)):
            piece = os.read(self._process.stdout.fileno(), 1 << 16)
            if not piece:
                raise AssertionError(f"It ended without '{pattern}'; it said:\n{self.console}")
            self.console += piece.decode("utf-8", "replace")
        return match[match.re.groups and 1]

    def end(self) -> None:
        """Read its console to the end and take its exit code and tests."""
        try:
            rest, _ = self._process.communicate(timeout=LONGEST_RUN)
        except subprocess.TimeoutExpired as error:
            self._process.kill()
            raise AssertionError(
                f"It has not ended within {LONGEST_RUN:g} s, or something that it started keeps "
                f"its console open; it said:\n{self.console}"
            ) from error
        self.console += rest.decode("utf-8", "replace")
        self.rc = self._process.returncode
        self.took = time.monotonic() - self._started
        report = self.output / "output.xml"
        # One that was killed leaves a report of nothing.
        if self.rc >= 0 and report.exists():
            suite = ExecutionResult(str(report)).suite
            self.tests = {test.name: test for test in suite.all_tests}

    def signal(self, number: int) -> None:
        """Send the runner a signal."""
        self._process.send_signal(number)

    def processes(self) -> list[int]:
        """Return the processes that belong to it and still live, itself left out."""
        return [pid for pid, argv in all_processes() if self._is_ours(argv) and pid != self.pid]

    def _is_ours(self, argv: list[str]) -> bool:
        # QEMU names files in its private directory; its supervisor the runner's number.
        return str(self.pid) in argv or any(f"{self.runtime}/" in word for word in argv)

    def remains(self) -> list[str]:
        """Return what it has left behind: processes and private directories."""
        left = [f"process {pid}" for pid in self.processes()]
        return left + [str(path) for path in self.runtime.iterdir()]


@library(scope="SUITE", auto_keywords=False, listener="SELF")
class InnerRuns:
    """Starts inner runs, and removes what they used at the end of the suite."""

    ROBOT_LISTENER_API_VERSION = 3

    def __init__(self) -> None:
        self._runs: list[InnerRun] = []
        self._listeners: list[socket.socket] = []

    def end_suite(self, data: object, result: object) -> None:
        """Forget the runs of the suite, and end those that a failed test left running."""
        for run in self._runs:
            run._process.kill()
            run._process.wait()
            shutil.rmtree(run.runtime, ignore_errors=True)
        for listener in self._listeners:
            listener.close()
        self._runs.clear()

    @keyword
    def start_inner_run(self, suite: str, *options: str, runner: str = "robot") -> InnerRun:
        """Starts a suite of ``_data``; options are robot's or, named so, pabot's."""
        output = Path(tempfile.mkdtemp(prefix=f"inner-{Path(suite).stem}-", dir=_output_root()))
        argv = [sys.executable, "-m", "pabot.pabot" if runner == "pabot" else "robot"]
        # Of robot's options the last one counts, and pabot wants its own first.
        level = ["--loglevel", "DEBUG"]
        if (warm := _variable("${WARM}")) is not None:
            level += ["--variable", f"WARM:{warm}"]
        argv += [*options, *level] if runner == "pabot" else [*level, *options]
        argv += ["--outputdir", str(output), suite]
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        run = InnerRun(argv, output, {"PYTHONPATH": path})
        self._runs.append(run)
        return run

    @keyword
    def finish_inner_run(self, run: InnerRun) -> InnerRun:
        """Waits until an inner run has ended and returns it with its results."""
        run.end()
        logger.info(f"Exit code {run.rc} after {run.took:.1f} s\n{run.console}")
        if "[ ERROR ]" in run.console:
            raise AssertionError(f"Robot Framework has errors to tell:\n{run.console}")
        return run

    @keyword
    def run_inner_suite(self, suite: str, *options: str, runner: str = "robot") -> InnerRun:
        """Runs a suite of ``_data`` to its end and returns the run with its results."""
        return self.finish_inner_run(self.start_inner_run(suite, *options, runner=runner))

    @keyword
    def wait_for_inner_line(self, run: InnerRun, pattern: str) -> str:
        """Waits for a line on the console of a run and returns what the pattern's group is."""
        return run.read_until(pattern)

    @keyword
    def wait_for_inner_vm(self, run: InnerRun) -> int:
        """Waits until a run has a QEMU process and returns its process id."""
        end = time.monotonic() + LONGEST_RUN
        while time.monotonic() < end:
            for pid, argv in all_processes():
                if "-name" in argv and any(f"{run.runtime}/" in word for word in argv):
                    assert _parent(pid) in run.processes(), "its supervisor is known"
                    return pid
            time.sleep(POLL_SECONDS)
        raise AssertionError(f"No QEMU came up; the run said:\n{run.console}")

    @keyword
    def wait_for_inner_console(self, run: InnerRun, text: str) -> None:
        """Waits until the serial console of a run's VM has shown a text."""
        end = time.monotonic() + LONGEST_RUN
        while time.monotonic() < end:
            for log in run.runtime.glob("*/serial.log"):
                with suppress(OSError):
                    if text in log.read_text(errors="replace"):
                        return
            time.sleep(POLL_SECONDS)
        raise AssertionError(f"The guest never showed '{text}'; the run said:\n{run.console}")

    @keyword
    def links_should_lead_to_files(self, run: InnerRun) -> list[str]:
        """Fails unless all links in the report's messages are relative and lead to a file."""
        report = (run.output / "output.xml").read_text(encoding="utf-8")
        links = [unquote(link) for link in re.findall(r"href=&quot;([^&]*)&quot;", report)]
        links += [unquote(link) for link in re.findall(r'href="([^"]*)"', report)]
        if not links:
            raise AssertionError("There are no links in the report.")
        for link in (link.partition("#")[0] for link in links):
            if Path(link).is_absolute() or not (run.output / link).is_file():
                raise AssertionError(f"'{link}' leads to no file below {run.output}.")
        return links

    @keyword
    def no_file_should_contain(self, directory: str, text: str) -> None:
        """Fails if a file below a directory has a text in it, or if there is no file."""
        files = [path for path in Path(directory).rglob("*") if path.is_file()]
        found = [str(path) for path in files if text.encode() in path.read_bytes()]
        if found or not files:
            raise AssertionError(f"'{text}' is in {', '.join(found)}" if found else "No files.")

    @keyword
    def signal_inner_run(self, run: InnerRun, name: str) -> None:
        """Sends the runner a signal, such as SIGINT."""
        run.signal(signal.Signals[name])

    @keyword
    def nothing_should_be_left_of(self, run: InnerRun, within: float = 2.0) -> None:
        """Fails unless the run's processes and private directories are gone, or soon go."""
        end = time.monotonic() + within
        while (remains := run.remains()) and time.monotonic() < end:
            time.sleep(POLL_SECONDS)
        if remains:
            raise AssertionError(f"After {within:g} s these are left: {', '.join(remains)}")

    @keyword
    def nothing_should_be_left_of_this_run(self) -> None:
        """Fails if this run has a QEMU process or a private directory now."""
        # QEMU is the child of a supervisor, which is a child of this process.
        remains = [
            f"process {pid}" for pid, _ in all_processes() if _parent(_parent(pid)) == os.getpid()
        ]
        for mark in itertools.chain(
            *(Path(base).glob("dtsvirt-*/.owner.json") for base in _bases())
        ):
            with suppress(OSError):
                if f'"pid": {os.getpid()},' in mark.read_text():
                    remains.append(str(mark.parent))
        if remains:
            raise AssertionError(f"These are left: {', '.join(remains)}")

    @keyword
    def inner_test_should_have_passed(self, run: InnerRun, name: str | None = None) -> None:
        """Fails unless a test of the run, or all of them, passed."""
        tests = list(run.tests.values()) if name is None else [_test(run, name)]
        if not tests:
            raise AssertionError(f"No test was run; the run said:\n{run.console}")
        for test in tests:
            if not test.passed:
                raise AssertionError(f"Inner test '{test.name}': {test.status}: {test.message}")

    @keyword
    def inner_test_should_have_failed(self, run: InnerRun, name: str, *parts: str) -> str:
        """Fails unless a test of the run failed, with all the parts in its message."""
        test = _test(run, name)
        if test.status != "FAIL":
            raise AssertionError(f"Inner test '{name}' has status {test.status}.")
        missing = [part for part in parts if part not in test.message]
        if missing:
            raise AssertionError(f"{missing} are missing in this message:\n{test.message}")
        return str(test.message)

    @keyword
    def make_silent_image(self, path: str) -> str:
        """Makes a disk image whose guest says LAST_WORDS on the serial port, and halts."""
        code = b"\x31\xc0\x8e\xd8\xfc\xbe\x17\x7c"  # ds = 0, si = the text behind the code
        code += b"\xac\x84\xc0\x74\x06\xba\xf8\x03\xee\xeb\xf5"  # each byte of it to COM1
        code += b"\xfa\xf4\xeb\xfd"  # halt, for ever
        sector = (code + LAST_WORDS).ljust(510, b"\0") + b"\x55\xaa"
        Path(path).write_bytes(sector.ljust(1 << 20, b"\0"))
        return path

    @keyword
    def make_flooding_image(self, path: str) -> str:
        """Makes a disk image whose guest writes to the serial port without end."""
        code = b"\xba\xf8\x03\xb0x\xee\xeb\xfd"  # 'x' to COM1, for ever
        sector = code.ljust(510, b"\0") + b"\x55\xaa"
        Path(path).write_bytes(sector.ljust(1 << 20, b"\0"))
        return path

    @keyword
    def hold_a_port(self) -> int:
        """Listens on a free port of 127.0.0.1 until the end of the suite and returns it."""
        listener = socket.create_server(("127.0.0.1", 0))
        self._listeners.append(listener)
        return int(listener.getsockname()[1])

    @keyword
    def port_should_be_free(self, port: int) -> None:
        """Fails if something listens on a port of 127.0.0.1."""
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", int(port))) == 0:
                raise AssertionError(f"Something listens on port {port}.")

    @keyword
    def process_should_be_gone(self, pid: int) -> None:
        """Fails if there is a process of that number."""
        if Path(f"/proc/{pid}").exists():
            raise AssertionError(f"Process {pid} is there.")

    @keyword
    def processes_of(self, word: str) -> list[int]:
        """Returns the processes that have a word in their command line."""
        return [
            pid
            for pid, argv in all_processes()
            if any(word in item for item in argv) and pid != os.getpid()
        ]


def _parent(pid: int) -> int:
    """Return the parent of a process, 0 if there is none (any more)."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _bases() -> set[str]:
    """Return the directories in which private ones of this user can be."""
    given = [os.environ.get(name, "/tmp") for name in ("XDG_RUNTIME_DIR", "TMPDIR")]
    return {*given, f"/run/user/{os.geteuid()}", "/tmp"}


def all_processes() -> list[tuple[int, list[str]]]:
    """Return number and command line of every process that has not ended."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            command = (directory / "cmdline").read_bytes()
        except OSError:
            continue  # it ended meanwhile
        if command:
            found.append((int(directory.name), os.fsdecode(command).rstrip("\0").split("\0")))
    return found


def _test(run: InnerRun, name: str) -> TestCase:
    if name not in run.tests:
        raise AssertionError(f"There is no test '{name}' in the report; it said:\n{run.console}")
    return run.tests[name]


def _output_root() -> str:
    return str(_variable("${OUTPUT_DIR}"))


def _variable(name: str) -> object:
    from robot.libraries.BuiltIn import BuiltIn

    return BuiltIn().get_variable_value(name)
