"""Whether KVM can be used, decided by the processor's flags and a trial, and the choice."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from DtsVirtLibrary.errors import AcceleratorError, CommandError
from DtsVirtLibrary.host.protocol import Host
from DtsVirtLibrary.spec import Accelerator

KVM_DEVICE = "/dev/kvm"
TRIAL_SECONDS = 20.0


@dataclass(frozen=True)
class AcceleratorFacts:
    """Whether KVM can be used on a host, and why not (with what to do about it)."""

    kvm: bool
    reason: str = ""


async def probe_accelerator(host: Host, binary: str) -> AcceleratorFacts:
    """Find out whether this QEMU binary can use KVM on the host.

    The device file alone says nothing: it can be there, and open, on a processor that
    offers no virtualization.
    """
    for reason in (await _no_device(host), await _no_flag(host), await _no_rights(host)):
        if reason:
            return AcceleratorFacts(False, reason)
    reason = await _failed_trial(host, binary)
    return AcceleratorFacts(not reason, reason)


def choose(wanted: Accelerator, facts: AcceleratorFacts) -> str:
    """Return ``kvm`` or ``tcg``.

    :raises AcceleratorError: KVM was demanded and cannot be used.
    """
    if wanted is Accelerator.TCG:
        return "tcg"
    if wanted is Accelerator.KVM and not facts.kvm:
        raise AcceleratorError(
            f"KVM was demanded and cannot be used: {facts.reason} "
            "Or use accelerator 'auto' or 'tcg', which is slower and runs everywhere."
        )
    return "kvm" if facts.kvm else "tcg"


async def _no_device(host: Host) -> str:
    if await host.status(KVM_DEVICE) is not None:
        return ""
    return (
        f"there is no {KVM_DEVICE} on {host.name}. Turn on virtualization in its firmware and "
        "load the module kvm_intel or kvm_amd; in a container, pass the device in."
    )


async def _no_flag(host: Host) -> str:
    flags = re.findall(r"^flags\s*:(.*)$", await host.read_text("/proc/cpuinfo"), re.MULTILINE)
    if any({"vmx", "svm"} & set(line.split()) for line in flags):
        return ""
    return (
        f"the processor of {host.name} offers no virtualization (no vmx or svm among the flags "
        "in /proc/cpuinfo). Turn it on in the firmware or, in a virtual machine, allow nested "
        "virtualization on the machine below."
    )


async def _no_rights(host: Host) -> str:
    test = await host.run(
        ["sh", "-c", f"test -r {KVM_DEVICE} && test -w {KVM_DEVICE}"], timeout=10, check=False
    )
    if test.exit_code == 0:
        return ""
    return (
        f"user id {await host.user_id()} may not read and write {KVM_DEVICE} on {host.name}. "
        "Add the user to the group kvm (usermod -aG kvm USER) and log in again."
    )


async def _failed_trial(host: Host, binary: str) -> str:
    argv = [
        binary,
        *("-M", "pc", "-accel", "kvm", "-cpu", "host", "-m", "16", "-S"),
        *("-nodefaults", "-no-user-config", "-display", "none"),
        *("-chardev", "stdio,id=qmp", "-mon", "chardev=qmp,mode=control"),
    ]
    talk = "".join(f"{json.dumps({'execute': c})}\n" for c in ("qmp_capabilities", "quit"))
    try:
        done = await host.run(argv, timeout=TRIAL_SECONDS, stdin=talk.encode(), check=False)
    except CommandError as error:
        return f"the trial of {binary} with KVM failed: {error.summary}"
    # QEMU greets before it has set up its CPU, so only an answer counts.
    if done.exit_code == 0 and any(_answers(done.stdout)):
        return ""
    words = done.stderr.strip().splitlines() or [f"exit code {done.exit_code}"]
    return f"{binary} does not start with '-accel kvm -cpu host': {words[-1]}"


def _answers(text: str) -> Iterator[bool]:
    for line in text.splitlines():
        yield line.lstrip().startswith('{"return"')
