"""Waiting for the sockets of others."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from DtsVirtLibrary.errors import BackendError
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.host.sockets import wait_until_sockets
from utest.host.supervised import within


async def test_waits_for_all_of_them(host: LocalHost, base: Path) -> None:
    paths = [base / "one", base / "two"]
    waiting = asyncio.ensure_future(wait_until_sockets(host, paths, 30))
    for path in paths:
        done, _ = await asyncio.wait({waiting}, timeout=0.1)
        assert not done
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    await within(waiting)


@pytest.mark.parametrize(("content", "found"), [(None, "nothing is there"), (b"", "a file is")])
async def test_says_what_is_there_instead(
    host: LocalHost, base: Path, content: bytes | None, found: str
) -> None:
    path = base / "one"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BackendError, match=found) as caught:
        await wait_until_sockets(host, [path], 0.1)
    assert str(path) in str(caught.value)
