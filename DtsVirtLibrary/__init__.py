"""Robot Framework keyword library that starts and drives QEMU virtual machines.

The library class is loaded when it is asked for: the rooms below it (hosts, QEMU,
configuration) and the command line tool then need no Robot Framework.
"""

from typing import Any

from DtsVirtLibrary.version import VERSION

__version__ = VERSION


def __getattr__(name: str) -> Any:
    if name == "DtsVirtLibrary":
        from DtsVirtLibrary.library import DtsVirtLibrary

        return DtsVirtLibrary
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
