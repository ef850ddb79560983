"""A clone's own identity: what the guest is asked to do, and that a refusal is told."""

from __future__ import annotations

import base64

import pytest

from DtsVirtLibrary.errors import AgentCommandError
from DtsVirtLibrary.qemu.agent.agent import Agent
from DtsVirtLibrary.qemu.inside.fresh_identity import SEED_BYTES, renew_identity
from utest.fakes.agent import FakeAgent, Request, fake_agent, properly, reply


def executing(fake: FakeAgent, code: int, stderr: bytes) -> None:
    """Let every command of the guest end so."""

    def answer(request: Request) -> bytes:
        if request["execute"] == "guest-exec":
            return reply(request, {"pid": 7})
        if request["execute"] == "guest-exec-status":
            text = base64.b64encode(stderr).decode()
            return reply(request, {"exited": True, "exitcode": code, "err-data": text})
        return properly(request)

    fake.answer = answer


async def renewed(code: int, stderr: bytes = b"") -> Request:
    """Renew an identity in a guest whose commands end so, and return what it was asked."""
    async with fake_agent() as (ours, fake):
        executing(fake, code, stderr)
        agent = Agent("vm0", ours)
        try:
            await renew_identity(agent)
        finally:
            await agent.close()
        (request,) = (item for item in fake.requests if item["execute"] == "guest-exec")
        return request


async def test_each_guest_gets_a_seed_of_its_own() -> None:
    seeds = [base64.b64decode((await renewed(0))["arguments"]["input-data"]) for _ in range(2)]
    assert seeds[0] != seeds[1]
    assert {len(seed) for seed in seeds} == {SEED_BYTES}


async def test_a_guest_that_cannot_is_told_with_its_words() -> None:
    with pytest.raises(AgentCommandError) as caught:
        await renewed(127, b"sh: ssh-keygen: not found\n")
    assert caught.value.summary == (
        "VM 'vm0': the clone could not be given an identity of its own (fresh_identity): "
        "sh: ssh-keygen: not found. It needs a shell and ssh-keygen in the guest."
    )
