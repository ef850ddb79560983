"""The doctor's look at Debian's and Python's packages."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib import metadata, resources
from typing import NamedTuple

from DtsVirtLibrary.cli.findings import Finding, Status
from DtsVirtLibrary.host.protocol import Host

DISTRIBUTION = "robotframework-dtsvirtlibrary"
OLDEST_PYTHON = (3, 10)
# `name>=1.2; marker`, as setup.py writes its floors.
REQUIREMENT = re.compile(r"^(?P<name>[\w.-]+)\s*(?:>=\s*(?P<floor>[\d.]+))?\s*(?P<marker>;.*)?$")


class DebianPackage(NamedTuple):
    """A row of debian-packages.txt: `need` is ``vm``, ``guest`` or ``test``."""

    name: str
    need: str
    reason: str


def known_debian_packages() -> Iterator[DebianPackage]:
    """Yield the rows of debian-packages.txt."""
    text = resources.files(__package__).joinpath("debian-packages.txt").read_text("utf-8")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, need, reason = line.split(maxsplit=2)
            yield DebianPackage(name, need, reason)


async def debian_packages(host: Host) -> list[Finding]:
    """Say which of the packages that the project uses are installed."""
    group = "Debian packages"
    if await host.which("dpkg-query") is None:
        text = "dpkg-query is not here, so this is no Debian system"
        remedy = "install QEMU by other means; the embedded guest can be built on Debian only"
        return [Finding(group, "dpkg", Status.NOTE, text, remedy)]
    packages = list(known_debian_packages())
    query = ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Version}\n"]
    # It fails when one of them is unknown, and lists the others all the same.
    answer = await host.run([*query, *(row.name for row in packages)], timeout=20, check=False)
    installed = dict(
        line.split()[1:]
        for line in answer.stdout.splitlines()
        if line.startswith("installed ") and len(line.split()) == 3
    )
    return [_debian_finding(group, row, installed.get(row.name)) for row in packages]


def _debian_finding(group: str, row: DebianPackage, version: str | None) -> Finding:
    if version is not None:
        return Finding(group, row.name, Status.OK, version)
    status = Status.NOTE if row.need == "test" else Status.MISSING
    remedy = f"as root: apt-get install --no-install-recommends {row.name}"
    return Finding(group, row.name, status, f"not installed ({row.need}: {row.reason})", remedy)


def python_packages() -> list[Finding]:
    """Say whether this Python and its packages are new enough."""
    return [_python_finding(), *_requirement_findings()]


def _python_finding() -> Finding:
    version = sys.version.split()[0]
    if sys.version_info >= OLDEST_PYTHON:
        return Finding("Python", "python", Status.OK, f"{version} ({sys.executable})")
    return Finding(
        "Python", "python", Status.MISSING, f"{version} is too old; 3.10 or newer is needed",
        "make the virtual environment with a newer python3", required=True,
    )  # fmt: skip


def _requirement_findings() -> Iterator[Finding]:
    try:
        requirements = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        text = f"the package {DISTRIBUTION} is not installed; it runs from a source tree"
        remedy = "python -m pip install -e ."
        yield Finding("Python", DISTRIBUTION, Status.NOTE, text, remedy)
        return
    for requirement in requirements:
        match = REQUIREMENT.match(requirement)
        if match and not match["marker"]:
            yield _requirement_finding(match["name"], match["floor"])


def _requirement_finding(name: str, floor: str | None) -> Finding:
    wanted = f"{name}>={floor}" if floor else name
    remedy = f"python -m pip install '{wanted}'"
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Finding("Python", name, Status.MISSING, "not installed", remedy, required=True)
    if floor and _numbers(version) < _numbers(floor):
        text = f"{version} is too old; {floor} or newer is needed"
        return Finding("Python", name, Status.MISSING, text, remedy, required=True)
    return Finding("Python", name, Status.OK, version)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(digits) for digits in re.findall(r"\d+", version))
