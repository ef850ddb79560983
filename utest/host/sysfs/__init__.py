"""A recorded sysfs tree of a machine with SR-IOV cards, and a kernel that reacts to it.

The machine, as ``lspci -D`` and the IOMMU groups tell it:

=============  =================================  ========  =====
0000:00:01.0   root port                          pcieport  1
0000:07:00.0   82599 port, 4 virtual functions    ixgbe     12
0000:07:00.1   82599 port, 4 virtual functions    ixgbe     12
0000:08:00.0   X710 port, 2 virtual functions     i40e      13
0000:09:00.0   I350 port without SR-IOV           igb       none
0000:0a:00.0   82574L, nobody's                   none      14
=============  =================================  ========  =====
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.host.protocol import HostPath

DRIVERS = {
    "ixgbe": "8086:10fb",
    "ixgbevf": "8086:10ed",
    "i40e": "8086:1572",
    "igb": "8086:1521",
    "pcieport": "8086:6f02",
    "vfio-pci": "",
}
FUNCTIONS = (
    ("0000:00:01.0", "8086:6f02", "060400", 1, "", 0),
    ("0000:07:00.0", "8086:10fb", "020000", 12, "enp7s0f0", 4),
    ("0000:07:00.1", "8086:10fb", "020000", 12, "enp7s0f1", 4),
    ("0000:08:00.0", "8086:1572", "020000", 13, "enp8s0", 2),
    ("0000:09:00.0", "8086:1521", "020000", None, "enp9s0", 0),
    ("0000:0a:00.0", "8086:10d3", "020000", 14, "", 0),
)
VIRTUAL = "8086:10ed"


class RecordedMachine(LocalHost):
    """The local host, on whose recorded sysfs tree writes have the kernel's effects.

    :ivar refusing: drivers that do not take any function.
    :ivar routes: network interfaces that the host has routes through.
    """

    def __init__(self, sysfs: Path) -> None:
        super().__init__()
        self.sysfs = sysfs
        self.refusing: set[str] = set()
        self.routes: list[str] = []
        self.writes: list[tuple[str, str]] = []
        build(sysfs)

    async def read_text(self, path: HostPath) -> str:
        """Return a file's text; the routes are this machine's."""
        if str(path) == "/proc/net/route":
            rows = [f"{name}\t00000000\t0102A8C0\t0003" for name in self.routes]
            return "\n".join(["Iface\tDestination\tGateway\tFlags", *rows])
        return await super().read_text(path)

    async def write_control(self, path: HostPath, text: str) -> None:
        """Write a control file and do what the kernel does then."""
        await super().write_control(path, text)
        written = Path(os.path.realpath(path))
        # A control file holds what was written last, however long it was before.
        written.write_text(text)
        self.writes.append((str(written.relative_to(self.sysfs)), text.strip()))
        address = text.strip()
        if written.name == "unbind":
            release(self.sysfs, address)
        elif written.name == "drivers_probe":
            self._probe(address)
        elif written.name == "sriov_numvfs":
            self._set_virtual_functions(written, int(text))

    def _probe(self, address: str) -> None:
        device = self.sysfs / "bus/pci/devices" / address
        override = (device / "driver_override").read_text().strip()
        identity = f"{_hex(device / 'vendor')}:{_hex(device / 'device')}"
        matching = next((name for name, known in DRIVERS.items() if known == identity), None)
        driver = matching if override in ("", "(null)") else override
        if driver and driver not in self.refusing and not (device / "driver").exists():
            take(self.sysfs, address, driver)

    def _set_virtual_functions(self, written: Path, count: int) -> None:
        card = written.parent
        present = sorted(card.glob("virtfn*"))
        if present and count:
            raise HostError("sriov_numvfs: Device or resource busy")
        for link in present:
            address = link.resolve().name
            release(self.sysfs, address)
            shutil.rmtree(link.resolve())
            (self.sysfs / "bus/pci/devices" / address).unlink()
            link.unlink()
        for index in range(count):
            address = f"{card.name[:8]}10.{index}"
            add(self.sysfs, (address, VIRTUAL, "020000", 20 + index, "", 0))
            (self.sysfs / "bus/pci/devices" / address).resolve().joinpath("physfn").symlink_to(card)
            (card / f"virtfn{index}").symlink_to(
                (self.sysfs / "bus/pci/devices" / address).resolve()
            )
            self._probe(address)


def build(sysfs: Path) -> None:
    """Make the tree."""
    for driver in DRIVERS:
        directory = sysfs / "bus/pci/drivers" / driver
        directory.mkdir(parents=True)
        (directory / "unbind").write_text("")
    (sysfs / "bus/pci/devices").mkdir()
    (sysfs / "bus/pci/drivers_probe").write_text("")
    for function in FUNCTIONS:
        add(sysfs, function)
        owner = next((name for name, known in DRIVERS.items() if known == function[1]), None)
        if owner:
            take(sysfs, function[0], owner)


def add(sysfs: Path, function: tuple[str, str, str, int | None, str, int]) -> None:
    """Add a PCI function to the tree."""
    address, identity, class_code, group, interface, virtual = function
    device = sysfs / "devices/pci0000:00" / address
    device.mkdir(parents=True)
    vendor, _, number = identity.partition(":")
    files = {"vendor": f"0x{vendor}", "device": f"0x{number}", "class": f"0x{class_code}"}
    files |= {"numa_node": "0" if group else "-1", "driver_override": "(null)"}
    if virtual:
        files |= {"sriov_totalvfs": str(virtual), "sriov_numvfs": "0"}
    for name, text in files.items():
        (device / name).write_text(f"{text}\n")
    if interface:
        (device / "net" / interface).mkdir(parents=True)
    (sysfs / "bus/pci/devices" / address).symlink_to(device)
    if group is not None:
        members = sysfs / f"kernel/iommu_groups/{group}/devices"
        members.mkdir(parents=True, exist_ok=True)
        (members / address).unlink(missing_ok=True)
        (members / address).symlink_to(device)
        (device / "iommu_group").symlink_to(members.parent)


def take(sysfs: Path, address: str, driver: str) -> None:
    """Give a function to a driver."""
    device = (sysfs / "bus/pci/devices" / address).resolve()
    (device / "driver").symlink_to(sysfs / "bus/pci/drivers" / driver)


def release(sysfs: Path, address: str) -> None:
    """Take a function from its driver."""
    ((sysfs / "bus/pci/devices" / address).resolve() / "driver").unlink(missing_ok=True)


def _hex(path: Path) -> str:
    return path.read_text().strip().removeprefix("0x")
