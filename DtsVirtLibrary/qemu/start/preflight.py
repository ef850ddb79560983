"""What is looked at before anything is made or started."""

from __future__ import annotations

from DtsVirtLibrary.errors import ConfigError
from DtsVirtLibrary.host import hugepages, pci
from DtsVirtLibrary.host.protocol import Host
from DtsVirtLibrary.qemu.start.images import ImageCheck
from DtsVirtLibrary.qemu.start.pinning import require_cpus
from DtsVirtLibrary.spec import Boot, HostPciDevice, Origin, VmSpec


async def check(host: Host, spec: VmSpec, images: ImageCheck) -> None:
    """Refuse what would fail, or worse, half work.

    :raises ImageError: an image cannot be used; see :class:`.images.ImageCheck`.
    :raises ConfigError: a kernel, initrd or flash file is missing.
    :raises HostError: hugepages or host CPUs are short, or a PCI function of the host
        cannot be passed through.
    """
    for disk in spec.disks:
        await images.check(spec.name, disk)
    await _check_boot(host, spec.name, spec.boot)
    if spec.memory.hugepage:
        await hugepages.require(host, spec.memory.size_mib, spec.memory.node)
    for device in spec.devices:
        if isinstance(device, HostPciDevice):
            await pci.require_viable(host, device.host)
    await require_cpus(host, spec)


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
