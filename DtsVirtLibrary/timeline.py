"""The stages of a start and when each was reached."""

from __future__ import annotations

import time

from DtsVirtLibrary.results import Stage


class Timeline:
    """A start's stages in order; the times count from the launch, in seconds."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._stages: list[Stage] = []

    def restart(self) -> None:
        """Count from now on: the preparation is over, the launch begins."""
        self._start = time.monotonic()

    def clear(self) -> None:
        """Forget all stages: what counts begins now."""
        self._stages.clear()
        self.restart()

    def reached(self, name: str) -> None:
        """Note that a stage was reached now."""
        self._stages.append(Stage(name, self.elapsed))

    @property
    def elapsed(self) -> float:
        """Seconds since the launch."""
        return time.monotonic() - self._start

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages that were reached."""
        return tuple(self._stages)

    @property
    def current(self) -> str:
        """The stage that was reached last."""
        return self._stages[-1].name if self._stages else "launching"


def describe_stages(stages: tuple[Stage, ...]) -> str:
    """Return the stages in one line: ``process started 0.01 s, QMP answered 0.04 s``."""
    return ", ".join(f"{stage.name} {stage.at:.2f} s" for stage in stages)
