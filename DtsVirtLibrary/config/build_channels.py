"""The ways into the VM: login, serial port, VNC, migration, deadlines."""

from __future__ import annotations

from DtsVirtLibrary.config.build_machine import single
from DtsVirtLibrary.config.check import Checked, CheckedParameters
from DtsVirtLibrary.config.problems import problem, shown
from DtsVirtLibrary.spec import GuestDriver, Incoming, Login, Serial, Timeouts, Vnc

MIGRATION_URI = ("tcp:", "unix:", "fd:")
MIGRATION_FORMS = "defer, tcp:HOST:PORT, unix:PATH or fd:N"


def build_login(entry: Checked | None) -> Login:
    """Return who logs in."""
    if entry is None:
        return Login()
    return Login(entry["user"], entry["password"], entry["key"], entry["prompt"], entry.origin)


def build_serial(checked: CheckedParameters) -> Serial:
    """Return how the serial port is offered; control, serial and serial_port may ask for it."""
    wishes = []
    if (serial := single(checked, "serial")) is not None:
        wishes.append(_serial(serial, serial["type"], "serial"))
    port = single(checked, "serial_port")
    if port is not None and port["enable"]:
        wishes.append(Serial("socket", origin=port.origin))
    if (control := single(checked, "control")) is not None:
        kind = "file" if control["type"] == "qga" else control["type"]
        wish = _serial(control, kind, "control")
        if kind != "file":
            wishes.append(wish)
    for other in wishes[1:]:
        if other != wishes[0]:
            text = f"the serial port cannot be {_wish(other)} and {_wish(wishes[0])} at once"
            raise problem(other.origin, "serial", text, (f"The first: {wishes[0].origin}",))
    return wishes[0] if wishes else Serial()


def _serial(entry: Checked, kind: str, place: str) -> Serial:
    if entry["port"] is not None and kind != "telnet":
        raise problem(entry.origin, place, f"port is for type=telnet, not type={entry['type']}")
    return Serial(kind, entry["port"] or 0, entry.origin)


def _wish(serial: Serial) -> str:
    return f"{serial.kind} at port {serial.port}" if serial.port else serial.kind


def build_vnc(entry: Checked | None) -> Vnc | None:
    """Return the VNC display, None without one."""
    if entry is None or entry["disable"] or entry["auto"] is False:
        return None
    if entry["auto"] and entry["displayNum"] is not None:
        raise problem(entry.origin, "vnc", "displayNum and auto exclude each other")
    return Vnc(entry["displayNum"], password=entry["password"], origin=entry.origin)


def build_incoming(entry: Checked | None) -> Incoming | None:
    """Return where a migration is awaited, None if none is."""
    if entry is None or not entry["enable"]:
        return None
    uri, port = entry["uri"], entry["port"]
    if uri and port:
        raise problem(entry.origin, "migration", "port and uri exclude each other")
    if uri and uri != "defer" and not uri.startswith(MIGRATION_URI):
        text = f"uri: {shown(uri)}: expected {MIGRATION_FORMS}"
        raise problem(entry.origin, "migration", text)
    if port:
        return Incoming(f"tcp:127.0.0.1:{port}", entry.origin)
    return Incoming(uri or "defer", entry.origin)


def build_timeouts(entry: Checked | None) -> Timeouts:
    """Return the deadlines of the start."""
    if entry is None:
        return Timeouts()
    return Timeouts(start=entry["wait_seconds"], login=entry["login_timeout"])


def build_guest_driver(entry: Checked | None) -> GuestDriver | None:
    """Return the driver that tests bind the guest's ports to."""
    if entry is None:
        return None
    return GuestDriver(entry["driver_name"], entry["driver_mode"] == "noiommu")
