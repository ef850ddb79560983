"""Who stands where on the guest's PCI buses."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from DtsVirtLibrary.qemu.command_line.machines import Family
from DtsVirtLibrary.qemu.command_line.plan import refusal
from DtsVirtLibrary.spec import Origin

SLOTS = range(0x20)
_ADDRESS = re.compile(r"(?:0[xX])?([0-9a-fA-F]{1,2})(?:\.([0-7]))?\Z")


@dataclass(frozen=True)
class Claim:
    """A PCI device that wants a place.

    :ivar id: its id.
    :ivar driver: its driver, for messages.
    :ivar address: ``1f`` or ``1f.0``; None for the lowest free slot.
    :ivar bus: id of the bus; None for the root bus.
    :ivar multifunction: other functions may share its slot.
    """

    id: str
    driver: str
    address: str | None = None
    bus: str | None = None
    origin: Origin | None = None
    multifunction: bool = False

    def __str__(self) -> str:
        return f"'{self.id}' ({self.driver})"


Place = tuple[str, int, int]


def assign(
    vm: str, family: Family, claims: Iterable[Claim], buses: Collection[str]
) -> Mapping[str, str]:
    """Return the address of every claim, by id.

    Claims with an address are served first, in order; the others on the root bus take the
    lowest free slots, so that no address depends on QEMU's own choice. On other buses the
    choice is QEMU's.

    :param buses: ids of the further buses that the VM has.
    :raises ConfigError: an address is none, or taken; the text names who has it and what
        is free.
    """
    table = _Table(vm, family, buses)
    every = list(claims)
    fixed = {claim.id: table.place(claim) for claim in every if claim.address is not None}
    table.check_functions()
    free = {claim.id: table.place_free(claim) for claim in every if claim.address is None}
    return {name: address for name, address in (fixed | free).items() if address is not None}


def parse_address(text: str) -> tuple[int, int] | None:
    """Return slot and function of ``1f`` or ``1f.0`` (hexadecimal), None if it is no address."""
    match = _ADDRESS.match(text)
    if match is None or int(match[1], 16) not in SLOTS:
        return None
    return int(match[1], 16), int(match[2] or 0)


class _Table:
    def __init__(self, vm: str, family: Family, buses: Collection[str]) -> None:
        self._vm = vm
        self._family = family
        self._buses = {family.root_bus, *buses}
        self._taken: dict[Place, Claim] = {}

    def place(self, claim: Claim) -> str:
        """Take the place that a claim asks for."""
        bus = self._bus(claim)
        parsed = parse_address(claim.address or "")
        if parsed is None:
            raise self._refusal(
                claim,
                f"has address '{claim.address}', which is none. Allowed: a slot from 01 to 1f in "
                "hexadecimal, with a function from .0 to .7 if need be",
            )
        slot, function = parsed
        owner = self._owner(bus, slot, function)
        if owner is not None:
            raise self._refusal(
                claim,
                f"cannot have address {claim.address} on {bus} of machine {self._family.alias}: "
                f"{owner} is there. {self._free_text(bus)}",
            )
        self._taken[bus, slot, function] = claim
        return f"{slot:02x}.{function}" if function or claim.multifunction else f"{slot:02x}"

    def place_free(self, claim: Claim) -> str | None:
        """Take the lowest free slot of the root bus; None leaves the choice to QEMU."""
        bus = self._bus(claim)
        if bus != self._family.root_bus:
            return None
        free = self._free(bus)
        if not free:
            raise self._refusal(claim, f"finds no free slot on {bus}")
        self._taken[bus, free[0], 0] = claim
        return f"{free[0]:02x}"

    def check_functions(self) -> None:
        """Refuse functions whose slot has no function 0 that announces them."""
        for (bus, slot, function), claim in self._taken.items():
            first = self._taken.get((bus, slot, 0))
            if function and (first is None or not first.multifunction):
                found = f"{first} there has not" if first else "there is none"
                raise self._refusal(
                    claim,
                    f"has address {claim.address}, but function {function} of a slot is seen by "
                    f"the guest only if function 0 has multifunction=on; {found}. "
                    f"{self._free_text(bus)}",
                )

    def _bus(self, claim: Claim) -> str:
        bus = claim.bus or self._family.root_bus
        if bus not in self._buses:
            known = ", ".join(sorted(self._buses))
            raise self._refusal(claim, f"is on bus '{bus}', which the VM has not. Known: {known}")
        return bus

    def _owner(self, bus: str, slot: int, function: int) -> str | None:
        if bus == self._family.root_bus and slot in self._family.occupied:
            return self._family.occupied[slot]
        other = self._taken.get((bus, slot, function))
        if other is None:
            return None
        return f"{other}, from {other.origin}," if other.origin else str(other)

    def _free(self, bus: str) -> list[int]:
        taken = {slot for name, slot, _ in self._taken if name == bus}
        if bus == self._family.root_bus:
            taken |= set(self._family.occupied)
        return [slot for slot in SLOTS if slot not in taken]

    def _free_text(self, bus: str) -> str:
        return f"Free slots: {' '.join(f'{slot:02x}' for slot in self._free(bus))}"

    def _refusal(self, claim: Claim, words: str) -> Exception:
        return refusal(self._vm, claim.origin, f"device {claim} {words}")
