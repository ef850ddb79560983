"""Making something on a host so that it is taken back whatever happens to the maker."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.host.protocol import Host

T = TypeVar("T")


async def guarded(
    host: Host,
    undo_argv: Sequence[str],
    make: Coroutine[Any, Any, T],
    undo: Callable[[], Awaitable[object]],
) -> tuple[T, str]:
    """Run `make` and return its result and the token of its runner-death command.

    `undo_argv` stands in the host's list before anything is made, so that a runner that is
    killed in the middle leaves nothing. A caller that is cancelled in the middle (a test's
    timeout) has `make` run to its end and `undo` after it. If `make` fails it has undone
    its own steps.

    :raises HostError: what `make` raised.
    """
    try:
        token = await host.on_runner_death(undo_argv)
    except BaseException:
        make.close()
        raise
    making = asyncio.ensure_future(make)
    try:
        return await asyncio.shield(making), token
    except asyncio.CancelledError:
        with contextlib.suppress(HostError):
            await making
            await undo()
        await host.forget(token)
        raise
    except BaseException:
        await host.forget(token)
        raise
