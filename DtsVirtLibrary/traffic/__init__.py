"""Packets for Robot Framework tests: build, send, capture, compare.

The library class is loaded when it is asked for: the program that sends and captures in the
tester's network namespace needs no Robot Framework, and the library needs no scapy.
"""

from typing import Any


def __getattr__(name: str) -> Any:
    if name == "traffic":  # as Robot Framework looks for it: Library  DtsVirtLibrary.traffic
        from DtsVirtLibrary.traffic.library import TrafficLibrary

        return TrafficLibrary
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
