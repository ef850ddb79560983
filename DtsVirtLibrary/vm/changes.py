"""Changing what a VM is made of: before its start in its parameters, later by hot plug."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from DtsVirtLibrary.config import Parameters, build_spec, entries_from_value
from DtsVirtLibrary.errors import ConfigError
from DtsVirtLibrary.spec import Device, Disk, Origin, VmSpec

from .machine import Machine


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
    chosen = dict(options) if value is None else value
    parameters.set(parameter, entries_from_value(parameter, chosen, _origin(machine)))
    machine.change(parameters)


def add_entry(machine: Machine, parameter: str, options: Mapping[str, Any]) -> str:
    """Add an entry to a parameter that can be repeated; return the new device's id, if any.

    :raises ConfigError: an option is wrong.
    :raises VmStateError: the VM runs.
    """
    parameters = _extended(machine, parameter, options)
    before = _ids(build_spec(machine.name, machine.parameters))
    machine.change(parameters)
    added = [item for item in _ids(build_spec(machine.name, parameters)) if item not in before]
    return added[-1] if added else ""


async def plug(machine: Machine, parameter: str, options: Mapping[str, Any]) -> str:
    """Plug what the entry describes into the running VM and return its id.

    :raises ConfigError: an option is wrong.
    """
    device = _described(machine, parameter, options)
    return await machine.use("Add VM Device", lambda instance: instance.plug(device))


def _described(machine: Machine, parameter: str, options: Mapping[str, Any]) -> Device | Disk:
    """Return the device that one entry describes, by building the VM with and without it."""
    spec = build_spec(machine.name, _extended(machine, parameter, options))
    before = build_spec(machine.name, machine.parameters)
    kind: tuple[Device | Disk, ...] = spec.disks if parameter == "disk" else spec.devices
    known: tuple[Device | Disk, ...] = before.disks if parameter == "disk" else before.devices
    device = next(item for item in reversed(kind) if item not in known)
    named = any(key in options for key in ("id", "opt_id"))
    return device if named else replace(device, id=machine.next_plug_id())


def _extended(machine: Machine, parameter: str, options: Mapping[str, Any]) -> Parameters:
    parameters = machine.parameters.copy()
    for entry in entries_from_value(parameter, dict(options), _origin(machine)):
        parameters.add(parameter, entry)
    return parameters


def _ids(spec: VmSpec) -> list[str]:
    return [item.id for item in (*spec.devices, *spec.disks) if item.id]


def _origin(machine: Machine) -> Origin:
    return Origin(f"VM '{machine.name}'")
