"""The two families of x86 machines: their buses, their own slots, and the places of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from DtsVirtLibrary.errors import ConfigError, nearest
from DtsVirtLibrary.qemu import names
from DtsVirtLibrary.qemu.binary.facts import BinaryFacts
from DtsVirtLibrary.spec import VmSpec


@dataclass(frozen=True)
class Family:
    """A family of machine types.

    :ivar alias: alias of its newest type.
    :ivar root_bus: id of the PCI bus that devices are on by default.
    :ivar occupied: slots that the machine itself uses, and by what.
    :ivar places: slots of the library's own devices, by id.
    :ivar ide_units: bus and unit of every IDE or SATA connector.
    """

    alias: str
    root_bus: str
    occupied: Mapping[int, str]
    places: Mapping[str, int]
    ide_units: tuple[tuple[str, int], ...]


# The library's own devices stand at the end, so that the tester's take the low slots.
PC = Family(
    alias="pc",
    root_bus="pci.0",
    occupied={0x00: "the host bridge", 0x01: "PIIX3 (ISA bridge, IDE, ACPI)"},
    places={
        names.CONTROL_NIC: 0x1F,
        names.AGENT_BUS: 0x1E,
        names.RNG_DEVICE: 0x1D,
        names.PANIC_DEVICE: 0x1C,
        names.VIDEO_DEVICE: 0x1B,
        names.SCSI_CONTROLLER: 0x1A,
    },
    ide_units=(("ide.0", 0), ("ide.0", 1), ("ide.1", 0), ("ide.1", 1)),
)
Q35 = Family(
    alias="q35",
    root_bus="pcie.0",
    occupied={
        0x00: "the host bridge (mch)",
        0x1D: "ICH9's USB (machine option usb)",
        0x1F: "ICH9-LPC (LPC bridge, SATA, SMBus)",
    },
    places={
        names.CONTROL_NIC: 0x1E,
        names.AGENT_BUS: 0x1C,
        names.RNG_DEVICE: 0x1B,
        names.PANIC_DEVICE: 0x1A,
        names.VIDEO_DEVICE: 0x19,
        names.SCSI_CONTROLLER: 0x18,
        names.HOTPLUG_PORTS[0]: 0x17,
    },
    ide_units=tuple((f"ide.{bus}", 0) for bus in range(6)),
)


def machine_name(spec: VmSpec, binary: BinaryFacts) -> str:
    """Return the machine type to use: the tester's, else ``pc`` if there is one.

    :raises ConfigError: the binary has no such machine type.
    """
    if spec.machine is None:
        return "pc" if binary.machine("pc") else binary.default_machine
    if binary.machine(spec.machine) is None:
        raise ConfigError(
            f"VM '{spec.name}': QEMU {binary.version_text} has no machine type "
            f"'{spec.machine}'.{nearest(spec.machine, binary.machine_names())} "
            f"Use pc or q35, or a version of them: {binary.path} -machine help"
        )
    return spec.machine


def family_of(machine: str, spec: VmSpec) -> Family:
    """Return the family of a machine type.

    :raises ConfigError: the library has no places for its devices on such a machine.
    """
    if machine == "q35" or machine.startswith("pc-q35-"):
        return Q35
    if machine == "pc" or machine.startswith("pc-i440fx-"):
        return PC
    raise ConfigError(
        f"VM '{spec.name}': machine type '{machine}' is not supported; "
        "use pc, q35 or a version of them (pc-i440fx-..., pc-q35-...)"
    )
