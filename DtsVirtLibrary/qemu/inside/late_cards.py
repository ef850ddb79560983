"""Cards that were plugged into a clone before its CPUs ran: the guest meets them only then."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.qemu.agent.agent import Agent
from DtsVirtLibrary.spec import Nic

# The guest loads the driver meanwhile; one that has none never shows the card.
CARD_SECONDS = 20.0
# A card has no event that the agent would tell, and the agent answers in milliseconds.
POLL = 0.05


async def wait_for_cards(agent: Agent, cards: Collection[Nic]) -> list[Nic]:
    """Return when the guest has an interface for each card; return those it has none for.

    :raises AgentError: the agent does not answer.
    """
    deadline = Deadline(CARD_SECONDS)
    while True:
        found = {item.mac for item in await agent.interfaces()}
        missing = [card for card in cards if card.mac not in found]
        if not missing or deadline.expired:
            return missing
        await asyncio.sleep(POLL)
