"""Waiting for what befalls a running VM."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Collection, Sequence

from DtsVirtLibrary.errors import BackendError, Evidence, GuestRebooted, WaitTimeout
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.results import MonitorEvent
from DtsVirtLibrary.vm.hypervisor import Instance
from DtsVirtLibrary.vm.machine import Machine

# QEMU before 10.0 has no event for it.
BACKEND_POLL = 0.1


async def wait_for_event(
    machine: Machine, names: Collection[str], after: MonitorEvent | None, seconds: float
) -> MonitorEvent:
    """Return the first event of one of these names since the launch, or after another event.

    :raises WaitTimeout: none came in time.
    """
    since = 0.0 if after is None else math.nextafter(after.at, math.inf)
    deadline = Deadline(seconds)
    return await machine.use(
        "Wait Until VM Event",
        lambda instance: instance.wait_for_event(names, deadline=deadline, since=since),
    )


async def require_no_crash(machine: Machine) -> None:
    """Fail if the last start's process or guest has ended, or was reset, on its own.

    :raises VmDied: the process ended, not in an orderly way.
    :raises GuestPanic: the guest panicked.
    :raises GuestIoError: the guest stands still, as its disk failed.
    :raises GuestRebooted: the guest was reset, and no keyword had asked for that.
    """
    action = "VM Should Not Have Crashed"
    if machine.crash is not None:
        raise machine.crash.error(action)
    if not machine.started:
        return

    async def resets(instance: Instance) -> Sequence[str]:
        await instance.status()
        return instance.unasked_resets

    unasked = await machine.use(action, resets, needs_guest=machine.lost)
    if unasked:
        raise GuestRebooted(f"VM '{machine.name}': {unasked[0]}.")


async def require_connected(machine: Machine, card: str) -> None:
    """Fail unless the vhost-user back end of a network card is connected.

    :raises BackendError: it is not.
    :raises ConfigError: there is no such card.
    """
    connected = await machine.use(
        "VM NIC Should Be Connected", lambda instance: instance.backend_connected(card)
    )
    if not connected:
        raise BackendError(
            f"VM '{machine.name}': the vhost-user back end of card '{card}' is disconnected. "
            "The VM lives, but the card is dead. Start the back end (the switch) again; the "
            "card comes back where QEMU is the server, or reconnects (opt_reconnect=1).",
            Evidence(vm=machine.name, action="VM NIC Should Be Connected"),
        )


async def wait_for_backend(machine: Machine, card: str, *, connected: bool, seconds: float) -> None:
    """Return when the vhost-user back end of a card is connected, or has gone.

    :raises WaitTimeout: that did not come about in time.
    """
    deadline = Deadline(seconds)
    wanted = "connected" if connected else "disconnected"
    action = f"Wait Until VM NIC Is {wanted.title()}"
    while True:
        found = await machine.use(action, lambda instance: instance.backend_connected(card))
        if found is connected:
            return
        if deadline.expired:
            raise WaitTimeout(
                f"VM '{machine.name}': the vhost-user back end of card '{card}' is not {wanted} "
                f"after {deadline.elapsed:.1f} s.",
                Evidence(vm=machine.name, action=action, waited=deadline.elapsed),
            )
        await asyncio.sleep(deadline.at_most(BACKEND_POLL))
