"""A network card and its back end in one go: before the start, or by hot plug."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Any

from DtsVirtLibrary.config import (
    build_card,
    check_entry,
    check_parameters,
    entries_from_value,
    find_parameter,
)
from DtsVirtLibrary.errors import ConfigError
from DtsVirtLibrary.vm.changes import add_entries, add_entry, origin_of, plug_device
from DtsVirtLibrary.vm.machine import Machine

Options = Mapping[str, Any]
BACK_ENDS = ("user", "tap", "bridge")


def add_net(machine: Machine, options: Options) -> str:
    """Add an entry of ``net``, or a card with its back end; return the card's id, if any.

    :raises ConfigError: an option is wrong.
    :raises VmStateError: the VM runs.
    """
    card, back_end = _split(options)
    if options.get("type") not in BACK_ENDS or set(card) <= {"type", "opt_vlan"}:
        return add_entry(machine, "net", options)
    vlan = {"opt_vlan": str(_free_vlan(machine))}
    return add_entries(machine, "net", [{**vlan, **card}, {**vlan, **back_end}])


async def plug_net(machine: Machine, options: Options) -> str:
    """Plug a card with its back end into the running VM and return its id.

    :raises ConfigError: an option is wrong, or there is no back end.
    """
    if options.get("type") not in BACK_ENDS:
        raise ConfigError(
            f"VM '{machine.name}' runs, and a card is plugged in together with its back end: "
            f"give the type of that, {', '.join(BACK_ENDS)}, and the card's options beside it, "
            f"for example: type=user, opt_model=virtio. Found: type={options.get('type')}."
        )
    definition = find_parameter("net", origin_of(machine))
    entries = entries_from_value("net", list(_split(options)), origin_of(machine))
    card, back_end = (check_entry(definition, entry) for entry in entries)
    return await plug_device(machine, build_card(card, back_end))


def _split(options: Options) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the options of the card, and those of the back end and all that are unknown.

    The number of a pair, if it is given, belongs to both.
    """
    definition = find_parameter("net")
    card_options = definition.variant("nic")
    back_end_options = definition.variant(str(options.get("type")))
    card: dict[str, Any] = {"type": "nic"}
    back_end: dict[str, Any] = {}
    for name, value in options.items():
        of_card = card_options is not None and card_options.find(name) is not None
        if of_card:
            card[name] = value
        if not of_card or (back_end_options and back_end_options.find(name)):
            back_end[name] = value
    return card, back_end


def _free_vlan(machine: Machine) -> int:
    taken = {entry["opt_vlan"] for entry in check_parameters(machine.parameters).get("net", ())}
    return next(number for number in count() if number not in taken)
