"""Files of the guest, written and read by its agent in pieces."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from DtsVirtLibrary.errors import AgentError
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.qemu.agent.channel import AgentChannel, member

# Measured in a TCG guest: 2 MB/s to it and 6 MB/s from it, with pieces from 16 KiB to 1 MiB.
# So they may be small, and a deadline is noticed between two of them.
PIECE = 256 * 1024
# A device or a pseudo file may have no end.
FILE_LIMIT = 1024 * 1024 * 1024
# For closing a file whose transfer failed.
CLOSE_SECONDS = 2.0


async def write_file(channel: AgentChannel, data: bytes, path: str, deadline: Deadline) -> None:
    """Write `data` to a file of the guest, replacing what it held.

    :raises AgentError: the guest refused a part of it, or is silent; the text names `path`.
    """
    async with _opened(channel, path, "w", deadline) as handle:
        for start in range(0, len(data), PIECE):
            piece = data[start : start + PIECE]
            await _write(channel, handle, piece, path, deadline)
        # The agent buffers: only this shows that the guest's disk is full.
        await channel.exchange("guest-file-flush", {"handle": handle}, deadline, about=path)


async def read_file(channel: AgentChannel, path: str, deadline: Deadline) -> bytes:
    """Return the bytes of a file of the guest, 1 GiB at most.

    :raises AgentError: the guest refused a part of it, or is silent; the text names `path`.
    """
    data = bytearray()
    async with _opened(channel, path, "r", deadline) as handle:
        while True:
            piece, at_end = await _read(channel, handle, path, deadline)
            data += piece
            if at_end:
                return bytes(data)
            if len(data) > FILE_LIMIT:
                raise AgentError(
                    f"VM '{channel.vm}': '{path}' in the guest has more than {FILE_LIMIT} bytes. "
                    "Fetch it over SSH instead."
                )


async def _write(
    channel: AgentChannel, handle: int, piece: bytes, path: str, deadline: Deadline
) -> None:
    command = "guest-file-write"
    text = base64.b64encode(piece).decode("ascii")
    reply = await channel.exchange(
        command, {"handle": handle, "buf-b64": text}, deadline, about=path
    )
    count = member(channel, command, reply, "count", int)
    if count != len(piece):
        raise channel.protocol_error(
            command, f"only {count} of {len(piece)} bytes were written to '{path}'"
        )


async def _read(
    channel: AgentChannel, handle: int, path: str, deadline: Deadline
) -> tuple[bytes, bool]:
    command = "guest-file-read"
    reply = await channel.exchange(
        command, {"handle": handle, "count": PIECE}, deadline, about=path
    )
    try:
        piece = base64.b64decode(member(channel, command, reply, "buf-b64", str), validate=True)
    except ValueError as error:
        raise channel.protocol_error(command, f"'buf-b64' of '{path}' is not base64") from error
    count, at_end = (
        member(channel, command, reply, "count", int),
        member(channel, command, reply, "eof", bool),
    )
    if count != len(piece) or (not piece and not at_end):
        raise channel.protocol_error(
            command, f"{count} bytes of '{path}' were announced and {len(piece)} came"
        )
    return piece, at_end


@asynccontextmanager
async def _opened(
    channel: AgentChannel, path: str, mode: str, deadline: Deadline
) -> AsyncIterator[int]:
    handle = await channel.exchange(
        "guest-file-open", {"path": path, "mode": mode}, deadline, about=path
    )
    if type(handle) is not int:
        raise channel.protocol_error("guest-file-open", "the handle is not a number")
    try:
        yield handle
    except BaseException:
        with suppress(AgentError):
            await _close(channel, handle, path, Deadline(CLOSE_SECONDS))
        raise
    await _close(channel, handle, path, deadline)


async def _close(channel: AgentChannel, handle: int, path: str, deadline: Deadline) -> None:
    await channel.exchange("guest-file-close", {"handle": handle}, deadline, about=path)
