"""The library's own devices and channels: monitor, agent, console, entropy, panic, display."""

from __future__ import annotations

from collections.abc import Iterator

from DtsVirtLibrary.qemu import names
from DtsVirtLibrary.qemu.command_line.machines import Q35
from DtsVirtLibrary.qemu.command_line.options import Option, Values, pairs, text
from DtsVirtLibrary.qemu.command_line.placement import Descriptor, Endpoint, Placement
from DtsVirtLibrary.qemu.command_line.plan import Plan
from DtsVirtLibrary.qemu.command_line.slots import Claim
from DtsVirtLibrary.qemu.command_line.storage import boots_from_disk, has_scsi
from DtsVirtLibrary.spec import VmSpec, Vnc

SERIAL_KINDS = ("file", "socket", "telnet")
LAST_PORT = "30"
HIGHEST_DISPLAY = 65535 - 5900
# Bus number and slot of a root port must be unlike those of every other one.
FIRST_HOTPLUG_CHASSIS = 251


def own_claims(plan: Plan) -> list[Claim]:
    """Return the places of the library's own devices that this VM has."""
    own = {names.RNG_DEVICE: "virtio-rng-pci", names.PANIC_DEVICE: "pvpanic-pci"}
    if plan.spec.guest_agent:
        own[names.AGENT_BUS] = "virtio-serial-pci"
    if _has_display(plan):
        own[names.VIDEO_DEVICE] = "VGA"
    if has_scsi(plan.spec):
        own[names.SCSI_CONTROLLER] = "virtio-scsi-pci"
    places = plan.family.places
    claims = [Claim(name, driver, f"{places[name]:02x}") for name, driver in own.items()]
    return claims + _port_claims(plan)


def channel_options(plan: Plan) -> Iterator[Option]:
    """Yield the monitors and the serial console."""
    yield _channel(plan, names.MONITOR_CHARDEV, plan.placement.monitor)
    yield pairs("-mon", None, {"chardev": names.MONITOR_CHARDEV, "mode": "control"})
    if plan.spec.monitor_path is not None:
        path = plan.socket_path(plan.spec.monitor_path, None)
        values: Values = {
            "id": names.HUMAN_MONITOR_CHARDEV,
            "path": path,
            "server": True,
            "wait": False,
        }
        yield pairs("-chardev", "socket", values)
        yield pairs("-mon", None, {"chardev": names.HUMAN_MONITOR_CHARDEV, "mode": "readline"})
    yield _serial(plan)
    yield text("-serial", f"chardev:{names.SERIAL_CHARDEV}")


def display_options(plan: Plan) -> Iterator[Option]:
    """Yield the display: none by default, since QEMU would open a VNC port of its own."""
    yield text("-display", "none")
    if plan.spec.vnc is not None:
        yield text("-vnc", _vnc(plan, plan.spec.vnc))


def device_options(plan: Plan) -> Iterator[Option]:
    """Yield the library's own devices at the end of the root bus."""
    yield pairs("-object", "rng-builtin", {"id": names.RNG})
    yield _device(plan, "virtio-rng-pci", names.RNG_DEVICE, rng=names.RNG)
    yield _device(plan, "pvpanic-pci", names.PANIC_DEVICE)
    if plan.placement.of_template and "vmgenid" in plan.binary.devices:
        # Tells each clone of a template that it is one, so that its kernel reseeds.
        yield pairs("-device", "vmgenid", {"id": names.GENERATION, "guid": "auto"})
    if plan.spec.guest_agent:
        yield _channel(plan, names.AGENT_CHARDEV, plan.placement.agent)
        yield _device(plan, "virtio-serial-pci", names.AGENT_BUS)
        port = {"chardev": names.AGENT_CHARDEV, "name": names.AGENT_PORT_NAME}
        bus = {"id": names.AGENT_PORT, "bus": f"{names.AGENT_BUS}.0"}
        yield pairs("-device", "virtserialport", {**bus, **port})
    if has_name_port(plan.spec, plan.placement):
        yield from _name_port(plan)
    if _has_display(plan):
        yield _device(plan, "VGA", names.VIDEO_DEVICE)
    if has_scsi(plan.spec):
        yield _device(plan, "virtio-scsi-pci", names.SCSI_CONTROLLER)
    for number, claim in enumerate(_port_claims(plan)):
        many = "on" if claim.multifunction else None
        chassis = str(FIRST_HOTPLUG_CHASSIS + number)
        yield _device(plan, claim.driver, claim.id, chassis=chassis, multifunction=many)


def has_name_port(spec: VmSpec, placement: Placement) -> bool:
    """Return whether the VM has a port on which its guest is told its name."""
    return spec.guest_agent and spec.boot.guest is not None and placement.name is not None


def _name_port(plan: Plan) -> Iterator[Option]:
    assert plan.placement.name is not None
    yield _channel(plan, names.NAME_CHARDEV, plan.placement.name)
    port = {"chardev": names.NAME_CHARDEV, "name": names.NAME_PORT_NAME}
    # The last one that a bus has, so that the tester's ports have the same numbers as without it.
    bus = {"id": names.NAME_PORT, "bus": f"{names.AGENT_BUS}.0", "nr": LAST_PORT}
    yield pairs("-device", "virtserialport", {**bus, **port})


def _device(plan: Plan, driver: str, name: str, **properties: str | None) -> Option:
    values = {"id": name, "addr": plan.addresses[name], **properties}
    return pairs("-device", driver, values)


def _port_claims(plan: Plan) -> list[Claim]:
    """Four root ports in one slot, for devices that are plugged in while the VM runs."""
    if plan.family is not Q35:
        return []
    slot = plan.family.places[names.HOTPLUG_PORTS[0]]
    return [
        Claim(name, "pcie-root-port", f"{slot:02x}.{number}", multifunction=number == 0)
        for number, name in enumerate(names.HOTPLUG_PORTS)
    ]


def _has_display(plan: Plan) -> bool:
    return plan.spec.vnc is not None or boots_from_disk(plan.spec)


def _channel(plan: Plan, name: str, endpoint: Endpoint) -> Option:
    if isinstance(endpoint, Descriptor):
        return pairs("-chardev", "socket", {"id": name, "fd": endpoint.number})
    path = plan.socket_path(endpoint.path, None)
    values: Values = {"id": name, "path": path, "server": True, "wait": False}
    return pairs("-chardev", "socket", values)


def _serial(plan: Plan) -> Option:
    serial, log = plan.spec.serial, plan.placement.serial_log
    if serial.kind not in SERIAL_KINDS:
        raise plan.refusal(
            serial.origin,
            f"the serial port is of kind '{serial.kind}'. Allowed: {', '.join(SERIAL_KINDS)}",
        )
    name = names.SERIAL_CHARDEV
    if serial.kind == "file":
        # It is appended to, so that what is cut out of a log that grows too long stays out.
        return pairs("-chardev", "file", {"id": name, "path": log, "append": True})
    listen: Values = {"server": True, "wait": False, "logfile": log, "logappend": True}
    if serial.kind == "socket":
        path = plan.socket_path(plan.placement.serial_socket, serial.origin)
        return pairs("-chardev", "socket", {"id": name, "path": path, **listen})
    if not 0 <= serial.port <= 65535:
        raise plan.refusal(serial.origin, f"the telnet port {serial.port} is not from 0 to 65535")
    values: Values = {"id": name, "host": "127.0.0.1", "port": str(serial.port), "telnet": True}
    return pairs("-chardev", "socket", {**values, **listen})


def _vnc(plan: Plan, vnc: Vnc) -> str:
    address = f"[{vnc.address}]" if ":" in vnc.address else vnc.address
    if "," in address:
        raise plan.refusal(vnc.origin, f"the VNC address '{vnc.address}' is none")
    protection = ",password=on" if vnc.password != "" else ""
    if vnc.display is None:
        return f"{address}:0,to=99{protection}"
    if not 0 <= vnc.display <= HIGHEST_DISPLAY:
        raise plan.refusal(
            vnc.origin, f"VNC display {vnc.display} is not from 0 to {HIGHEST_DISPLAY}"
        )
    return f"{address}:{vnc.display}{protection}"
