"""What the command line needs to know of the host."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HostFacts:
    """A host, as far as a command line depends on it.

    :ivar accelerator: ``kvm`` or ``tcg``, already chosen.
    :ivar accelerator_reason: why KVM was not chosen; said in a note where AUTO was asked for.
    :ivar kernel: kernel of the embedded guest; None to show a placeholder.
    :ivar initrd: its initial RAM disk; None to show a placeholder.
    :ivar hugepages: where a hugetlbfs is mounted; None if nowhere.
    :ivar vhost_net: there is a /dev/vhost-net.
    :ivar working_directory: what relative paths of the tester are relative to; None leaves
        them as they are.
    """

    accelerator: str = "tcg"
    accelerator_reason: str = ""
    kernel: str | None = None
    initrd: str | None = None
    hugepages: str | None = None
    vhost_net: bool = False
    working_directory: str | None = None
