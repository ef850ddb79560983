"""From what a tester wrote to the specification of a VM.

Text (.cfg, YAML) or Python's and Robot Framework's values become :class:`Parameters`,
which are checked against the one table and become a :class:`VmSpec`.
"""

from DtsVirtLibrary.config.addresses import parse_bdf, parse_mac
from DtsVirtLibrary.config.build import build_spec, qemu_candidates
from DtsVirtLibrary.config.build_networks import build_card
from DtsVirtLibrary.config.check import check_entry, check_parameters
from DtsVirtLibrary.config.entries import Entry, Parameters
from DtsVirtLibrary.config.files import ConfigFile, load_file
from DtsVirtLibrary.config.from_values import entries_from_value
from DtsVirtLibrary.config.parameters import PARAMETERS, find_parameter
from DtsVirtLibrary.config.values import parse_size, validate_name

__all__ = [
    "PARAMETERS",
    "ConfigFile",
    "Entry",
    "Parameters",
    "build_card",
    "build_spec",
    "check_entry",
    "check_parameters",
    "entries_from_value",
    "find_parameter",
    "load_file",
    "parse_bdf",
    "parse_mac",
    "parse_size",
    "qemu_candidates",
    "validate_name",
]
