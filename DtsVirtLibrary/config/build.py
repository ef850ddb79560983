"""The specification of a VM from its parameters."""

from __future__ import annotations

from dataclasses import replace

from DtsVirtLibrary.config.build_channels import (
    build_guest_driver,
    build_incoming,
    build_login,
    build_serial,
    build_timeouts,
    build_vnc,
)
from DtsVirtLibrary.config.build_devices import build_crypto, build_devices
from DtsVirtLibrary.config.build_machine import (
    build_boot,
    build_cpu,
    build_disks,
    build_memory,
    machine_options,
    single,
)
from DtsVirtLibrary.config.build_networks import VIRTIO, build_networks
from DtsVirtLibrary.config.check import Checked, CheckedParameters, check_parameters
from DtsVirtLibrary.config.entries import Parameters
from DtsVirtLibrary.config.identifiers import Identifiers
from DtsVirtLibrary.config.problems import problem
from DtsVirtLibrary.config.values import validate_name
from DtsVirtLibrary.errors import ConfigError
from DtsVirtLibrary.spec import Accelerator, VmSpec

DEFAULT_MODEL = "e1000"


def build_spec(name: str, parameters: Parameters, complete: bool = True) -> VmSpec:
    """Return the specification of the VM `name`.

    :param complete: refuse a network card or back end whose counterpart is missing;
        False leaves them out, for parameters that are still being put together.
    :raises ConfigError: for the first thing that is wrong, with its place.
    """
    validate_name(name)
    try:
        return _build(name, check_parameters(parameters), complete)
    except ConfigError as error:
        error.evidence = replace(error.evidence, vm=name)
        raise


def qemu_candidates(parameters: Parameters) -> tuple[str, ...]:
    """Return every QEMU binary that the parameters name, in order; the last is the one used."""
    checked = check_parameters(parameters)
    return tuple(entry["path"] for entry in checked.get("qemu", ()))


def _build(name: str, checked: CheckedParameters, complete: bool) -> VmSpec:
    _check_fixed(name, checked)
    boot = build_boot(checked)
    embedded = boot.guest is not None
    nets, devices = checked.get("net", ()), checked.get("device", ())
    disks, crypto = checked.get("disk", ()), checked.get("crypto", ())
    identifiers = Identifiers([*nets, *devices, *disks])
    model = VIRTIO if embedded else DEFAULT_MODEL
    monitor, pid_file = single(checked, "monitor"), single(checked, "pid_file")
    run_as = single(checked, "run_as")
    machine, control = single(checked, "machine"), single(checked, "control")
    return VmSpec(
        name=name,
        accelerator=Accelerator.AUTO if _enabled(checked, "enable_kvm") else Accelerator.TCG,
        binary=next((entry["path"] for entry in reversed(checked.get("qemu", ()))), None),
        machine=machine["machine"] if machine else None,
        machine_options=machine_options(machine),
        cpu=build_cpu(single(checked, "cpu")),
        memory=build_memory(single(checked, "mem"), embedded),
        disks=build_disks(disks, identifiers),
        devices=(
            *build_networks(nets, model, identifiers, complete),
            *build_devices(devices, identifiers),
            *build_crypto(name, crypto, identifiers),
        ),
        boot=boot,
        login=build_login(single(checked, "login")),
        vnc=build_vnc(single(checked, "vnc")),
        serial=build_serial(checked),
        guest_agent=_enabled(checked, "qga"),
        incoming=build_incoming(single(checked, "migration")),
        timeouts=build_timeouts(single(checked, "start")),
        guest_driver=build_guest_driver(single(checked, "def_driver")),
        monitor_path=monitor["path"] if monitor else None,
        pid_file=pid_file["name"] if pid_file else None,
        control=control["type"] if control else "qga",
        run_as=run_as["user"] if run_as else None,
        warm=_is_set(checked, "warm", "enable"),
        fresh_identity=_is_set(checked, "warm", "fresh_identity"),
        user_commands=tuple(w for entry in checked.get("usercmd", ()) for w in entry["cmd"]),
    )


def _enabled(checked: CheckedParameters, name: str) -> bool:
    """Return whether a parameter that is on by default is on."""
    entry: Checked | None = single(checked, name)
    return entry is None or bool(entry["enable"])


def _is_set(checked: CheckedParameters, name: str, option: str) -> bool:
    """Return whether a flag that is off by default is on."""
    entry = single(checked, name)
    return entry is not None and bool(entry[option])


def _check_fixed(name: str, checked: CheckedParameters) -> None:
    """Refuse another name than the VM's and another hypervisor than QEMU."""
    entry = single(checked, "name")
    if entry and entry["name"] not in (None, name):
        text = f"name={entry['name']}, but the VM's name is {name}, as its section says"
        raise problem(entry.origin, "name", text)
    hypervisor = single(checked, "virt_type")
    if hypervisor and hypervisor["virt_type"] != "KVM":
        kind = hypervisor["virt_type"]
        text = f"{kind} is not offered: this library drives QEMU itself. Allowed: KVM"
        raise problem(hypervisor.origin, "virt_type", text)
