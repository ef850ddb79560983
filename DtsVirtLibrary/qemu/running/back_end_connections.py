"""Whether the vhost-user back ends of a VM's network cards are connected.

QEMU before 10.0 sends no event when a back end goes, and only the description of its
character device shows it: so it is asked, in a fraction of a millisecond.
"""

from __future__ import annotations

from collections.abc import Mapping

from DtsVirtLibrary.errors import ConfigError, MonitorError, nearest
from DtsVirtLibrary.qemu.command_line.identity import chardev_id
from DtsVirtLibrary.qemu.qmp.replies import CHARDEVS, ask
from DtsVirtLibrary.qemu.running.qemu import RunningQemu
from DtsVirtLibrary.spec import Nic, VhostUserBackend

# QEMU writes this before the address of a socket that nobody is connected to.
DISCONNECTED = "disconnected:"
LOOK_SECONDS = 1.0


class BackEndConnections:
    """The vhost-user back ends of one VM."""

    def __init__(self, qemu: RunningQemu) -> None:
        self._qemu = qemu
        self._lost: set[str] = set()

    async def connected(self, card: str) -> bool:
        """Return whether a card's back end is connected.

        :raises ConfigError: there is no such card, or it has no vhost-user back end.
        """
        cards = self._cards()
        if card not in cards:
            raise ConfigError(
                f"VM '{self._qemu.spec.name}' has no card '{card}' with a vhost-user back "
                f"end.{nearest(card, cards)} Cards that have one: {', '.join(cards) or 'none'}."
            )
        return await self._is_connected(cards[card])

    async def take_losses(self) -> list[str]:
        """Return which back ends went since the last call, a line each."""
        told = []
        try:
            for name, card in self._cards().items():
                if await self._is_connected(card):
                    self._lost.discard(name)
                elif name not in self._lost:
                    self._lost.add(name)
                    told.append(
                        f"the vhost-user back end of card '{name}' is gone (socket "
                        f"'{_path(card)}'); the card is dead until it is back"
                    )
        except MonitorError:
            # Who asks for this has other things to do, which will tell it better.
            return told
        return told

    def _cards(self) -> Mapping[str, Nic]:
        return {
            nic.id or "": nic
            for nic in self._qemu.spec.nics
            if isinstance(nic.backend, VhostUserBackend)
        }

    async def _is_connected(self, card: Nic) -> bool:
        monitor = self._qemu.monitor
        reply = await ask(monitor, "query-chardev", CHARDEVS, timeout=LOOK_SECONDS)
        name = chardev_id(card)
        return any(
            item["label"] == name and not item["filename"].startswith(DISCONNECTED)
            for item in reply
        )


def _path(card: Nic) -> str:
    assert isinstance(card.backend, VhostUserBackend)
    return card.backend.path
