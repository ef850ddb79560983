"""Record what QEMU binaries say of themselves: ``python -m utest.qemu.record_facts BINARY...``.

Drivers that no test names are left out, to keep the records readable.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.qemu.binary.facts import BinaryFacts, to_json
from DtsVirtLibrary.qemu.binary.probe import probe

FACTS = Path(__file__).parent / "facts"
DRIVERS = frozenset(
    {
        "VGA",
        "e1000",
        "e1000e",
        "ide-cd",
        "ide-hd",
        "isa-debugcon",
        "ivshmem-plain",
        "nvme",
        "pci-bridge",
        "pcie-root-port",
        "pvpanic-pci",
        "qemu-xhci",
        "rtl8139",
        "scsi-cd",
        "scsi-hd",
        "usb-tablet",
        "vfio-pci",
        "virtio-balloon-pci",
        "virtio-blk-pci",
        "virtio-crypto-pci",
        "virtio-gpu-gl-pci",
        "virtio-net-pci",
        "virtio-rng-pci",
        "virtio-scsi-pci",
        "virtio-serial-pci",
        "virtserialport",
    }
)


def trimmed(facts: BinaryFacts) -> BinaryFacts:
    """Return the facts without what no test needs, and without the path on this machine."""
    devices = {name: found for name, found in facts.devices.items() if name in DRIVERS}
    families = ("pc", "q35", "microvm", "isapc")
    machines = tuple(item for item in facts.machines if item.name.startswith(families))
    return replace(
        facts,
        path="qemu-system-x86_64",
        machines=machines,
        devices=devices,
        pci_devices=facts.pci_devices & DRIVERS,
    )


async def record(binary: str) -> None:
    """Write the record of one binary."""
    with tempfile.TemporaryDirectory() as directory:
        facts = trimmed(await probe(LocalHost(), binary, directory))
    major, minor, _ = facts.version
    (FACTS / f"qemu-{major}.{minor}.json").write_text(to_json(facts) + "\n")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        asyncio.run(record(argument))
