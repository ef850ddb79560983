"""What the VMs of a run have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from DtsVirtLibrary.host.protocol import Host
from DtsVirtLibrary.vm.artifacts import ArtifactStore
from DtsVirtLibrary.vm.hypervisor import Hypervisor


@dataclass(frozen=True)
class MachineContext:
    """What all VMs of a run share.

    :ivar host: the machine that the VMs run on.
    :ivar seed: makes the MAC addresses of this run differ from those of another.
    :ivar on_reset: called on the loop with a VM's name when its guest was reset or panicked.
    :ivar suite: tells the name of the suite that runs, for other runs to read.
    """

    hypervisor: Hypervisor
    host: Host
    artifacts: ArtifactStore
    seed: str
    on_reset: Callable[[str], None] = lambda vm: None
    suite: Callable[[], str] = str
