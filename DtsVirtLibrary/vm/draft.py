"""What a VM shall be, while that is still being put together."""

from __future__ import annotations

from DtsVirtLibrary.config import Parameters, build_spec
from DtsVirtLibrary.spec import VmSpec


def draft(name: str, parameters: Parameters) -> VmSpec:
    """Return what the parameters say while they are still being put together.

    A network card whose back end is yet to come, or the other way round, is left out.

    :raises ConfigError: a parameter is wrong.
    """
    return build_spec(name, parameters, complete=False)
