"""``-m`` and the back end of the guest's memory."""

from __future__ import annotations

from DtsVirtLibrary.qemu import names
from DtsVirtLibrary.qemu.command_line.options import Option, Values, pairs, text
from DtsVirtLibrary.qemu.command_line.plan import Plan
from DtsVirtLibrary.spec import CryptoDevice, Nic, VhostUserBackend, VmSpec


def memory_options(plan: Plan) -> list[Option]:
    """Return the size of the memory, and its back end where it is not plain memory."""
    size = f"{plan.spec.memory.size_mib}M"
    if not has_backend(plan):
        return [text("-m", size)]
    return [text("-m", size), _backend(plan, size)]


def has_backend(plan: Plan) -> bool:
    """Tell whether the memory has a back end object, which ``-machine`` must then name."""
    memory = plan.spec.memory
    return (
        plan.placement.memory is not None
        or memory.hugepage
        or memory.node is not None
        or is_shared(plan.spec)
    )


def is_shared(spec: VmSpec) -> bool:
    """Tell whether another process maps the guest's memory: every vhost-user back end does."""
    return any(
        (isinstance(device, Nic) and isinstance(device.backend, VhostUserBackend))
        or (isinstance(device, CryptoDevice) and device.path is not None)
        for device in spec.devices
    )


def _backend(plan: Plan, size: str) -> Option:
    memory = plan.spec.memory
    common: Values = {"id": names.MEMORY_BACKEND, "size": size}
    # Pages that are not there are then missed at the start, not by SIGBUS in the guest's use.
    huge: Values = {"share": True, "prealloc": True}
    node: Values = {}
    if memory.node is not None:
        node = {"host-nodes": str(memory.node), "policy": "bind"}
    if plan.placement.memory is not None:
        file: Values = {"mem-path": plan.placement.memory.path}
        mapping: Values = {"share": plan.placement.memory.shared}
        return pairs("-object", "memory-backend-file", {**common, **file, **mapping, **node})
    if memory.hugepage and plan.host.hugepages is not None:
        values = {**common, "mem-path": plan.host.hugepages, **huge, **node}
        return pairs("-object", "memory-backend-file", values)
    if memory.hugepage:
        plan.note("no hugetlbfs is mounted; the hugepages are taken by memfd")
        values = {**common, "hugetlb": True, **huge, **node}
        return pairs("-object", "memory-backend-memfd", values)
    if is_shared(plan.spec):
        return pairs("-object", "memory-backend-memfd", {**common, "share": True, **node})
    return pairs("-object", "memory-backend-ram", {**common, **node})
