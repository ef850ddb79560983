"""What one QEMU binary can do, as it said itself: frozen data with questions asked of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

FORMAT = 1

# Property name -> QEMU's name of its type.
Properties = Mapping[str, str]


@dataclass(frozen=True)
class Machine:
    """A machine type: its full name, the alias that leads to it, and the most vCPUs."""

    name: str
    alias: str | None
    cpu_max: int
    deprecated: bool = False


@dataclass(frozen=True)
class BinaryFacts:
    """A QEMU binary.

    :ivar path: absolute path of the binary.
    :ivar version: ``(7, 2, 22)``.
    :ivar package: the distributor's version, empty if there is none.
    :ivar default_machine: machine type that it takes when none is given.
    :ivar machine_properties: options of ``-machine``, by alias (``pc``, ``q35``).
    :ivar devices: properties of every ``-device``, by driver; None where the binary dies
        when it is asked for them.
    :ivar pci_devices: drivers of PCI devices.
    :ivar objects: types of ``-object``.
    :ivar options: parameters of the options that tell theirs (``chardev``, ``run-with``, ...).
    """

    path: str
    version: tuple[int, int, int]
    package: str = ""
    machines: tuple[Machine, ...] = ()
    default_machine: str = "pc"
    machine_properties: Mapping[str, Properties] = field(default_factory=dict)
    devices: Mapping[str, Properties | None] = field(default_factory=dict)
    pci_devices: frozenset[str] = frozenset()
    objects: frozenset[str] = frozenset()
    cpu_models: frozenset[str] = frozenset()
    options: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def version_text(self) -> str:
        """The version as people write it: ``7.2.22``."""
        return ".".join(str(part) for part in self.version)

    def machine(self, name: str) -> Machine | None:
        """Return the machine type of this name or alias."""
        return next((item for item in self.machines if name in (item.name, item.alias)), None)

    def machine_names(self) -> tuple[str, ...]:
        """Return every name and alias of a machine type, sorted."""
        names = {item.name for item in self.machines}
        return tuple(sorted(names | {item.alias for item in self.machines if item.alias}))

    def has_option(self, option: str, parameter: str | None = None) -> bool:
        """Tell whether the binary has ``-option`` (and this parameter of it)."""
        parameters = self.options.get(option)
        return parameters is not None and (parameter is None or parameter in parameters)


def to_json(facts: BinaryFacts) -> str:
    """Return the facts as JSON text; sets become sorted lists."""
    document = {"format": FORMAT, **asdict(facts)}
    return json.dumps(document, default=sorted, separators=(",", ":"), sort_keys=True)


def from_json(text: str) -> BinaryFacts:
    """Return the facts of a JSON text.

    :raises ValueError: it is not such a text, or one of another format.
    """
    document = json.loads(text)
    if not isinstance(document, dict) or document.pop("format", None) != FORMAT:
        raise ValueError("not facts about a QEMU binary in the present format")
    try:
        return _facts(document)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"incomplete facts about a QEMU binary: {error!r}") from error


def _facts(document: dict[str, Any]) -> BinaryFacts:
    major, minor, micro = document.pop("version")
    options = document.pop("options")
    return BinaryFacts(
        version=(major, minor, micro),
        machines=tuple(Machine(**item) for item in document.pop("machines")),
        pci_devices=frozenset(document.pop("pci_devices")),
        objects=frozenset(document.pop("objects")),
        cpu_models=frozenset(document.pop("cpu_models")),
        options={option: frozenset(names) for option, names in options.items()},
        **document,
    )
