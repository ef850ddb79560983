"""``dtsvirt clean``: remove what dead runs have left."""

from __future__ import annotations

import argparse
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Add the subcommand to an :mod:`argparse` subparsers object."""
    parser = subparsers.add_parser(
        "clean",
        help="remove what dead runs have left",
        description="Remove the runtime directories of runs that could not do so themselves, and "
        "give back the taps, namespaces, hugepages and PCI functions that they took. What "
        "belongs to living runs and to other users is never touched.",
    )
    parser.set_defaults(function=clean)


def clean(arguments: argparse.Namespace) -> int:
    """Remove what dead runs have left and say what it was."""
    import asyncio

    removed = asyncio.run(_sweep())
    for path in removed:
        print(f"removed {path}")
    if not removed:
        print("nothing was left")
    return 0


async def _sweep() -> list[str]:
    from DtsVirtLibrary.host.local import LocalHost

    host = LocalHost()
    try:
        return await host.sweep()
    finally:
        await host.close()
