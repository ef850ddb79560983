"""What the import of the library fixes for all its VMs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from pathlib import Path

from DtsVirtLibrary.accelerators import Accelerator
from DtsVirtLibrary.keywords.times import require_times


class ClosingScope(Enum):
    """When a VM that is still running is stopped by the library.

    ``AUTO``: at the end of the test in which it was started, or of the suite if it was
    started in a suite setup. ``SUITE``: at the end of the suite. ``RUN``: at the end of
    the run. ``KEEP``: never; its process id is logged and it is left to you.
    """

    AUTO = "AUTO"
    SUITE = "SUITE"
    RUN = "RUN"
    KEEP = "KEEP"


@dataclass(frozen=True)
class Settings:
    """The library's import arguments; times that are None are the configuration's."""

    accelerator: Accelerator
    qemu: str | None
    start_timeout: timedelta | None
    stop_timeout: timedelta
    agent_timeout: timedelta
    monitor_timeout: timedelta
    artifacts: Path | None
    closing: ClosingScope
    warm: bool = False

    def __post_init__(self) -> None:
        """Refuse times that are none."""
        require_times(vars(self))
