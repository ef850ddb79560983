"""The command line: a pure function of the VM, the binary, the host and the places."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace

from DtsVirtLibrary.qemu.binary.facts import BinaryFacts
from DtsVirtLibrary.qemu.command_line import infrastructure
from DtsVirtLibrary.qemu.command_line.boot import boot_options, machine_option
from DtsVirtLibrary.qemu.command_line.devices import bus_names, device_claims, device_options
from DtsVirtLibrary.qemu.command_line.host_facts import HostFacts
from DtsVirtLibrary.qemu.command_line.identity import identified
from DtsVirtLibrary.qemu.command_line.machines import family_of, machine_name
from DtsVirtLibrary.qemu.command_line.memory import memory_options
from DtsVirtLibrary.qemu.command_line.options import Option, flag, pairs, text
from DtsVirtLibrary.qemu.command_line.placement import Descriptor, Placement
from DtsVirtLibrary.qemu.command_line.plan import Plan
from DtsVirtLibrary.qemu.command_line.processors import processor_options
from DtsVirtLibrary.qemu.command_line.raw_options import has_raw_option, made_ids
from DtsVirtLibrary.qemu.command_line.slots import assign
from DtsVirtLibrary.qemu.command_line.storage import (
    disk_claims,
    disk_options,
    flash_options,
    overlay_command,
)
from DtsVirtLibrary.qemu.command_line.uniqueness import check_unique
from DtsVirtLibrary.qemu.command_line.user_commands import (
    reason_to_spawn,
    user_claims,
    user_options,
)
from DtsVirtLibrary.spec import TapBackend, VmSpec

__all__ = ["CommandLine", "HostFacts", "command_line", "shell_text"]

_SANDBOX = ("obsolete", "elevateprivileges", "spawn", "resourcecontrol")


@dataclass(frozen=True)
class CommandLine:
    """A command line.

    :ivar binary: the emulator.
    :ivar options: the options in order.
    :ivar notes: what was translated, replaced or left out, a line each.
    :ivar directory: directory that must be there before it is run.
    :ivar preparations: commands to run before it, as for the overlays of disks.
    """

    binary: str
    options: tuple[Option, ...]
    notes: tuple[str, ...] = ()
    directory: str = ""
    preparations: tuple[tuple[str, ...], ...] = ()

    @property
    def argv(self) -> tuple[str, ...]:
        """Program and arguments."""
        return (self.binary, *(word for option in self.options for word in option.words))


def command_line(
    spec: VmSpec, binary: BinaryFacts, host: HostFacts, placement: Placement
) -> CommandLine:
    """Return the command line of a VM.

    :raises ConfigError: something the tester wrote cannot be had with this binary or host.
    """
    plan = make_plan(spec, binary, host, placement)
    options = tuple(_options(plan))
    overlays = tuple(
        overlay_command("qemu-img", disk, plan.path(disk.file), placement.overlay(disk.id or ""))
        for disk in plan.spec.disks
        if disk.overlay
    )
    return CommandLine(binary.path, options, tuple(plan.notes), placement.directory, overlays)


def make_plan(spec: VmSpec, binary: BinaryFacts, host: HostFacts, placement: Placement) -> Plan:
    """Return what the parts are made from: ids given, names unique, PCI places assigned.

    :raises ConfigError: a name is used twice, or a place cannot be had.
    """
    spec = identified(spec)
    machine = machine_name(spec, binary)
    family = family_of(machine, spec)
    plan = Plan(spec, binary, host, placement, machine, family)
    check_unique(plan)
    kind = binary.machine(machine)
    if kind is not None and kind.deprecated:
        plan.note(f"machine type '{machine}' is deprecated in QEMU {binary.version_text}")
    claims = [
        *infrastructure.own_claims(plan),
        *disk_claims(spec),
        *device_claims(plan),
        *user_claims(plan),
    ]
    buses = {*bus_names(plan), *made_ids(spec.user_commands, "device")}
    ports = {claim.id for claim in claims if claim.driver == "pcie-root-port"}
    addresses = assign(spec.name, family, claims, buses | ports)
    return replace(plan, addresses=addresses)


def shell_text(line: CommandLine) -> str:
    """Return text for a shell: what QEMU needs is made, then QEMU is run, an option a line."""
    rows = [shlex.join([line.binary]), *(shlex.join(option.words) for option in line.options)]
    before = [("mkdir", "-p", "-m", "700", line.directory), *line.preparations]
    commands = [*(shlex.join(command) for command in before), " \\\n    ".join(rows)]
    return "".join(f"{command}\n" for command in commands)


def _options(plan: Plan) -> Iterator[Option]:
    spec = plan.spec
    yield pairs("-name", spec.name, {"debug-threads": True})
    yield flag("-no-user-config")
    yield flag("-nodefaults")
    yield machine_option(plan)
    yield from processor_options(plan)
    yield from memory_options(plan)
    if isinstance(plan.placement.monitor, Descriptor):
        # The library starts the CPUs when it listens to their events; nobody else would.
        yield flag("-S")
    yield from infrastructure.display_options(plan)
    yield from _sandbox(plan)
    yield pairs("-action", None, {"panic": "pause"})
    yield from infrastructure.channel_options(plan)
    yield from boot_options(plan)
    yield from flash_options(plan)
    if spec.pid_file is not None:
        yield text("-pidfile", plan.path(spec.pid_file))
    if spec.incoming is not None:
        yield text("-incoming", spec.incoming.uri)
    elif plan.placement.restored:
        yield text("-incoming", "defer")
    yield from infrastructure.device_options(plan)
    yield from disk_options(plan)
    for device in spec.devices:
        yield from device_options(plan, device)
    yield from user_options(plan)


def _sandbox(plan: Plan) -> Iterator[Option]:
    """Let QEMU start no program, unless it must run one for the tester."""
    if not plan.binary.has_option("sandbox"):
        return
    if has_raw_option(plan.spec.user_commands, "sandbox"):
        return
    reason = _reason_to_spawn(plan)
    denied = [name for name in _SANDBOX if not (reason and name in ("spawn", "elevateprivileges"))]
    if reason:
        plan.note(f"QEMU's sandbox lets it start programs, since {reason}")
    yield pairs("-sandbox", "on", tuple((name, "deny") for name in denied))


def _reason_to_spawn(plan: Plan) -> str | None:
    for nic in plan.spec.nics:
        backend = nic.backend
        if isinstance(backend, TapBackend):
            for script in (backend.script, backend.downscript):
                if script not in (None, "no"):
                    return f"card '{nic.id}' has the script '{script}'"
    if plan.spec.incoming is not None and plan.spec.incoming.uri.startswith("exec:"):
        return f"it is migrated in from '{plan.spec.incoming.uri}'"
    return reason_to_spawn(plan)
