"""Starting VMs, one or several side by side, when the host has the memory for all of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.host.admission import Need, admitted
from DtsVirtLibrary.host.protocol import Host
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.results import Readiness
from DtsVirtLibrary.spec import VmSpec
from DtsVirtLibrary.vm.machine import Machine

# A clone shares what it does not write with its template.
CLONE_SHARE = 4


@dataclass(frozen=True)
class Order:
    """A VM to start, and how; see :meth:`.Machine.start`."""

    machine: Machine
    seconds: float | None
    warm: bool | None
    fresh_identity: bool | None = None


async def start_all(
    host: Host,
    orders: Sequence[Order],
    readiness: Readiness,
    patience: float,
    waiting: Callable[[str], None],
) -> list[BaseException | None]:
    """Start the VMs side by side; return for each the error that it failed with, if it did.

    :param patience: seconds to wait until the host has room for them.
    :raises HostError: the host has no room for them; none of them was started.
    """
    specs = [(order.machine.specification(), order.warm) for order in orders]
    try:
        async with admitted(host, need_of(specs), Deadline(patience), waiting):
            results = await asyncio.gather(
                *(_start(order, readiness) for order in orders), return_exceptions=True
            )
    except HostError as error:
        error.name_vm("', '".join(order.machine.name for order in orders))
        raise
    return [result if isinstance(result, BaseException) else None for result in results]


async def _start(order: Order, readiness: Readiness) -> None:
    await order.machine.start(
        readiness, order.seconds, warm=order.warm, fresh_identity=order.fresh_identity
    )


def need_of(specs: Sequence[tuple[VmSpec, bool | None]]) -> Need:
    """Return the memory that VMs take which are started together, warm or not."""
    pages: Counter[int | None] = Counter()
    memory = 0
    for spec, warm in specs:
        size = spec.memory.size_mib
        if spec.memory.hugepage:
            pages[spec.memory.node] += size
        else:
            is_clone = spec.warm if warm is None else warm
            memory += size // CLONE_SHARE if is_clone else size
    return Need(memory, tuple(pages.items()))
