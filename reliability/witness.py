"""The run that lives beside those that are killed."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from robot.api.deco import keyword, library

from reliability.killer import report
from reliability.processes import children, is_qemu, start_time
from reliability.runs import Run, robot


@library(scope="GLOBAL", auto_keywords=False)
class Questions:
    """The witness's side: it answers as long as its VM does."""

    @keyword
    def answer_questions(self, vm: str, application: str) -> None:
        """Answers each line of the standard input with what guest and application say."""
        from robot.libraries.BuiltIn import BuiltIn

        def call(name: str, *arguments: Any, **named: Any) -> Any:
            instance = BuiltIn().get_library_instance("DtsVirtLibrary")
            return instance.run_keyword(name, arguments, named)  # type: ignore[attr-defined]

        report(ready=call("Get VM", vm).pid)
        assert sys.__stdin__ is not None
        for line in sys.__stdin__:
            word = line.strip()
            guest = call("Execute In Guest", vm, ["echo", word]).stdout.strip()
            shell = call("Send To Application", application, f"echo {word}").strip()
            report(answers=[guest, shell])


class Witness:
    """Our side: it asks, and compares what the witness has with what it had."""

    def __init__(self, directory: Path, templates: Path, image: Path) -> None:
        options = ["--listener", "reliability.killer.Killer:none", "--variable", f"IMAGE:{image}"]
        self._run = Run(robot("witness.robot", *options), directory, templates)
        self.pid = self._run.process.pid
        self._qemu = int(self._run.wait_for("ready")["ready"])
        self._before = self._state()
        self._asked = 0

    def _state(self) -> dict[str, Any]:
        supervisors = children(self.pid)
        return {
            "QEMU": (is_qemu(self._qemu), start_time(self._qemu)),
            "supervisors": [(pid, start_time(pid)) for pid in supervisors],
            "their children": [children(pid) for pid in supervisors],
            "files": sorted(str(path) for path in self._run.base.rglob("*")),
            "what it took": self._run.taken.there(),
        }

    def harm(self) -> list[str]:
        """Return what differs from the state at its start; empty if it lives untouched."""
        self._asked += 1
        word = f"question-{self._asked}"
        assert self._run.process.stdin is not None
        try:
            self._run.process.stdin.write(f"{word}\n".encode())
            self._run.process.stdin.flush()
            answers = self._run.wait_for("answers")["answers"]
        except (OSError, AssertionError) as error:
            return [f"the witness does not answer: {error}"]
        now = self._state()
        found = [
            f"{key}: {value} became {now[key]}"
            for key, value in self._before.items()
            if now[key] != value
        ]
        return found + [f"asked {word}, it said {answer}" for answer in answers if answer != word]

    def end(self, limit: float) -> list[str]:
        """Let it end in order; return what is wrong with that, empty if it left nothing.

        :param limit: seconds that its traces may stay.
        """
        assert self._run.process.stdin is not None
        self._run.process.stdin.close()
        try:
            code = self._run.process.wait()
            self._run.reports()
            left = self._run.watch_end(time.monotonic(), limit, ()).late
        finally:
            self._run.close()
        return ([f"exit code {code}"] if code else []) + [f"it left {trace}" for trace in left]
