"""What two VMs of one run cannot both have: an image, a MAC address, a display, a port.

QEMU refuses some of it late and in its own words, and two cards with one MAC address not
at all: they just lose each other's packets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from DtsVirtLibrary.errors import (
    BackendError,
    ConfigError,
    DtsVirtError,
    HostError,
    ImageInUse,
    PortInUse,
)
from DtsVirtLibrary.host.ledger import driver_of, pci_function
from DtsVirtLibrary.host.protocol import Host
from DtsVirtLibrary.spec import (
    HostPciDevice,
    Nic,
    Origin,
    TapBackend,
    UserBackend,
    VhostUserBackend,
    VmSpec,
)
from DtsVirtLibrary.vm.addresses import is_of_template


@dataclass(frozen=True)
class _Claim:
    """Something that one VM alone can have.

    :ivar what: it in words: ``VNC display 1``.
    :ivar remedy: what to do if another VM has it.
    :ivar of_host: the host has one of it, whoever runs.
    :ivar set_up: what a run holds that has set it up; its VMs alone may have it then.
    """

    what: str
    remedy: str
    error: type[DtsVirtError]
    origin: Origin | None
    of_host: bool = True
    set_up: str | None = None


@dataclass(frozen=True)
class HostClaim:
    """Something of the host that a VM names and other runs must not have too.

    :ivar shared: those may have it who only read it, as this VM does.
    :ivar set_up: what a run holds that has set it up; its VMs alone may have it then.
    """

    what: str
    remedy: str
    error: type[DtsVirtError]
    origin: Origin | None
    shared: bool = False
    set_up: str | None = None


@dataclass(frozen=True)
class _Image:
    """An image that a VM opens; the base of a throw-away overlay is only read."""

    vm: str
    what: str
    file: str
    real_path: str
    writes: bool
    origin: Origin | None


async def check(host: Host, spec: VmSpec, others: Sequence[VmSpec]) -> None:
    """Refuse a VM that needs what another one of this run has.

    :param others: the VMs that run, as they are now. For a device that is plugged in, `spec`
        has that alone, and its own VM is among the others.
    :raises ConfigError: a MAC address is taken.
    :raises PortInUse: a VNC display or a forwarded port is taken.
    :raises ImageInUse: an image is open elsewhere, and one of the two writes to it.
    :raises HostError: a PCI function of the host is passed through elsewhere.
    """
    for other in others:
        if other.name != spec.name:
            _check_claims(spec, other)
    await _check_images(host, spec, others)


async def host_claims(host: Host, spec: VmSpec) -> list[HostClaim]:
    """Return what a VM names of the host and cannot share with VMs of other runs."""
    claims = [
        HostClaim(claim.what, claim.remedy, claim.error, claim.origin, set_up=claim.set_up)
        for claim in _claims(spec)
        if claim.of_host
    ]
    for image in await _images(host, spec):
        what, remedy = f"{image.what} '{image.real_path}'", "Take another image or a copy"
        claims.append(HostClaim(what, remedy, ImageInUse, image.origin, not image.writes))
    return claims


def _check_claims(spec: VmSpec, other: VmSpec) -> None:
    taken = {claim.what for claim in _claims(other)}
    for claim in _claims(spec):
        if claim.what in taken:
            raise claim.error(
                f"{where(spec.name, claim.origin)}: {claim.what} is that of VM '{other.name}', "
                f"which runs. {claim.remedy}, or stop '{other.name}' first."
            )


def _claims(spec: VmSpec) -> Iterator[_Claim]:
    for index, device in enumerate(spec.devices):
        if isinstance(device, Nic):
            yield from _claims_of_card(index, device)
        elif isinstance(device, HostPciDevice):
            what, remedy = pci_function(device.host), "Pass another one through"
            driver = driver_of(device.host)
            yield _Claim(what, remedy, HostError, device.origin, set_up=driver)
    if spec.serial.port:
        what, remedy = f"tcp port {spec.serial.port} of the host", "Give another, or none"
        yield _Claim(what, remedy, PortInUse, spec.serial.origin)
    if spec.monitor_path is not None:
        what, remedy = f"socket '{spec.monitor_path}'", "Give the monitor another path"
        yield _Claim(what, remedy, HostError, None)
    if spec.vnc is not None and spec.vnc.display is not None:
        remedy = "Give another displayNum, or vnc=auto=yes for a free one"
        yield _Claim(f"VNC display {spec.vnc.display}", remedy, PortInUse, spec.vnc.origin)


def _claims_of_card(index: int, nic: Nic) -> Iterator[_Claim]:
    # The clones of a template have it in common, each on a user network that holds it alone.
    if nic.mac is not None and not is_of_template(index, nic):
        remedy = "Give the card another, or none to have one derived"
        what = f"MAC address {nic.mac.lower()}"
        yield _Claim(what, remedy, ConfigError, nic.origin, of_host=False)
    if isinstance(nic.backend, TapBackend) and nic.backend.interface is not None:
        what, remedy = f"tap interface '{nic.backend.interface}'", "Name another, or none"
        yield _Claim(what, remedy, HostError, nic.backend.origin or nic.origin)
    if isinstance(nic.backend, VhostUserBackend) and nic.backend.server:
        what, remedy = f"socket '{nic.backend.path}'", "Give the card another path"
        yield _Claim(what, remedy, BackendError, nic.backend.origin or nic.origin)
    if isinstance(nic.backend, UserBackend):
        for forward in nic.backend.forwards:
            if forward.host_port:
                what = f"{forward.protocol} port {forward.host_port} of the host"
                remedy = "Forward another, or port 0 for a free one"
                yield _Claim(what, remedy, PortInUse, nic.backend.origin or nic.origin)


async def _check_images(host: Host, spec: VmSpec, others: Sequence[VmSpec]) -> None:
    theirs = [image for other in others for image in await _images(host, other)]
    for mine in await _images(host, spec):
        for other in theirs:
            if mine.real_path == other.real_path and (mine.writes or other.writes):
                raise ImageInUse(_shared_image(mine, other))
        theirs.append(mine)


async def _images(host: Host, spec: VmSpec) -> list[_Image]:
    opened = [
        ("disk image", disk.file, disk.media != "cdrom" and not disk.overlay, disk.origin)
        for disk in spec.disks
    ]
    # The firmware's code is only read; the variables after it are written.
    opened += [
        ("flash file", path, number > 0, spec.boot.origin)
        for number, path in enumerate(spec.boot.pflash)
    ]
    return [
        _Image(spec.name, what, file, await host.real_path(file), writes, origin)
        for what, file, writes, origin in opened
    ]


def _shared_image(mine: _Image, other: _Image) -> str:
    place = f"{where(mine.vm, mine.origin)}: {mine.what} '{mine.file}'"
    if mine.vm == other.vm:
        first = f" (the first: {other.origin})" if other.origin and other.origin.line else ""
        return f"{place} is given twice{first}. One image is one disk; copy it for a second one."
    does = "writes to it" if other.writes else "reads it as it was"
    overlay = " with overlay=yes for both VMs neither writes to it;" * (mine.what == "disk image")
    return (
        f"{place} is in use by VM '{other.vm}', which {does}. Take another image or a copy;"
        f"{overlay} or stop '{other.vm}' first."
    )


def where(vm: str, origin: Origin | None) -> str:
    """Return whose fault it is: the VM's, at the place in its file if that is known."""
    return f"{origin}: VM '{vm}'" if origin and origin.line else f"VM '{vm}'"
