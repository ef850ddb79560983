"""What ``dtsvirt doctor`` found, as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from itertools import groupby


class Status(Enum):
    """How a thing is: usable, not there, or there is something to know about it."""

    OK = "ok"
    MISSING = "missing"
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    :ivar group: heading that it stands under.
    :ivar remedy: what to do about it; empty where nothing is to be done.
    :ivar required: no virtual machine can be started while it is missing.
    """

    group: str
    name: str
    status: Status
    text: str
    remedy: str = ""
    required: bool = False

    @property
    def blocks(self) -> bool:
        """Whether it keeps virtual machines from being started."""
        return self.required and self.status is Status.MISSING


def ready(findings: Iterable[Finding]) -> bool:
    """Return whether virtual machines can be started."""
    return not any(finding.blocks for finding in findings)


def as_text(findings: Sequence[Finding]) -> str:
    """Return the findings for people: a line each, its remedy below it."""
    lines: list[str] = []
    for group, members in groupby(findings, key=lambda finding: finding.group):
        lines.append(group)
        for finding in members:
            lines.append(f"  {finding.status.value:<8} {finding.name}: {finding.text}")
            if finding.remedy:
                lines.append(f"           -> {finding.remedy}")
    lines.append(_verdict(findings))
    return "\n".join(lines)


def as_json(findings: Sequence[Finding], *, host: str, version: str) -> str:
    """Return the findings as one JSON object; docs/doctor.md describes it."""
    rows = [{**asdict(finding), "status": finding.status.value} for finding in findings]
    document = {
        "host": host,
        "version": version,
        "ready": ready(findings),
        "findings": rows,
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _verdict(findings: Sequence[Finding]) -> str:
    blocking = [finding.name for finding in findings if finding.blocks]
    if not blocking:
        return "Virtual machines can be started here."
    return f"Virtual machines cannot be started here: {', '.join(blocking)} must be put right."
