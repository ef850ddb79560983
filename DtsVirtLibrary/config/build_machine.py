"""The machine itself: processors, memory, disks and what it boots."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

from DtsVirtLibrary.config.check import Checked, CheckedParameters
from DtsVirtLibrary.config.identifiers import Identifiers
from DtsVirtLibrary.config.problems import problem
from DtsVirtLibrary.spec import NOTHING, Boot, Cpu, Disk, Memory

EMBEDDED_MEMORY = 512
MEMORY = 2048
FORMATS = {
    ".qcow2": "qcow2",
    ".qcow": "qcow",
    ".qed": "qed",
    ".vdi": "vdi",
    ".vmdk": "vmdk",
    ".vhd": "vpc",
    ".vpc": "vpc",
    ".vhdx": "vhdx",
}


def single(checked: CheckedParameters, name: str) -> Checked | None:
    """Return the entry of a parameter that has at most one."""
    return next(iter(checked.get(name, ())), None)


def build_boot(checked: CheckedParameters) -> Boot:
    """Return what the machine boots: the embedded guest if there is nothing else."""
    guest, kernel = single(checked, "guest"), single(checked, "kernel")
    flash = checked.get("pflash", ())
    rivals = [entry for entry in (guest, kernel) if entry]
    if guest and (kernel or flash):
        rival = kernel or flash[0]
        facts = [f"The other: {rival.origin}"]
        text = "a VM boots either the embedded guest or a kernel or firmware of its own"
        raise problem(guest.origin, "guest", text, facts)
    origin = rivals[0].origin if rivals else None
    firmware = tuple(entry["file"] for entry in flash)
    if kernel:
        append = _append(kernel)
        return Boot(None, kernel["kernel_img"], kernel["initrd"], append, firmware, origin)
    if guest:
        return Boot(guest=guest["flavour"], origin=origin)
    if checked.get("disk") or firmware:
        return Boot(pflash=firmware)
    return Boot(guest="default")


def _append(kernel: Checked) -> str | None:
    if kernel["baudrate"] and not kernel["console"]:
        raise problem(kernel.origin, "kernel", "baudrate stands without console")
    words = []
    if kernel["console"]:
        rate = f",{kernel['baudrate']}" if kernel["baudrate"] else ""
        words.append(f"console={kernel['console']}{rate}")
    if kernel["root"]:
        words.append(f"root={kernel['root']}")
    if kernel["append"]:
        words.append(kernel["append"])
    return " ".join(words) or None


def build_cpu(entry: Checked | None) -> Cpu:
    """Return the vCPUs; a topology that was given in part is completed."""
    if entry is None:
        return Cpu()
    number, sockets, cores, threads = _topology(entry)
    return Cpu(
        model=entry["model"],
        number=number,
        sockets=sockets,
        cores=cores,
        threads=threads,
        pins=entry["cpupin"] or (),
        origin=entry.origin,
    )


def _topology(entry: Checked) -> tuple[int, int | None, int | None, int | None]:
    number: int | None = entry["number"]
    sizes = [entry[level] for level in ("sockets", "cores", "threads")]
    if not any(sizes):
        return number or 1, None, None, None
    product = 1
    for size in sizes:
        product *= size or 1
    if number is None:
        number = product
    missing = next((index for index, size in enumerate(sizes) if size is None), None)
    rest, remainder = divmod(number, product)
    if remainder or (missing is None and rest != 1) or not rest:
        asked = ", ".join(
            f"{level}={size}"
            for level, size in zip(("sockets", "cores", "threads"), sizes, strict=True)
            if size
        )
        text = f"number={number} is not sockets x cores x threads ({asked})"
        raise problem(entry.origin, "cpu", text)
    filled = [size or 1 for size in sizes]
    if missing is not None:
        filled[missing] = rest
    return number, filled[0], filled[1], filled[2]


def build_memory(entry: Checked | None, embedded: bool) -> Memory:
    """Return the memory; the default depends on whether the embedded guest boots."""
    default = EMBEDDED_MEMORY if embedded else MEMORY
    if entry is None:
        return Memory(size_mib=default)
    return Memory(entry["size"] or default, entry["hugepage"], entry["node"], entry.origin)


def build_disks(entries: Sequence[Checked], identifiers: Identifiers) -> tuple[Disk, ...]:
    """Return the disks in the order of their entries."""
    return tuple(_disk(entry, identifiers) for entry in entries)


def _disk(entry: Checked, identifiers: Identifiers) -> Disk:
    file: str = entry["file"]
    suffix = f".{file.rpartition('.')[2].lower()}" if "." in file else ""
    media = entry["opt_media"] or ("cdrom" if suffix == ".iso" else "disk")
    return Disk(
        file=file,
        format=entry["opt_format"] or FORMATS.get(suffix, "raw"),
        interface=entry["opt_if"] or ("ide" if media == "cdrom" else "virtio"),
        index=entry["opt_index"],
        media=media,
        overlay=entry["overlay"],
        id=identifiers.choose(entry, "disk"),
        origin=entry.origin,
    )


def machine_options(entry: Checked | None) -> MappingProxyType[str, str]:
    """Return the properties of the machine type."""
    if entry is None:
        return MappingProxyType(dict(NOTHING))
    version = {"gic-version": entry["opt_gic_version"]} if entry["opt_gic_version"] else {}
    return MappingProxyType({**version, **entry.extra})
