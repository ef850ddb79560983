"""A start for which everything is ready but the process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from DtsVirtLibrary.host.protocol import Host
from DtsVirtLibrary.qemu.command_line.build import CommandLine
from DtsVirtLibrary.qemu.command_line.placement import Placement
from DtsVirtLibrary.qemu.inside.access import LoginKey
from DtsVirtLibrary.qemu.start.account import Handover
from DtsVirtLibrary.qemu.start.resources import StartResources
from DtsVirtLibrary.spec import VmSpec


@dataclass(frozen=True)
class PreparedStart:
    """What a start was prepared with.

    :ivar accelerator: ``kvm`` or ``tcg``.
    :ivar by_hand: shell text that starts the same by hand, for the artifacts.
    :ivar handover: the user that QEMU runs as, and what it gets for that.
    :ivar login_key: finds the key that opens guests which the library made.
    :ivar monitor_seconds: how long one answer of the monitor may take.
    """

    spec: VmSpec
    host: Host
    placement: Placement
    line: CommandLine
    accelerator: str
    resources: StartResources
    by_hand: str
    monitor_seconds: float
    handover: Handover
    login_key: Callable[[], Awaitable[LoginKey]]
