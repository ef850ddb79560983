"""Specifications from the text of a .cfg section, of YAML and of values."""

from __future__ import annotations

from typing import Any

import pytest

from DtsVirtLibrary.config import Parameters, build_spec, entries_from_value, load_file
from DtsVirtLibrary.errors import ConfigError
from DtsVirtLibrary.spec import Device, Nic, Origin, VmSpec

HERE = Origin("test")


def cfg(body: str, name: str = "vm0") -> VmSpec:
    """Return the specification of a .cfg section with this body; its first line is line 2."""
    return build_spec(name, load_file("a.cfg", f"[{name}]\n{body}\n").section(name))


def yaml(text: str, name: str = "vm0") -> VmSpec:
    """Return the specification of a VM in a YAML document."""
    return build_spec(name, load_file("a.yaml", text).section(name))


def parameters(**values: Any) -> Parameters:
    """Return parameters from values as keywords take them."""
    made = Parameters()
    for name, value in values.items():
        made.set(name, entries_from_value(name, value, HERE))
    return made


def made(**values: Any) -> VmSpec:
    """Return the specification from values as keywords take them."""
    return build_spec("vm0", parameters(**values))


def refused(body: str) -> str:
    """Return the whole text of the error that a .cfg section is refused with."""
    with pytest.raises(ConfigError) as caught:
        cfg(body)
    return str(caught.value)


def refused_value(**values: Any) -> str:
    """Return the whole text of the error that values are refused with."""
    with pytest.raises(ConfigError) as caught:
        made(**values)
    return str(caught.value)


def devices(spec: VmSpec) -> list[Device]:
    """Return the devices beside the control card."""
    return [item for item in spec.devices if not (isinstance(item, Nic) and item.control)]


def only_device(spec: VmSpec) -> Any:
    """Return the one device beside the control card."""
    (device,) = devices(spec)
    return device
