"""A Robot Framework run in a process of its own, and all that it leaves on the host."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from reliability.killer import REPORT
from reliability.processes import descendants, is_qemu, is_zombie, read, reap
from reliability.taken import Taken

ROOT = Path(__file__).resolve().parent.parent
SUITES = Path(__file__).resolve().parent / "suites"
TEMPLATES = "DTSVIRT_TEMPLATES"
PATIENCE = 300.0
# pabot still writes its report when the run that it ended is gone.
ENDING_SECONDS = 30.0
POLL_SECONDS = 0.005


@dataclass
class Aftermath:
    """What became of a run's traces, in seconds since its end.

    :ivar qemu: when the last QEMU was gone.
    :ivar all: when everything was gone; None if something stayed.
    :ivar late: what was still there after the limit.
    """

    qemu: float = 0.0
    all: float | None = None
    late: list[str] = field(default_factory=list)


class Run:
    """A run, its reports and its traces.

    :param directory: an own directory for output, report pipe and working directory.
    :param templates: where its templates are.
    :param console: where its console goes; None for a file in the directory.
    """

    def __init__(
        self,
        argv: Sequence[str],
        directory: Path,
        templates: Path,
        console: TextIO | None = None,
    ) -> None:
        self.directory = directory
        self.base = Path(tempfile.mkdtemp(prefix="rt", dir="/tmp"))
        self.templates = templates
        # Other runs have drafts there too: a clone that lives holds its template's disks in one.
        self._drafts_before = self._drafts()
        self.taken = Taken()
        pipe = directory / "report"
        os.mkfifo(pipe, 0o600)
        # Open for both, so that it never ends, whoever else opens and closes it.
        self._reports = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
        self._buffer = b""
        with open(directory / "console.txt", "wb") as file:
            self.process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=console or file,
                stderr=subprocess.STDOUT,
                cwd=directory,
                env={
                    **os.environ,
                    "PATH": os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]]),
                    "XDG_RUNTIME_DIR": str(self.base),
                    "TMPDIR": str(self.base),
                    TEMPLATES: str(templates),
                    REPORT: str(pipe),
                },
                start_new_session=True,
            )

    def wait_for(self, word: str) -> dict[str, Any]:
        """Return the report that has this word; note what the run takes meanwhile.

        :raises AssertionError: it ended, or the time is over, without that report.
        """
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for message in self.reports():
                if word in message:
                    return message
            if self.process.poll() is not None and not select.select([self._reports], [], [], 0)[0]:
                break
            select.select([self._reports], [], [], 0.1)
        raise AssertionError(f"the run never said '{word}'; its console:\n{self.console()}")

    def reports(self) -> list[dict[str, Any]]:
        """Return the reports that are there; note what the run takes."""
        if select.select([self._reports], [], [], 0)[0]:
            self._buffer += os.read(self._reports, 1 << 16)
        *lines, self._buffer = self._buffer.split(b"\n")
        messages = [json.loads(line) for line in lines]
        for message in messages:
            if "undo" in message:
                self.taken.note(message["undo"])
        return messages

    def console(self) -> str:
        """Return what it wrote to its console."""
        return (self.directory / "console.txt").read_text(encoding="utf-8", errors="replace")

    def watch_end(self, since: float, limit: float, others: Collection[int]) -> Aftermath:
        """Return what became of the run's traces after its end.

        :param since: when it ended, on the monotonic clock.
        :param limit: seconds that the traces may stay.
        :param others: children of ours that are no part of it.
        """
        found = Aftermath()
        give_up = since + 5 * limit
        while True:
            self.process.poll()
            pids = self.processes(others)
            now = time.monotonic() - since
            if any(map(is_qemu, pids)):
                found.qemu = now
            left = [*(f"process {pid}: {name(pid)}" for pid in pids), *self.traces()]
            if not left:
                found.all = now
                return found
            if now > limit and not found.late:
                found.late = left
            if time.monotonic() > give_up:
                return found
            time.sleep(POLL_SECONDS)

    def processes(self, others: Collection[int]) -> list[int]:
        """Return the processes that the run started; we have adopted its orphans.

        It may itself still be writing its report.
        """
        found = [pid for pid in descendants(os.getpid(), others) if pid != self.process.pid]
        reap(found)
        return [pid for pid in found if not is_zombie(pid)]

    def traces(self) -> list[str]:
        """Return what there is of it besides processes."""
        found = [str(path) for path in self.base.iterdir()]
        found += sorted(map(str, self._new_drafts()))
        return found + self.taken.there()

    def _drafts(self) -> set[Path]:
        return set(self.templates.glob(".draft-*"))

    def _new_drafts(self) -> set[Path]:
        return self._drafts() - self._drafts_before

    def close(self) -> None:
        """Let it end, if need be by force, and remove what is left of it."""
        try:
            self.process.wait(ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.taken.take_back()
        assert self.process.stdin is not None
        self.process.stdin.close()
        os.close(self._reports)
        for path in (self.base, self.directory, *self._new_drafts()):
            shutil.rmtree(path, ignore_errors=True)


def robot(suite: str, *options: str) -> list[str]:
    """Return the command line of robot on a suite of ours."""
    argv = [sys.executable, "-m", "robot", "--pythonpath", str(ROOT), "--loglevel", "DEBUG"]
    return [*argv, "--outputdir", ".", *options, str(SUITES / suite)]


def name(pid: int) -> str:
    """Return the name of a process for people."""
    return read(f"/proc/{pid}/comm").strip() or "gone"
