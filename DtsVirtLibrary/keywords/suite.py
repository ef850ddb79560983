"""What keywords ask the running suite."""

from __future__ import annotations

from pathlib import Path

from robot.libraries.BuiltIn import BuiltIn, RobotNotRunningError


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
