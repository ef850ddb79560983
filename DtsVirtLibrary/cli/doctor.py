"""``dtsvirt doctor``: can virtual machines be started here, and with what?"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from DtsVirtLibrary.cli.findings import Finding
    from DtsVirtLibrary.host.protocol import Host


def add_parser(subparsers: Any) -> None:
    """Add the subcommand to an :mod:`argparse` subparsers object."""
    parser = subparsers.add_parser(
        "doctor",
        help="say what this machine has and lacks for virtual machines",
        description="Say what this machine has and lacks for virtual machines, and the remedies. "
        "The exit code is 0 if virtual machines can be started, else 1.",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    parser.set_defaults(function=doctor)


def doctor(arguments: argparse.Namespace) -> int:
    """Print what was found on this machine."""
    import asyncio

    from DtsVirtLibrary.cli.findings import as_json, as_text, ready
    from DtsVirtLibrary.version import VERSION

    host_name, found = asyncio.run(_examine_local_host())
    if arguments.json:
        print(as_json(found, host=host_name, version=VERSION))
    else:
        print(as_text(found))
    return 0 if ready(found) else 1


async def _examine_local_host() -> tuple[str, list[Finding]]:
    from DtsVirtLibrary.host.local import LocalHost

    host = LocalHost()
    try:
        return host.name, await examine(host)
    finally:
        await host.close()


async def examine(host: Host) -> list[Finding]:
    """Look at everything, in the order in which it is reported."""
    from DtsVirtLibrary.cli import hypervisor_checks, machine_checks, package_checks

    return [
        *await hypervisor_checks.binaries(host),
        *await hypervisor_checks.accelerator(host),
        *await hypervisor_checks.guests(host),
        *await package_checks.debian_packages(host),
        *package_checks.python_packages(),
        *await machine_checks.rights(host),
        *await machine_checks.network(host),
        *await machine_checks.hugepages(host),
        *await machine_checks.space(host),
    ]
