"""``dtsvirt template``: the templates of warm start."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from DtsVirtLibrary.qemu.templates.store import TemplateStore

T = TypeVar("T")


def add_parser(subparsers: Any) -> None:
    """Add the subcommand to an :mod:`argparse` subparsers object."""
    parser = subparsers.add_parser(
        "template",
        help="list and remove the templates that VMs are started warm from",
        description="The templates that VMs are started warm from. VMs made of one run on "
        "when it is removed.",
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    list_parser = actions.add_parser("list", help="show what is stored", description="Show them.")
    list_parser.set_defaults(function=list_templates)
    remove_parser = actions.add_parser(
        "remove", help="remove some", description="Remove templates by their keys."
    )
    remove_parser.add_argument(
        "key", metavar="KEY", nargs="+", help="as `dtsvirt template list` shows it"
    )
    remove_parser.set_defaults(function=remove)
    clean_parser = actions.add_parser("clean", help="remove all", description="Remove all.")
    clean_parser.set_defaults(function=clean)


def list_templates(arguments: argparse.Namespace) -> int:
    """Print each template with its size, age and place, the one used last first."""

    async def listing(store: TemplateStore) -> list[str]:
        lines = []
        for info in await store.infos():
            size = f"{info.size / 1e6:.0f} MB"
            saved = datetime.fromtimestamp(info.saved_at).strftime("%Y-%m-%d %H:%M")
            lines.append(
                f"{info.key}: {info.description} (QEMU {info.version}, {size}, saved {saved})"
            )
            lines.append(f"  {info.directory}")
        return lines or ["no templates"]

    print("\n".join(_with_store(listing)))
    return 0


def remove(arguments: argparse.Namespace) -> int:
    """Remove templates; 1 if one of them is not there."""

    async def removing(store: TemplateStore) -> list[str]:
        known = {info.key for info in await store.infos()}
        for key in known & set(arguments.key):
            await store.remove(key)
        return [key for key in arguments.key if key not in known]

    missing = _with_store(removing)
    for key in missing:
        print(f"there is no template {key}; see: dtsvirt template list")
    return 1 if missing else 0


def clean(arguments: argparse.Namespace) -> int:
    """Remove all templates, broken and unfinished ones too, and say how many there were."""

    async def cleaning(store: TemplateStore) -> int:
        return await store.clear()

    print(f"removed {_with_store(cleaning)} templates")
    return 0


def _with_store(work: Callable[[TemplateStore], Awaitable[T]]) -> T:
    import asyncio

    from DtsVirtLibrary.host.local import LocalHost
    from DtsVirtLibrary.qemu.templates.store import TemplateStore

    async def run() -> T:
        host = LocalHost()
        try:
            return await work(TemplateStore(host))
        finally:
            await host.close()

    return asyncio.run(run())
