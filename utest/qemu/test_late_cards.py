"""Cards that the guest of a clone meets when it runs."""

from __future__ import annotations

import pytest

from DtsVirtLibrary.qemu.agent.agent import Agent
from DtsVirtLibrary.qemu.inside import late_cards
from DtsVirtLibrary.spec import Nic
from utest.fakes.agent import Request, fake_agent, properly, reply

CARDS = [Nic(id="one", mac="52:54:00:00:00:01"), Nic(id="two", mac="52:54:00:00:00:02")]


async def waited(*interfaces: list[str]) -> tuple[list[str | None], int]:
    """Wait for both cards; return the ids of the missing ones and how often was asked.

    :param interfaces: addresses that the guest shows at each question; the last ones stay.
    """
    answers = list(interfaces)
    asked = 0

    def answer(request: Request) -> bytes:
        nonlocal asked
        if request["execute"] != "guest-network-get-interfaces":
            return properly(request)
        asked += 1
        shown = answers.pop(0) if len(answers) > 1 else answers[0]
        return reply(request, [{"name": mac[-2:], "hardware-address": mac} for mac in shown])

    async with fake_agent() as (ours, fake):
        fake.answer = answer
        agent = Agent("vm0", ours)
        try:
            missing = await late_cards.wait_for_cards(agent, CARDS)
        finally:
            await agent.close()
    return [card.id for card in missing], asked


async def test_each_card_is_waited_for() -> None:
    one, two = (card.mac or "" for card in CARDS)
    assert await waited([], [one], [two, one]) == ([], 3)


async def test_a_card_without_a_driver_does_not_hold_up_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(late_cards, "CARD_SECONDS", 0.2)
    missing, asked = await waited([CARDS[0].mac or ""])
    assert missing == ["two"]
    assert asked > 1
