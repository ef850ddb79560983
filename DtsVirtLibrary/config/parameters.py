"""The one table of parameters and options.

Reading, checking, the names offered for a misspelt one and ``docs/parameters.md`` all
come from here.
"""

from __future__ import annotations

from DtsVirtLibrary.config.channel_parameters import CHANNEL_PARAMETERS, RETIRED_PARAMETERS
from DtsVirtLibrary.config.definitions import Parameter
from DtsVirtLibrary.config.device_parameters import CRYPTO, DEVICE
from DtsVirtLibrary.config.machine_parameters import MACHINE_PARAMETERS
from DtsVirtLibrary.config.network_parameters import NET
from DtsVirtLibrary.config.problems import problem, unknown
from DtsVirtLibrary.spec import Origin

PARAMETERS: tuple[Parameter, ...] = (
    *MACHINE_PARAMETERS,
    NET,
    DEVICE,
    CRYPTO,
    *CHANNEL_PARAMETERS,
)
BY_NAME = {parameter.name: parameter for parameter in (*PARAMETERS, *RETIRED_PARAMETERS)}


def is_parameter(name: str) -> bool:
    """Return whether a parameter has this name, in any case of letters."""
    return name.lower() in BY_NAME


def find_parameter(name: str, origin: Origin | None = None) -> Parameter:
    """Return the definition of a parameter; ConfigError for an unknown or retired one."""
    parameter = BY_NAME.get(name.lower())
    if parameter is None:
        names = [known.name for known in PARAMETERS]
        raise problem(origin, None, unknown("parameter", name, names))
    if parameter.refused:
        raise problem(origin, parameter.name, parameter.refused)
    return parameter
