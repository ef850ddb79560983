"""Changing what a VM is made of: before its start in its parameters, later by hot plug."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from DtsVirtLibrary.config import Parameters, build_spec, entries_from_value, find_parameter
from DtsVirtLibrary.errors import ConfigError
from DtsVirtLibrary.spec import Device, Disk, Origin, OtherDevice, VmSpec
from DtsVirtLibrary.vm.draft import draft
from DtsVirtLibrary.vm.machine import Machine

# The name of an option that follows another one in text.
_FURTHER = re.compile(r"[,;]\s*(\w+)=")


def set_parameter(machine: Machine, parameter: str, value: Any, options: Mapping[str, Any]) -> None:
    """Set a parameter in place of what it was, by its value or by its options.

    :raises ConfigError: both or neither were given, or they are wrong.
    :raises VmStateError: the VM runs.
    """
    if (value is None) == (not options):
        raise ConfigError(
            f"VM '{machine.name}': give parameter '{parameter}' either a value or options "
            "by name, for example: number=2."
        )
    parameters = machine.parameters.copy()
    chosen = _as_meant(machine, parameter, options) if value is None else value
    parameters.set(parameter, entries_from_value(parameter, chosen, origin_of(machine)))
    machine.change(parameters)


def _as_meant(machine: Machine, parameter: str, options: Mapping[str, Any]) -> Any:
    """Return the options, or the parameter's whole value if that is what was written.

    Robot Framework takes the text ``size=1024,hugepage=yes`` for one argument ``size``.
    """
    if len(options) == 1:
        ((name, value),) = options.items()
        definition = find_parameter(parameter, origin_of(machine))
        if isinstance(value, str) and any(map(definition.find_anywhere, _FURTHER.findall(value))):
            return f"{name}={value}"
    return dict(options)


def add_entry(machine: Machine, parameter: str, options: Mapping[str, Any]) -> str:
    """Add an entry to a parameter that can be repeated; return the new device's id, if any.

    :raises ConfigError: an option is wrong.
    :raises VmStateError: the VM runs.
    """
    before = draft(machine.name, machine.parameters)
    added = _new_devices(before, draft(machine.name, _extended(machine, parameter, options)))
    if any(isinstance(device, OtherDevice) and not device.id for device in added):
        options = {**options, "opt_id": _free_id(before)}
    return add_entries(machine, parameter, [options])


def add_entries(machine: Machine, parameter: str, entries: Sequence[Mapping[str, Any]]) -> str:
    """Add entries that belong together; return the new device's id, if any.

    :raises ConfigError: an option is wrong.
    :raises VmStateError: the VM runs.
    """
    before = draft(machine.name, machine.parameters)
    parameters = _extended(machine, parameter, *entries)
    machine.change(parameters)
    added = _new_devices(before, draft(machine.name, parameters))
    return added[-1].id or "" if added else ""


async def plug(machine: Machine, parameter: str, options: Mapping[str, Any]) -> str:
    """Plug what the entry describes into the running VM and return its id.

    :raises ConfigError: an option is wrong, or another VM of the run has the same.
    """
    return await plug_device(machine, _described(machine, parameter, options))


async def plug_device(machine: Machine, device: Device | Disk) -> str:
    """Plug a device into the running VM and return its id.

    :raises DtsVirtError: another VM of the run has what it needs; see :mod:`.conflicts`.
    """
    alone, device = VmSpec(machine.name), machine.addressed(device)
    if isinstance(device, Disk):
        await machine.check_conflicts(replace(alone, disks=(device,)))
    else:
        await machine.check_conflicts(replace(alone, devices=(device,)))
    return await machine.use("Add VM Device", lambda instance: instance.plug(device))


def _described(machine: Machine, parameter: str, options: Mapping[str, Any]) -> Any:
    """Return the device that one entry describes, by building the VM with and without it."""
    disk = parameter == "disk"
    spec = build_spec(machine.name, _extended(machine, parameter, options))
    before = build_spec(machine.name, machine.parameters)
    # A first disk changes what the VM would boot, and so its control card too.
    wanted = [item for item in _new_devices(before, spec) if isinstance(item, Disk) is disk]
    device: Any = wanted[-1]
    named = any(key in options for key in ("id", "opt_id"))
    # An id that the configuration counted out may be taken in the running VM.
    return device if named else replace(device, id=None)


def _extended(machine: Machine, parameter: str, *entries: Mapping[str, Any]) -> Parameters:
    parameters = machine.parameters.copy()
    for entry in entries_from_value(parameter, list(map(dict, entries)), origin_of(machine)):
        parameters.add(parameter, entry)
    return parameters


def _new_devices(before: VmSpec, after: VmSpec) -> list[Device | Disk]:
    """Return what one more entry brought; equal devices may stand there several times."""
    old = Counter(map(repr, (*before.disks, *before.devices)))
    new: list[Device | Disk] = []
    for item in (*after.disks, *after.devices):
        if old[repr(item)]:
            old[repr(item)] -= 1
        else:
            new.append(item)
    return new


def _free_id(spec: VmSpec) -> str:
    taken = {item.id for item in (*spec.devices, *spec.disks)}
    return next(name for name in (f"device{n}" for n in count()) if name not in taken)


def origin_of(machine: Machine) -> Origin:
    """Return where that comes from which a keyword gives to a VM."""
    return Origin(f"VM '{machine.name}'")
