"""What the machine boots, and the options of the machine itself."""

from __future__ import annotations

from collections.abc import Iterator

from DtsVirtLibrary.errors import nearest
from DtsVirtLibrary.qemu import names
from DtsVirtLibrary.qemu.command_line.memory import has_backend
from DtsVirtLibrary.qemu.command_line.options import Option, pairs, text
from DtsVirtLibrary.qemu.command_line.plan import Plan
from DtsVirtLibrary.qemu.command_line.properties import allowed, convert

MOST_FLASH_FILES = 2
CORE_DUMP = "dump-guest-core"


def machine_option(plan: Plan) -> Option:
    """Return the machine type with its options, those of the tester last.

    :raises ConfigError: the machine has no such option.
    """
    values: dict[str, str] = {}
    if CORE_DUMP not in {name.replace("_", "-") for name in plan.spec.machine_options}:
        # Core dumps go to others: an administrator's mail, a world-readable directory.
        values[CORE_DUMP] = "off"
    if has_backend(plan):
        values["memory-backend"] = names.MEMORY_BACKEND
    if len(plan.spec.boot.pflash) > MOST_FLASH_FILES:
        raise plan.refusal(
            plan.spec.boot.origin,
            f"{len(plan.spec.boot.pflash)} pflash files; a machine takes two at most: "
            "the firmware's code and its variables",
        )
    for number in range(len(plan.spec.boot.pflash)):
        values[f"pflash{number}"] = f"pflash{number}"
    return pairs("-machine", plan.machine, {**values, **_checked_options(plan, values)})


def boot_options(plan: Plan) -> Iterator[Option]:
    """Yield kernel, initial RAM disk and kernel command line.

    :raises ConfigError: an initial RAM disk or kernel command line without a kernel.
    """
    boot = plan.spec.boot
    if boot.guest is not None and boot.kernel is None:
        yield text("-kernel", plan.host.kernel or f"KERNEL-OF-GUEST-{boot.guest}")
        yield text("-initrd", plan.host.initrd or f"INITRD-OF-GUEST-{boot.guest}")
        yield text("-append", _guest_append(plan))
        return
    if boot.kernel is None:
        _refuse_without_kernel(plan)
        return
    yield text("-kernel", plan.path(boot.kernel))
    if boot.initrd is not None:
        yield text("-initrd", plan.path(boot.initrd))
    if boot.append is not None:
        yield text("-append", boot.append)


def _refuse_without_kernel(plan: Plan) -> None:
    boot = plan.spec.boot
    for name, value in (("initrd", boot.initrd), ("append", boot.append)):
        if value is not None:
            raise plan.refusal(
                boot.origin, f"{name} '{value}' needs a kernel; give kernel_img too, or neither"
            )


def _guest_append(plan: Plan) -> str:
    """The embedded guest finds its name and the card that it is reached by in these words."""
    words = [plan.placement.append, f"hostname={plan.spec.name}"]
    if plan.spec.control_nic is not None:
        words.append(f"host_connect={plan.spec.control_nic.mac}")
    words.append(plan.spec.boot.append or "")
    return " ".join(word for word in words if word)


def _checked_options(plan: Plan, ours: dict[str, str]) -> dict[str, str]:
    known = plan.binary.machine_properties.get(plan.family.alias, {})
    checked = {}
    for name, value in plan.spec.machine_options.items():
        kind = known.get(name.replace("_", "-"))
        taken = convert(kind, value) if kind else None
        if name in ours or name == "type":
            reason = f"machine option '{name}' is set by the library"
        elif kind is None:
            reason = (
                f"machine {plan.machine} of QEMU {plan.binary.version_text} has no option "
                f"'{name}'.{nearest(name, known)} Known: {', '.join(sorted(known))}"
            )
        elif taken is None:
            reason = f"machine option '{name}' does not take '{value}'. Allowed: {allowed(kind)}"
        else:
            checked[name.replace("_", "-")] = taken
            continue
        raise plan.refusal(plan.spec.boot.origin, reason)
    return checked
