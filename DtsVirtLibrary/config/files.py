"""Configuration files: which VMs are in them, and the parameters of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from DtsVirtLibrary.config.cfg_file import read_section, split_sections
from DtsVirtLibrary.config.entries import Entry, Parameters
from DtsVirtLibrary.config.from_values import LocatedText, entries_from_value
from DtsVirtLibrary.config.parameters import BY_NAME, find_parameter, is_parameter
from DtsVirtLibrary.config.problems import problem, unknown
from DtsVirtLibrary.errors import ConfigError
from DtsVirtLibrary.spec import Origin

Reader = Callable[[str], Parameters]

YAML_SUFFIXES = (".yaml", ".yml")
# A real file has a few KB; more is a mistake, and would take long to read.
LARGEST_FILE = 256 * 1024
EVERY_VM = "DEFAULT"
HYPERVISOR = "KVM"
# Sections that DTS keeps in the same files and that are no VMs.
OTHER_SECTIONS = (EVERY_VM, HYPERVISOR, "LIBVIRT", "XEN", "suite", "mount_info", "scene")
OTHER_PREFIX = "test_"


class Sections(Mapping[str, Parameters]):
    """Parameters by the name of their section, each read when it is asked for."""

    def __init__(self, names: tuple[str, ...], read: Reader) -> None:
        self._names = names
        self._read = read

    def __getitem__(self, name: str) -> Parameters:
        if name not in self._names:
            raise KeyError(name)
        return self._read(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class ConfigFile:
    """A configuration file.

    Sections are read when they are asked for, because files hold others than VMs too.

    :ivar source: the file, as errors name it.
    :ivar names: the names of all sections, in order.
    """

    def __init__(self, source: str, names: Iterable[str], read: Reader) -> None:
        self.source = source
        self.names = tuple(names)
        self._read = read

    @property
    def sections(self) -> Mapping[str, Parameters]:
        """The sections that are VMs, in order, as :meth:`section` returns them."""
        vms = (name for name in self.names if name not in OTHER_SECTIONS)
        return Sections(
            tuple(name for name in vms if not name.startswith(OTHER_PREFIX)), self.section
        )

    @property
    def defaults(self) -> Parameters | None:
        """The parameters of [KVM], which a global file gives to every VM; None without one."""
        return self._read(HYPERVISOR) if HYPERVISOR in self.names else None

    def section(self, name: str) -> Parameters:
        """Return the parameters of a section, completed by [DEFAULT] of the same file.

        :raises ConfigError: if there is no such section, or something in it is wrong.
        """
        if name not in self.names:
            known = tuple(self.sections) or self.names
            raise ConfigError(f"{self.source}: {unknown('VM', name, known)}")
        parameters = self._read(name)
        if EVERY_VM in self.names and name != EVERY_VM:
            parameters.merge_defaults(self._read(EVERY_VM))
        return parameters


class SingleVm(ConfigFile):
    """A document that is one VM, whatever its name."""

    def section(self, name: str) -> Parameters:
        """Return the parameters of the VM."""
        return self._read(name)


def load_file(path: str, text: str | bytes) -> ConfigFile:
    """Return the sections of a configuration file.

    :param path: names the file in errors; one that ends in .yaml or .yml is YAML, any
        other is a .cfg file.
    :param text: what is in it; bytes are UTF-8, perhaps with a byte order mark.
    """
    if len(text) > LARGEST_FILE:
        raise ConfigError(f"{path}: {len(text)} bytes, but at most {LARGEST_FILE} are read")
    decoded = _decode(path, text).removeprefix("\ufeff")
    if "\0" in decoded:
        line = decoded[: decoded.index("\0")].count("\n") + 1
        raise problem(Origin(path, line), None, "a NUL character; this is no text file")
    if path.lower().endswith(YAML_SUFFIXES):
        return _load_yaml(path, decoded)
    return _load_cfg(path, decoded)


def _decode(path: str, text: str | bytes) -> str:
    if isinstance(text, str):
        return text
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        line = text[: error.start].count(b"\n") + 1
        raise problem(Origin(path, line), None, "the file is not encoded as UTF-8") from error


def _load_cfg(path: str, text: str) -> ConfigFile:
    sections = split_sections(path, text)
    return ConfigFile(path, sections, lambda name: read_section(sections[name]))


def _load_yaml(path: str, text: str) -> ConfigFile:
    # PyYAML takes longer to import than all the rest, and few runs need it.
    from DtsVirtLibrary.config.yaml_file import read_yaml

    document = read_yaml(path, text)
    origin = Origin(path, 1)
    if document is None or document == "":
        document = {}
    if not isinstance(document, dict):
        raise problem(origin, None, "expected a mapping: VM -> parameters")
    if any(_is_parameter_entry(name, value) for name, value in document.items()):
        return SingleVm(path, (), lambda _: _yaml_parameters(document, origin))
    origins = {str(name): name.origin for name in document}
    return ConfigFile(path, origins, lambda name: _yaml_parameters(document[name], origins[name]))


def _is_parameter_entry(name: str, value: object) -> bool:
    """Tell a parameter from a VM of the same name, which holds parameters itself."""
    if not is_parameter(name):
        return False
    options = BY_NAME[name.lower()]
    inner = list(value) if isinstance(value, dict) else []
    return not (inner and all(is_parameter(k) and not options.find_anywhere(k) for k in inner))


def _yaml_parameters(value: object, origin: Origin) -> Parameters:
    if value == "":
        return Parameters()
    if not isinstance(value, dict):
        raise problem(origin, None, "expected a mapping: parameter -> options")
    parameters: dict[str, tuple[Entry, ...]] = {}
    for name, item in value.items():
        place = name.origin if isinstance(name, LocatedText) else origin
        definition = find_parameter(name, place)
        if definition.name in parameters:
            raise problem(place, definition.name, "the parameter stands there twice")
        parameters[definition.name] = entries_from_value(name, item, place)
    return Parameters(parameters)
