"""The fuzz targets by name, and the inputs that each begins from.

A target is a function of bytes. It returns where the product gave an answer or refused the
input with an error of its own; whatever else it raises is a finding.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

Target = Callable[[bytes], None]

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
COMPATIBILITY = HERE.parents[1] / "atest" / "compatibility"
# Name -> module and function. They are imported late: atheris instruments what it imports.
TARGETS = {
    "cfg": "config_files:read_cfg",
    "yaml": "config_files:read_yaml",
    "agent-framing": "agent_framing:frame",
    "agent-replies": "agent_replies:converse",
    "qmp": "qmp_wire:converse",
    "qmp-replies": "qmp_replies:read",
    "usernet": "usernet:read",
    "quoting": "quoting:quote_and_read",
    "options": "options:write_and_read",
}


def load(name: str) -> Target:
    """Return the function of a target."""
    module, _, function = TARGETS[name].partition(":")
    target: Target = getattr(importlib.import_module(f"reliability.fuzz.{module}"), function)
    return target


def corpus(name: str) -> list[bytes]:
    """Return the inputs that a target begins from, in the same order every time."""
    paths = sorted((CORPUS / name).iterdir())
    if name == "cfg":
        # Real files, and what the framework of 2015 made of them.
        paths += sorted(COMPATIBILITY.glob("*.cfg"))
    return [path.read_bytes() for path in paths]
