"""Runners killed at every point of the life cycle, beside a run that must not notice."""

from __future__ import annotations

import json
import os
import random
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from DtsVirtLibrary.host.sweep import sweep
from reliability.images import make_image
from reliability.points import (
    BOTH_KILLED,
    ENDINGS,
    POINTS,
    PROCESS_TIMEOUT,
    SECOND_INTERRUPT,
    TERMINATION,
    Ending,
    Point,
)
from reliability.processes import adopt_orphans, children, reap
from reliability.runs import ROOT, SUITES, Aftermath, Run, robot
from reliability.witness import Witness

LIMIT = 2.0
# Long enough for a run to have come as far as it should on a busy machine.
PROCESS_TIMEOUT_SECONDS = 12
# Of hugepages, a number for each lane that nobody else asks for, to tell them apart.
MEBIBYTES = (74, 82, 86, 94)
# A pipe that nobody reads would hold the run up.
REPORT_SECONDS = 0.5
KILLER = "reliability.killer.Killer"


@dataclass
class Row:
    """What came of all rounds at one point.

    :ivar seconds: from the end of the runner (the signal, where that ends it) to the end of
        its last trace, a number for each round.
    :ivar qemu: the same to the end of QEMU.
    :ivar unclean: what was left after the limit, and what the witness lost.
    """

    name: str
    title: str
    seconds: list[float | None] = field(default_factory=list)
    qemu: list[float] = field(default_factory=list)
    unclean: list[dict[str, Any]] = field(default_factory=list)


def run_matrix(points: Sequence[str], rounds: int, seed: int, lanes: int) -> dict[str, Any]:
    """Kill at all points (none: at each), in an order that the seed gives; return the figures.

    :param lanes: so many run side by side, each with a witness; they must not notice each
        other either.
    """
    KillMatrix(points, rounds, seed)  # to know the points before anything is started
    commands = [
        [sys.executable, "-m", __name__, str(lane), str(lanes), str(rounds), str(seed), *points]
        for lane in range(lanes)
    ]
    processes = [
        subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) for argv in commands
    ]
    try:
        # Their progress is on standard error.
        results = [json.loads(process.communicate()[0] or "null") for process in processes]
    finally:
        for process in processes:
            process.terminate()
            process.wait()
    if None in results:
        raise SystemExit("A part of the kill matrix did not come to its end; see above.")
    rows = [[lane[number] for lane in results] for number in range(len(results[0]))]
    return {"limit": LIMIT, "lanes": lanes, "points": [_merged(parts) for parts in rows]}


def joined(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return the old figures with the rows that are new in their places, or at the end."""
    rows = {row["name"]: row for row in (*old["points"], *new["points"])}
    return {**new, "points": list(rows.values())}


def _merged(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return one row of those of all lanes."""
    lists = ("seconds", "qemu", "unclean")
    return {**parts[0], **{key: [item for part in parts for item in part[key]] for key in lists}}


class KillMatrix:
    """The rounds of one lane."""

    def __init__(
        self, points: Sequence[str], rounds: int, seed: int, lane: int = 0, lanes: int = 1
    ) -> None:
        known = {point.name: point for point in (*POINTS, *ENDINGS)}
        unknown = [point for point in points if point not in known]
        if unknown:
            raise SystemExit(f"Unknown points: {', '.join(unknown)}. Known: {', '.join(known)}")
        chosen = [known[name] for name in points or known]
        self._rows = {point.name: Row(point.name, point.title) for point in chosen}
        self._rounds = [point for point in chosen for _ in range(rounds)]
        random.Random(seed).shuffle(self._rounds)
        self._rounds = self._rounds[lane::lanes]
        self._mebibytes = MEBIBYTES[lane]

    def run(self) -> list[dict[str, Any]]:
        """Kill, watch and return a row for each point."""
        adopt_orphans()
        with (
            tempfile.TemporaryDirectory(prefix="matrix-") as work,
            tempfile.TemporaryDirectory(prefix="rt-", dir="/dev/shm") as templates,
        ):
            image = make_image(Path(work))
            witness = Witness(_new(Path(work), "witness"), Path(templates), image)
            try:
                for number, point in enumerate(self._rounds, 1):
                    row = self._rows[point.name]
                    self._round(row, point, Path(work), Path(templates), image, witness)
                    _say(number, len(self._rounds), row)
            finally:
                wrong = witness.end(LIMIT)
        if wrong:
            raise SystemExit(f"The witness did not end well: {', '.join(wrong)}")
        return [asdict(row) for row in self._rows.values()]

    def _round(
        self,
        row: Row,
        point: Point | Ending,
        work: Path,
        templates: Path,
        image: Path,
        witness: Witness,
    ) -> None:
        directory = _new(work, point.name)
        if point.scene == "Template":  # a store without a template
            templates = _new(templates, "own")
        variables = {"IMAGE": str(image), "PAGES": f"{self._mebibytes}M"}
        run = Run(_command(point, variables), directory, templates)
        try:
            since = _end(run, point)
            run.reports()
            found = run.watch_end(since, LIMIT, (witness.pid, *_survivors(run, point)))
        finally:
            run.close()
            if point.scene == "Template":
                _empty(templates)
        _note(row, found, witness.harm())


def _note(row: Row, found: Aftermath, harm: list[str]) -> None:
    if found.late or harm:
        row.unclean.append({"round": len(row.seconds) + 1, "left": found.late, "harm": harm})
    row.seconds.append(round(found.all, 4) if found.all is not None else None)
    row.qemu.append(round(found.qemu, 4))


def _command(point: Point | Ending, variables: Mapping[str, str]) -> list[str]:
    what = point.name if isinstance(point, Point) else "none"
    if point is TERMINATION:
        what = "executing:tell"
    options = ["--listener", f"{KILLER}:{what}", "--test", point.scene]
    for name, value in variables.items():
        options += ["--variable", f"{name}:{value}"]
    if point is not PROCESS_TIMEOUT:
        return robot("victims.robot", *options)
    limit = ["--no-pabotlib", "--processes", "1"]
    limit += ["--processtimeout", str(PROCESS_TIMEOUT_SECONDS)]
    argv = [sys.executable, "-m", "pabot.pabot", *limit, "--pythonpath", str(ROOT)]
    return [*argv, "--outputdir", ".", *options, str(SUITES / "victims.robot")]


def _survivors(run: Run, point: Point | Ending) -> tuple[int, ...]:
    """Return the processes that are right to live on: pabot, which ended its run."""
    return (run.process.pid,) if point is PROCESS_TIMEOUT else ()


def _end(run: Run, point: Point | Ending) -> float:
    """Let the run come to its end and return when that was, on the monotonic clock."""
    if isinstance(point, Point):
        return float(run.wait_for("killed")["killed"])
    if point is PROCESS_TIMEOUT:
        pidfd = os.pidfd_open(int(run.wait_for("runner")["runner"]))
        while not select.select([pidfd], [], [], REPORT_SECONDS)[0]:
            run.reports()
        os.close(pidfd)
        return time.monotonic()
    runner = int(run.wait_for("ready")["ready"])
    if point is BOTH_KILLED:
        return _kill_both(run, runner)
    if point is SECOND_INTERRUPT:
        os.kill(runner, signal.SIGINT)
        run.wait_for("teardown")
        os.kill(runner, signal.SIGINT)
    else:
        os.kill(runner, signal.SIGTERM)
    return time.monotonic()


def _kill_both(run: Run, runner: int) -> float:
    """Kill a runner and its supervisor, neither of which can act any more, and sweep."""
    pids = (runner, *children(runner))
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            os.kill(pid, number)
    killed = time.monotonic()
    run.process.wait()
    reap(pids)
    with patch.dict(os.environ, {"XDG_RUNTIME_DIR": str(run.base)}):
        sweep()
    return killed


def _new(parent: Path, purpose: str) -> Path:
    return Path(tempfile.mkdtemp(prefix=f"{purpose}-", dir=parent))


def _empty(directory: Path) -> None:
    subprocess.run(["rm", "-rf", str(directory)], check=True)


def _say(number: int, total: int, row: Row) -> None:
    verdict = "clean" if not row.unclean or row.unclean[-1]["round"] != len(row.seconds) else "LEFT"
    took = f"QEMU {row.qemu[-1]} s, all {row.seconds[-1]} s"
    print(f"[{number}/{total}] {row.name}: {verdict}: {took}", file=sys.stderr, flush=True)
    if verdict == "LEFT":
        print(f"    {row.unclean[-1]}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    lane, lanes, rounds, seed = map(int, sys.argv[1:5])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(json.dumps(KillMatrix(sys.argv[5:], rounds, seed, lane, lanes).run()))
