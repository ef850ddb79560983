"""MAC addresses for the cards that were given none.

They must differ between the VMs of a run, between runs that share a host, and stay the
same for one VM through all its starts: so they are derived, not drawn.
"""

from __future__ import annotations

from dataclasses import replace

from DtsVirtLibrary.mac import mac_of
from DtsVirtLibrary.spec import Device, Nic, UserBackend, VmSpec

# Whose addresses the VMs are given that are started from templates.
TEMPLATE = "template"


def with_mac_addresses(spec: VmSpec, seed: str, *, alike: bool = False) -> VmSpec:
    """Return `spec` with a MAC address for each card that has none.

    :param alike: give cards on user networks, which hold one VM each, the same addresses in
        every VM and run, so that a template fits all.
    """
    taken = {nic.mac for nic in spec.nics if nic.mac}

    def filled(index: int, device: Device) -> Device:
        if not isinstance(device, Nic) or device.mac:
            return device
        shared = alike and isinstance(device.backend, UserBackend)
        owner = TEMPLATE if shared else f"{seed}/{spec.name}"
        mac = derive_mac(f"{owner}/{index}", taken)
        taken.add(mac)
        return replace(device, mac=mac)

    return replace(
        spec, devices=tuple(filled(index, device) for index, device in enumerate(spec.devices))
    )


def with_mac_address(nic: Nic, spec: VmSpec, seed: str) -> Nic:
    """Return a card that is plugged into the VM `spec` with a MAC address, if it has none."""
    if nic.mac:
        return nic
    taken = {other.mac for other in spec.nics if other.mac}
    return replace(nic, mac=derive_mac(f"{seed}/{spec.name}/{len(spec.devices)}", taken))


def is_of_template(index: int, nic: Nic) -> bool:
    """Return whether the device of this index has the address that templates have there."""
    return isinstance(nic.backend, UserBackend) and nic.mac == derive_mac(
        f"{TEMPLATE}/{index}", set()
    )


def derive_mac(text: str, taken: set[str]) -> str:
    """Return a MAC address made from `text` that is not in `taken`."""
    attempt = 0
    while True:
        mac = mac_of(f"{text}/{attempt}")
        if mac not in taken:
            return mac
        attempt += 1
