"""What makes a template valid, as one digest: anything that differs makes another template."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from DtsVirtLibrary.errors import TemplateError
from DtsVirtLibrary.host.protocol import FileKind, Host
from DtsVirtLibrary.qemu.binary.facts import BinaryFacts
from DtsVirtLibrary.qemu.command_line.host_facts import HostFacts
from DtsVirtLibrary.qemu.command_line.memory import is_shared
from DtsVirtLibrary.qemu.command_line.placement import Descriptor, MemoryFile, Placement
from DtsVirtLibrary.qemu.command_line.raw_options import RawOption, raw_options, split_keys
from DtsVirtLibrary.qemu.command_line.storage import is_block_device
from DtsVirtLibrary.qemu.start.qcow2 import HEADER_BYTES, backing_path
from DtsVirtLibrary.spec import Device, Disk, HostPciDevice, Nic, UserBackend, VmSpec

# Raised when templates of the former kind must not be used any more.
FORMAT = 4
NAME = "template"
# Two images that name each other would never end.
LONGEST_CHAIN = 32
# Raw options that give a disk which the guest may write to.
WRITTEN = (
    "drive",
    "blockdev",
    "hda",
    "hdb",
    "hdc",
    "hdd",
    "fda",
    "fdb",
    "sd",
    "mtdblock",
    "pflash",
)
PROCESSOR_FACTS = ("model name", "flags", "microcode")


@dataclass(frozen=True)
class Split:
    """A specification as warm start sees it.

    :ivar core: what is in the template: the VM without the cards that are plugged in later.
    :ivar later: cards whose back end another VM could see, so that each VM has its own.
    """

    core: VmSpec
    later: tuple[Nic, ...]


def split(spec: VmSpec) -> Split:
    """Return the part of a VM that a template can hold, and the cards that it cannot.

    :raises TemplateError: no template can be made of it; the text says why.
    """
    if reason := _why_not(spec):
        raise TemplateError(reason)
    later = tuple(nic for nic in spec.nics if not isinstance(nic.backend, UserBackend))
    core: list[Device] = [device for device in spec.devices if device not in later]
    disks = tuple(disk if _is_read_only(disk) else _overlaid(disk) for disk in spec.disks)
    return Split(replace(spec, devices=tuple(core), disks=disks), later)


def needs_shared_memory(spec: VmSpec) -> bool:
    """Tell whether a back end maps the guest's memory, so that it must be a copy."""
    return is_shared(spec)


def has_memory_file(spec: VmSpec) -> bool:
    """Tell whether the template has the memory in a file that its clones map.

    Hugepages are few, and a clone reserves all of its own anyway: so their contents are saved
    with the state of the devices, and the template keeps none.
    """
    return not spec.memory.hugepage


def anonymous(spec: VmSpec) -> VmSpec:
    """Return the specification without what differs from clone to clone."""
    return replace(
        spec,
        name=NAME,
        vnc=None if spec.vnc is None else replace(spec.vnc, display=None),
        monitor_path=None,
        pid_file=None,
        devices=tuple(map(_without_host_ports, spec.devices)),
    )


def describe(spec: VmSpec) -> str:
    """Return a few words for people: what the VM boots, its memory, processors and disks."""
    boots = spec.boot.guest and f"guest {spec.boot.guest}"
    parts = [
        boots or spec.boot.kernel or "firmware",
        f"{spec.memory.size_mib} MiB",
        f"{spec.cpu.number} CPU",
        *(disk.file for disk in spec.disks),
    ]
    return ", ".join(parts)


def anonymous_placement(spec: VmSpec) -> Placement:
    """Return the places that stand for those of any start."""
    memory = MemoryFile(f"/{NAME}/memory", shared=True) if has_memory_file(spec) else None
    return Placement(
        f"/{NAME}",
        Descriptor(0),
        Descriptor(1),
        Descriptor(2),
        of_template=True,
        memory=memory,
        storage=f"/{NAME}",
    )


async def key_of(
    host: Host, spec: VmSpec, binary: BinaryFacts, facts: HostFacts, argv: Sequence[str]
) -> str:
    """Return the key of the template for `spec`.

    :param argv: the command line of the :func:`anonymous` specification.
    """
    boot = spec.boot
    files = [boot.kernel or facts.kernel, boot.initrd or facts.initrd, *boot.pflash]
    named = [path for path in _values(argv) if await _is_file(host, path)]
    document = {
        "format": FORMAT,
        "argv": list(argv),
        "binary": [await _file_facts(host, binary.path), binary.version, binary.package],
        "files": [await _file_facts(host, path) for path in (*files, *named) if path is not None],
        "disks": [await _image_facts(host, disk.file) for disk in spec.disks],
        "host": await _processor(host) if facts.accelerator == "kvm" else None,
        # Else what was saved with a password would let it in where none was asked for.
        "password": bool(spec.login.password),
    }
    text = json.dumps(document, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _why_not(spec: VmSpec) -> str | None:
    """Return why no template can be made of a VM, None if one can."""
    if not spec.guest_agent:
        return "it has no guest agent (qga=enable=no), and a clone's clock is set by it"
    if spec.incoming is not None:
        return "it waits for a migration"
    if len(spec.boot.pflash) > 1:
        return "its firmware writes its variables to a file of yours"
    control = spec.control_nic
    if control is not None and not isinstance(control.backend, UserBackend):
        return "its control card is not on a user network"
    passed = [device.host for device in spec.devices if isinstance(device, HostPciDevice)]
    if passed:
        return f"the host's PCI function {passed[0]} is passed through, whose state stays in it"
    if given := _given_back_end(spec.user_commands):
        return given
    block = next((disk for disk in spec.disks if is_block_device(disk.file)), None)
    if block is not None:
        return f"its disk '{block.file}' is a block device, which may change unseen"
    return None


def _given_back_end(words: Sequence[str]) -> str | None:
    """Return why none can be made for what usercmd gives, None if one can."""
    for option in raw_options(words):
        if option.name in WRITTEN and not _only_read(option):
            return (
                f"usercmd gives it a disk (-{option.name}), which its clones would share and write "
                "to. Give it by the parameter disk, or with readonly=on"
            )
        driver = option.first.removeprefix("driver=")
        if option.name in ("device", "netdev") and driver.startswith("vhost-"):
            return (
                "usercmd gives it a back end that maps its memory "
                f"(-{option.name} {driver}). Give it by the parameter device"
            )
    return None


def _only_read(option: RawOption) -> bool:
    read_only = {option.get("readonly"), option.get("read-only")} & {"on", "true", "yes"}
    return bool(read_only) or option.get("media") == "cdrom"


def _values(argv: Sequence[str]) -> Iterator[str]:
    """Yield every word of a command line that could be a path."""
    for word in argv:
        for part in split_keys(word):
            yield (part.partition("=")[2] or part).replace(",,", ",")


async def _is_file(host: Host, path: str) -> bool:
    status = await host.status(path)
    return status is not None and status.kind is FileKind.FILE


def _is_read_only(disk: Disk) -> bool:
    return disk.media == "cdrom" and not disk.overlay


def _overlaid(disk: Disk) -> Disk:
    return replace(disk, overlay=True)


def _without_host_ports(device: Device) -> Device:
    if not isinstance(device, Nic) or not isinstance(device.backend, UserBackend):
        return device
    forwards = tuple(replace(forward, host_port=0) for forward in device.backend.forwards)
    return replace(device, backend=replace(device.backend, forwards=forwards))


async def _file_facts(host: Host, path: str) -> list[object]:
    """Return path, size and time of change; what is built anew has a new time."""
    status = await host.status(path)
    if status is None:
        raise TemplateError(f"'{path}' does not exist on {host.name}.")
    return [await host.real_path(path), status.size, status.modified_ns]


async def _image_facts(host: Host, path: str) -> list[object]:
    """Return the facts of an image and of all that it is an overlay of, with their headers."""
    found: list[object] = []
    next_path: str | None = path
    while next_path is not None and len(found) < LONGEST_CHAIN:
        header = await host.read_bytes(next_path, limit=HEADER_BYTES)
        digest = hashlib.sha256(header).hexdigest()
        found.append([*await _file_facts(host, next_path), digest])
        next_path = backing_path(next_path, header)
    return found


async def _processor(host: Host) -> list[str]:
    """Return what KVM's guests see of the host: its processor and its kernel."""
    lines = (await host.read_text("/proc/cpuinfo")).splitlines()
    facts = {line for line in lines if line.partition("\t")[0].strip() in PROCESSOR_FACTS}
    return [*sorted(facts), await host.read_text("/proc/sys/kernel/osrelease")]
