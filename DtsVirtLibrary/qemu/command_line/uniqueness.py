"""No id, MAC or back end of a VM is used twice, and every back end that is named exists."""

from __future__ import annotations

import re
from collections.abc import Iterator

from DtsVirtLibrary.errors import nearest
from DtsVirtLibrary.qemu import names
from DtsVirtLibrary.qemu.command_line.identity import netdev_id
from DtsVirtLibrary.qemu.command_line.options import is_id
from DtsVirtLibrary.qemu.command_line.plan import Plan
from DtsVirtLibrary.qemu.command_line.raw_options import made_ids
from DtsVirtLibrary.spec import Nic, Origin

_MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}\Z")


def check_unique(plan: Plan) -> None:
    """Check ids, MACs and back ends.

    :raises ConfigError: one is used twice, is malformed, or is not there.
    """
    _check_ids(plan)
    _check_macs(plan)
    _check_backends(plan)


def _check_ids(plan: Plan) -> None:
    seen: dict[str, Origin | None] = dict.fromkeys(made_ids(plan.spec.user_commands))
    for name, origin, own in _ids(plan):
        if not is_id(name):
            raise plan.refusal(
                origin, f"'{name}' is no id. Allowed: a letter, then letters, digits and - . _"
            )
        if name in names.RESERVED and not own:
            raise plan.refusal(origin, f"the id '{name}' is one of the library's own; use another")
        if name in seen:
            raise plan.refusal(origin, f"the id '{name}' is used twice{_other_place(seen[name])}")
        seen[name] = origin


def _ids(plan: Plan) -> Iterator[tuple[str, Origin | None, bool]]:
    """Yield every id, where it was written, and whether the library itself chose it."""
    for disk in plan.spec.disks:
        yield disk.id or "", disk.origin, False
    for device in plan.spec.devices:
        own = isinstance(device, Nic) and device.control
        yield device.id or "", device.origin, own


def _check_macs(plan: Plan) -> None:
    seen: dict[str, Nic] = {}
    for nic in plan.spec.nics:
        mac = nic.mac or ""
        if not _MAC.match(mac):
            raise plan.refusal(
                nic.origin, f"card '{nic.id}' has the MAC '{mac}'. Allowed: 52:54:00:12:34:56"
            )
        if int(mac[:2], 16) & 1:
            raise plan.refusal(
                nic.origin,
                f"card '{nic.id}' has the multicast MAC '{mac}'; the first byte must be even",
            )
        if mac in seen:
            other = seen[mac]
            raise plan.refusal(
                nic.origin,
                f"cards '{other.id}' and '{nic.id}' have the same MAC {mac}"
                f"{_other_place(other.origin)}",
            )
        seen[mac] = nic


def _check_backends(plan: Plan) -> None:
    made = {netdev_id(nic) for nic in plan.spec.nics if nic.backend is not None}
    made |= set(made_ids(plan.spec.user_commands, "netdev"))
    users: dict[str, Nic] = {}
    for nic in plan.spec.nics:
        if nic.backend is None and nic.netdev is None:
            continue
        name = netdev_id(nic)
        if name not in made:
            raise plan.refusal(
                nic.origin,
                f"card '{nic.id}' is connected to the back end '{name}', which the VM has not."
                f"{nearest(name, made)} Known: {', '.join(sorted(made)) or 'none'}",
            )
        if name in users:
            other = users[name]
            raise plan.refusal(
                nic.origin,
                f"cards '{other.id}' and '{nic.id}' are both connected to the back end '{name}'"
                f"{_other_place(other.origin)}",
            )
        users[name] = nic


def _other_place(origin: Origin | None) -> str:
    return f"; the other is at {origin}" if origin else ""
