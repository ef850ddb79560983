"""What is looked at before anything is made or started."""

from __future__ import annotations

from DtsVirtLibrary.errors import ConfigError, ImageError
from DtsVirtLibrary.host import hugepages, pci
from DtsVirtLibrary.host.protocol import FileKind, Host
from DtsVirtLibrary.qemu.pinning import require_cpus
from DtsVirtLibrary.spec import Boot, Disk, HostPciDevice, Origin, VmSpec

QCOW2_MAGIC = b"QFI\xfb"
IMAGE_KINDS = (FileKind.FILE, FileKind.BLOCK_DEVICE)


async def check(host: Host, spec: VmSpec) -> None:
    """Refuse what would fail, or worse, half work.

    :raises ImageError: an image is missing, no file, or not of its format.
    :raises ConfigError: a kernel, initrd or flash file is missing.
    :raises HostError: hugepages or host CPUs are short, or a PCI function of the host
        cannot be passed through.
    """
    for disk in spec.disks:
        await _check_disk(host, spec.name, disk)
    await _check_boot(host, spec.name, spec.boot)
    if spec.memory.hugepage:
        await hugepages.require(host, spec.memory.size_mib, spec.memory.node)
    for device in spec.devices:
        if isinstance(device, HostPciDevice):
            await pci.require_viable(host, device.host)
    await require_cpus(host, spec)


async def _check_disk(host: Host, vm: str, disk: Disk) -> None:
    status = await host.status(disk.file)
    where = _where(vm, disk.origin)
    if status is None:
        raise ImageError(
            f"{where}: disk image '{disk.file}' does not exist on {host.name} "
            f"(looked at '{await host.real_path(disk.file)}')."
        )
    if status.kind not in IMAGE_KINDS:
        raise ImageError(f"{where}: disk image '{disk.file}' is a {status.kind.value}, not a file.")
    if status.kind is FileKind.FILE:
        magic = await host.read_bytes(disk.file, limit=len(QCOW2_MAGIC))
        _check_format(where, disk, magic == QCOW2_MAGIC)


def _check_format(where: str, disk: Disk, is_qcow2: bool) -> None:
    """Compare the format that was said with the content.

    The content never decides: a guest that writes a qcow2 header into its raw disk could
    make QEMU read any file of the host.
    """
    if is_qcow2 and disk.format == "raw":
        raise ImageError(
            f"{where}: '{disk.file}' begins like a qcow2 image, but its format is raw. "
            "Say which it is: format=qcow2; if it really is raw, rename it to *.raw and say "
            "format=raw."
        )
    if disk.format == "qcow2" and not is_qcow2:
        raise ImageError(
            f"{where}: '{disk.file}' is not a qcow2 image, but its format says so. "
            "Say which it is: format=raw, or look at it with: qemu-img info."
        )


async def _check_boot(host: Host, vm: str, boot: Boot) -> None:
    for what, path in (
        ("kernel", boot.kernel),
        ("initrd", boot.initrd),
        *(("pflash", path) for path in boot.pflash),
    ):
        if path is not None and await host.status(path) is None:
            raise ConfigError(
                f"{_where(vm, boot.origin)}: {what} '{path}' does not exist on {host.name}."
            )


def _where(vm: str, origin: Origin | None) -> str:
    return f"{origin}: VM '{vm}'" if origin and origin.line else f"VM '{vm}'"
