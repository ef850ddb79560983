"""What keywords ask the running suite."""

from __future__ import annotations

from pathlib import Path

from robot.libraries.BuiltIn import BuiltIn, RobotNotRunningError
from robot.running.signalhandler import STOP_SIGNAL_MONITOR


def suite_directory() -> Path | None:
    """Return the directory of the running suite's file, None outside a run."""
    try:
        source = BuiltIn().get_variable_value("${SUITE SOURCE}")
    except RobotNotRunningError:
        return None
    if not source:
        return None
    path = Path(source)
    return path if path.is_dir() else path.parent


def suite_name() -> str:
    """Return the long name of the running suite, empty outside a run."""
    try:
        return str(BuiltIn().get_variable_value("${SUITE NAME}", ""))
    except RobotNotRunningError:
        return ""


def output_directory() -> Path:
    """Return Robot Framework's output directory, or the current one outside a run."""
    try:
        return Path(BuiltIn().get_variable_value("${OUTPUT_DIR}", "."))
    except RobotNotRunningError:
        return Path()


def is_being_terminated() -> bool:
    """Tell whether Ctrl-C or SIGTERM ends the run: whoever sent it will not wait long."""
    # Robot Framework tells listeners of no signal; a version without this just ends slower.
    return bool(getattr(STOP_SIGNAL_MONITOR, "_signal_count", 0))
