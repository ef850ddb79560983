#!/usr/bin/env python3
"""Run the project's checks and tests; the last line is ``N passed, N failed``.

usage: scripts/run_tests.py [TARGET...]

Targets: lint, libdoc, utest-fast (without QEMU), qemu-10 (fetches it), utest, suites (those
for testers), atest (guests are clones of templates), atest-cold (every guest boots),
atest-qemu-10 (the life cycle on QEMU 10). With none, all but utest-fast and atest-cold run.
Each linter, the keyword documentation and the fetching count as one test. The exit code is 1
if anything failed; a suite in which no test ran has failed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv/bin"
RESULTS = ROOT / "results"
FETCH_QEMU_10 = ROOT / "scripts/fetch-qemu-10"
ROBOT_DIRECTORIES = ("atest", "suites", "resources", "reliability")
TMPFS = Path("/dev/shm")
# What the templates of a run may take, in MiB: the machine may have little memory.
TEMPLATE_LIMIT = "2048"


@dataclass(frozen=True)
class Totals:
    """What one suite or check came to."""

    name: str
    passed: int
    failed: int
    skipped: int = 0

    def __str__(self) -> str:
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.name}: {self.passed} passed, {self.failed} failed{skipped}"


def main(arguments: Sequence[str]) -> int:
    """Run the targets named on the command line and return the exit code."""
    targets = arguments or [name for name in TARGETS if name not in ON_DEMAND]
    unknown = [target for target in targets if target not in TARGETS]
    if unknown:
        print(f"unknown target {unknown[0]!r}; known: {', '.join(TARGETS)}", file=sys.stderr)
        return 2
    RESULTS.mkdir(exist_ok=True)
    all_totals = [totals for target in targets for totals in TARGETS[target]()]
    return report(all_totals)


def report(all_totals: Sequence[Totals]) -> int:
    """Print the totals of every part, then those of all as the last line."""
    print("\n== totals")
    for totals in all_totals:
        print(f"   {totals}")
    failed = sum(totals.failed for totals in all_totals)
    print(f"{sum(totals.passed for totals in all_totals)} passed, {failed} failed", flush=True)
    return 1 if failed else 0


def lint() -> list[Totals]:
    """Check style, types and the Robot Framework data."""
    robot_data = [name for name in ROBOT_DIRECTORIES if has_robot_data(ROOT / name)]
    return [
        check("ruff check", [BIN / "ruff", "check", "."]),
        check("ruff format", [BIN / "ruff", "format", "--check", "."]),
        check("mypy", [BIN / "mypy"]),
        check("robocop", [BIN / "robocop", "check", *robot_data]),
    ]


def has_robot_data(directory: Path) -> bool:
    """Return whether there is a file for robocop; it fails where there is none."""
    return any(path.suffix in (".robot", ".resource") for path in directory.rglob("*"))


def unit_tests() -> list[Totals]:
    """Run utest/ with pytest."""
    return [pytest("utest")]


def fast_unit_tests() -> list[Totals]:
    """Run those of utest/ that start no QEMU."""
    return [pytest("utest-fast", "-m", "not qemu")]


def pytest(name: str, *options: str) -> Totals:
    """Run pytest and read the totals from its JUnit report."""
    reported = RESULTS / f"{name}.xml"
    reported.unlink(missing_ok=True)  # else an earlier run's totals could be taken for ours
    code = run(name, [BIN / "python", "-m", "pytest", "-q", f"--junitxml={reported}", *options])
    return finish(pytest_totals(name, reported, code))


def pytest_totals(name: str, reported: Path, exit_code: int) -> Totals:
    """Return what a JUnit report says; one more failure if pytest itself failed."""
    suite = parse(reported, "testsuite")
    if suite is None:
        return Totals(name, 0, 1)
    count = {key: int(suite.get(key, "0")) for key in ("tests", "failures", "errors", "skipped")}
    failed = count["failures"] + count["errors"]
    passed = count["tests"] - failed - count["skipped"]
    if passed + failed == 0 or (exit_code and not failed):
        failed += 1
    return Totals(name, passed, failed, count["skipped"])


def fetch_qemu_10() -> list[Totals]:
    """Fetch QEMU 10, which is tried beside the installed version."""
    return [check("qemu-10", [FETCH_QEMU_10])]


def acceptance_tests() -> list[Totals]:
    """Run atest/ with robot on real VMs."""
    return [robot("atest")]


def cold_acceptance_tests() -> list[Totals]:
    """Run atest/ with guests that all boot."""
    return [robot("atest-cold", "--variable", "WARM:False")]


def acceptance_tests_on_qemu_10() -> list[Totals]:
    """Run the life cycle and the device suites with QEMU 10 as the first on PATH."""
    fetched = subprocess.run([FETCH_QEMU_10], stdout=subprocess.PIPE, text=True, check=False)
    if fetched.returncode:
        return [finish(Totals("atest-qemu-10", 0, 1))]
    directory = RESULTS / "qemu-10"
    directory.mkdir(exist_ok=True)
    program = directory / "qemu-system-x86_64"
    program.unlink(missing_ok=True)
    program.symlink_to(fetched.stdout.strip())
    return [robot("atest-qemu-10", "--include", "lifecycleORboth-versions", path=directory)]


def sample_suites() -> list[Totals]:
    """Run suites/, which testers copy from."""
    return [robot("suites", data="suites")]


def robot(name: str, *options: str, data: str = "atest", path: Path | None = None) -> Totals:
    """Run robot on `data`, with `path` before all others on PATH, and read its totals."""
    output = RESULTS / name
    shutil.rmtree(output, ignore_errors=True)
    robot_program = str(BIN / "robot")
    argv = [robot_program, f"--outputdir={output}", "--loglevel=DEBUG", *options, data]
    with templates_of_this_run() as environment:
        code = run(name, argv, path, environment)
    return finish(robot_totals(name, output / "output.xml", code))


@contextmanager
def templates_of_this_run() -> Iterator[Mapping[str, str]]:
    """Keep the templates of warm VMs apart from the tester's, and remove them in the end.

    Yields what the environment must hold for that. The place is that of every run of this
    directory, so that what a run that was killed has left goes with the next one.
    """
    place = TMPFS if TMPFS.is_dir() else RESULTS
    directory = place / f"dtsvirt-test-{hashlib.sha256(bytes(ROOT)).hexdigest()[:12]}"
    shutil.rmtree(directory, ignore_errors=True)
    try:
        yield {"DTSVIRT_TEMPLATES": str(directory), "DTSVIRT_TEMPLATE_LIMIT": TEMPLATE_LIMIT}
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def robot_totals(name: str, output: Path, exit_code: int) -> Totals:
    """Return what robot's output.xml says; one more failure if robot itself failed."""
    total = parse(output, "statistics/total/stat")
    if total is None:
        return Totals(name, 0, 1)
    passed, failed, skipped = (int(total.get(key, "0")) for key in ("pass", "fail", "skip"))
    if passed + failed == 0 or (exit_code and not failed):
        failed += 1
    return Totals(name, passed, failed, skipped)


def libdoc() -> list[Totals]:
    """Check that the keyword documentation can be made and is the committed one."""
    return [check("libdoc", [BIN / "python", "scripts/keyword_docs.py", "--check"])]


def check(name: str, argv: Sequence[str | Path]) -> Totals:
    """Run a command that passes with exit code 0."""
    failed = run(name, argv) != 0
    return finish(Totals(name, int(not failed), int(failed)))


def run(
    name: str,
    argv: Sequence[str | Path],
    path: Path | None = None,
    more: Mapping[str, str] | None = None,
) -> int:
    """Announce and run a command, its output going to the terminal.

    :param more: variables added to its environment.
    """
    directories = [str(BIN), *([str(path)] if path else []), os.environ.get("PATH", os.defpath)]
    environment = {**os.environ, "PATH": os.pathsep.join(directories), **(more or {})}
    print(f"\n== {name}", flush=True)
    start = time.monotonic()
    code = subprocess.run(
        [str(word) for word in argv], cwd=ROOT, env=environment, check=False
    ).returncode
    print(f"   {name} took {time.monotonic() - start:.0f} s", flush=True)
    return code


def finish(totals: Totals) -> Totals:
    """Print the totals of a part that has ended."""
    print(f"   {totals}", flush=True)
    return totals


def parse(report_file: Path, path: str) -> ElementTree.Element | None:
    """Return an element of an XML report; None if there is no whole report."""
    try:
        return ElementTree.parse(report_file).getroot().find(path)
    except (OSError, ElementTree.ParseError):
        return None


# In the order in which they run: what is quick to fail comes first.
TARGETS: dict[str, Callable[[], list[Totals]]] = {
    "lint": lint,
    "libdoc": libdoc,
    "utest-fast": fast_unit_tests,
    "qemu-10": fetch_qemu_10,
    "utest": unit_tests,
    "suites": sample_suites,
    "atest": acceptance_tests,
    "atest-cold": cold_acceptance_tests,
    "atest-qemu-10": acceptance_tests_on_qemu_10,
}
ON_DEMAND = ("utest-fast", "atest-cold")

if __name__ == "__main__":
    # A shell that starts a job in the background makes it ignore these; the tests send them.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        sys.exit(130)
