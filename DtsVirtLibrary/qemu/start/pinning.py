"""Each vCPU on a host CPU of its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.host.protocol import Host
from DtsVirtLibrary.qemu.qmp.monitor import Monitor
from DtsVirtLibrary.qemu.qmp.replies import VCPUS, ask
from DtsVirtLibrary.spec import Cpu, VmSpec

ONLINE = "/sys/devices/system/cpu/online"


async def require_cpus(host: Host, spec: VmSpec) -> None:
    """Check that the host has the CPUs that the VM is to be pinned to.

    :raises HostError: it has not; the text names the online ones.
    """
    if not spec.cpu.pins:
        return
    text = (await host.read_text(ONLINE)).strip()
    if missing := sorted(set(spec.cpu.pins) - parse_cpu_list(text)):
        where = f" ({spec.cpu.origin})" if spec.cpu.origin else ""
        raise HostError(
            f"VM '{spec.name}'{where} is to be pinned to CPU {', '.join(map(str, missing))}, which "
            f"{host.name} does not have; online are {text}."
        )


async def pin(host: Host, monitor: Monitor, spec: VmSpec) -> list[str]:
    """Pin each vCPU's thread to its CPU of ``spec.cpu.pins``, and read that back.

    With fewer pins than vCPUs the vCPUs beyond may run on any CPU of the list; with more,
    those beyond are not used.

    :returns: a line for the log for each such case; empty if each vCPU has its own CPU.
    :raises HostError: a CPU does not exist, or the host did not keep to it.
    """
    if not spec.cpu.pins:
        return []
    await require_cpus(host, spec)
    vcpus = await ask(monitor, "query-cpus-fast", VCPUS)
    threads: dict[int, set[int]] = defaultdict(set)
    for vcpu in vcpus:
        threads[vcpu["thread-id"]].update(pins_of(vcpu["cpu-index"], spec.cpu))
    for thread, cpus in threads.items():
        await _set(host, spec.name, thread, sorted(cpus))
    notes = length_notes(spec, len(vcpus))
    if len(threads) < len(vcpus):
        notes.append(
            f"VM '{spec.name}': QEMU runs its {len(vcpus)} vCPUs in {len(threads)} thread(s), so "
            "they share the CPUs they are pinned to."
        )
    return notes


def pins_of(index: int, cpu: Cpu) -> Sequence[int]:
    """Return the host CPUs that the vCPU of this index may run on."""
    return cpu.pins[index : index + 1] or cpu.pins


def length_notes(spec: VmSpec, vcpus: int) -> list[str]:
    """Return the note about a list of another length than the number of vCPUs."""
    pins = spec.cpu.pins
    listed = ", ".join(map(str, pins))
    if len(pins) < vcpus:
        return [
            f"VM '{spec.name}': {len(pins)} CPUs for {vcpus} vCPUs: vCPU {len(pins)} and those "
            f"beyond may run on any of {listed}."
        ]
    if len(pins) > vcpus:
        surplus = ", ".join(map(str, pins[vcpus:]))
        return [f"VM '{spec.name}': {len(pins)} CPUs for {vcpus} vCPUs: {surplus} not used."]
    return []


def parse_cpu_list(text: str) -> set[int]:
    """Return the numbers of a kernel's list: ``0-3,8`` -> 0, 1, 2, 3, 8."""
    numbers: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    return numbers


async def _set(host: Host, vm: str, thread: int, cpus: Sequence[int]) -> None:
    await host.set_affinity(thread, cpus)
    kept = await host.affinity(thread)
    if tuple(kept) != tuple(cpus):
        raise HostError(
            f"VM '{vm}': thread {thread} was pinned to CPU {', '.join(map(str, cpus))}, but "
            f"{host.name} lets it run on {', '.join(map(str, kept))}. A cpuset (cgroup) that "
            "this run is in takes precedence."
        )
