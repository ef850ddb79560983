"""A guest whose SSH server is slow, as a whole Debian without KVM on a busy machine is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from DtsVirtLibrary.errors import SshTimeout
from DtsVirtLibrary.guest.banner import TRY_SECONDS, wait_for_banner
from DtsVirtLibrary.loop import Deadline


@asynccontextmanager
async def serving(answer_after: float | None) -> AsyncIterator[int]:
    """Serve a banner some seconds after each connection, or none; yield the port."""
    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        if answer_after is not None:
            await asyncio.sleep(answer_after)
            writer.write(b"SSH-2.0-slow\r\n")
        await reader.read()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield int(server.sockets[0].getsockname()[1])
        await asyncio.gather(*connections, return_exceptions=True)


async def test_a_server_slower_than_the_first_try_is_waited_for() -> None:
    async with serving(4 * TRY_SECONDS) as port:
        banner = await wait_for_banner("vm0", "127.0.0.1", port, deadline=Deadline(60))
    assert banner == "SSH-2.0-slow"


async def test_the_deadline_holds_for_a_patient_try_too() -> None:
    async with serving(None) as port:
        with pytest.raises(SshTimeout, match="the guest did not answer"):
            await asyncio.wait_for(
                wait_for_banner("vm0", "127.0.0.1", port, deadline=Deadline(2 * TRY_SECONDS)), 30
            )
