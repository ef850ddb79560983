"""The fuzzer that is led by coverage: atheris, with libFuzzer inside."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, ModuleType

from reliability.fuzz.figures import Figure, today, write
from reliability.fuzz.mutation import LONGEST
from reliability.fuzz.targets import Target, corpus, load
from reliability.fuzz.trial import Finding, attempt

MISSING = (
    "atheris, the fuzzer, is not installed here: pip install -e '.[fuzz]'. It exists for Linux on "
    "x86_64 and CPython only; without it, utest/fuzz runs the targets over fixed mutations."
)
# What the product and its parser of YAML do is what the fuzzer looks at.
INSTRUMENTED = ["DtsVirtLibrary", "yaml"]
MEMORY_MIB = 2048
# CPU seconds between two lines about the state.
REPORTED = 60.0


@dataclass(frozen=True)
class Campaign:
    """A run to do.

    :ivar seconds: CPU time.
    :ivar directory: where the inputs go that reach something new, and the findings.
    :ivar figures: file that the figures are written into; None for none.
    """

    target: str
    seconds: float
    seed: int
    directory: Path
    figures: Path | None


def run(campaign: Campaign) -> int:
    """Run a target until its time is over; 1 if anything was found, 2 without atheris."""
    try:
        import atheris
    except ImportError:
        print(MISSING, file=sys.stderr)
        return 2
    for name in ("seeds", "corpus", "findings"):
        (campaign.directory / name).mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(corpus(campaign.target)):
        (campaign.directory / "seeds" / f"{number:03d}").write_bytes(data)
    with atheris.instrument_imports(include=INSTRUMENTED):
        target = load(campaign.target)
    _fuzz(atheris, _Run(campaign, target))
    return 1  # never reached: libFuzzer ends the process


def _fuzz(atheris: ModuleType, current: _Run) -> None:
    directory = current.campaign.directory
    # An input's CPU time is limited by `attempt`. libFuzzer counts time on the wall, which runs
    # on where others have the processors.
    options = [
        f"-seed={current.campaign.seed}",
        f"-max_len={LONGEST}",
        f"-rss_limit_mb={MEMORY_MIB}",
        f"-artifact_prefix={directory}/findings/",
        "-timeout=1200",
        "-report_slow_units=1200",
        "-handle_term=0",
        "-handle_int=0",
        "-print_final_stats=1",
        "-verbosity=0",
    ]
    atheris.Setup(
        [sys.argv[0], *options, f"{directory}/corpus", f"{directory}/seeds"], current.try_input
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, current.stop)
    atheris.Fuzz()


@dataclass
class _Run:
    """A campaign under way."""

    campaign: Campaign
    target: Target
    executions: int = 0
    findings: dict[str, Finding] = field(default_factory=dict)
    stopped: bool = False
    begun: float = field(default_factory=time.process_time)
    reported: float = 0.0

    def try_input(self, data: bytes) -> None:
        """Try an input; at the end of the time, say what was found and end the process."""
        self.executions += 1
        finding = attempt(self.target, data)
        if finding is not None and finding.name not in self.findings:
            self._keep(finding)
        if self.seconds - self.reported > REPORTED:
            self.reported = self.seconds
            self._report()
        if self.stopped or self.seconds >= self.campaign.seconds:
            self._report()
            sys.stdout.flush()
            # Nothing is to be undone, and libFuzzer offers no way out of its loop.
            os._exit(1 if self.findings else 0)

    def stop(self, number: int, frame: FrameType | None) -> None:
        """End after the input that is being tried."""
        self.stopped = True

    @property
    def seconds(self) -> float:
        """CPU time so far."""
        return time.process_time() - self.begun

    def _keep(self, finding: Finding) -> None:
        self.findings[finding.name] = finding
        path = self.campaign.directory / "findings" / finding.name
        path.write_bytes(finding.data)
        path.with_suffix(".txt").write_text(finding.text, "utf-8", "backslashreplace")
        print(f"FOUND {finding.place}\n  input: {path}\n{finding.text}", flush=True)

    def _report(self) -> None:
        campaign = self.campaign
        figure = Figure(
            campaign.target, round(self.seconds, 1), self.executions, len(self.findings),
            campaign.seed, today(),
        )  # fmt: skip
        print(figure, flush=True)
        if campaign.figures is not None:
            write(campaign.figures, figure)
