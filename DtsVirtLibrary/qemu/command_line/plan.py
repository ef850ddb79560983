"""What the parts of a command line are made from, and where they leave their notes."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field

from DtsVirtLibrary.errors import ConfigError
from DtsVirtLibrary.qemu.binary.facts import BinaryFacts
from DtsVirtLibrary.qemu.command_line.host_facts import HostFacts
from DtsVirtLibrary.qemu.command_line.machines import Family
from DtsVirtLibrary.qemu.command_line.placement import Placement
from DtsVirtLibrary.spec import Origin, VmSpec

# sockaddr_un holds 108 bytes with the final NUL.
LONGEST_SOCKET_PATH = 107


@dataclass(frozen=True)
class Plan:
    """One command line in the making.

    :ivar spec: the VM, with every id and MAC filled in.
    :ivar addresses: address of every PCI device that the library places, by id.
    :ivar notes: what was translated or left out, a line each.
    """

    spec: VmSpec
    binary: BinaryFacts
    host: HostFacts
    placement: Placement
    machine: str
    family: Family
    addresses: Mapping[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def refusal(self, origin: Origin | None, reason: str) -> ConfigError:
        """Return the error that says where it was written, which VM, and why not."""
        return refusal(self.spec.name, origin, reason)

    def note(self, words: str) -> None:
        """Leave a line for the log, once."""
        line = f"VM '{self.spec.name}': {words}"
        if line not in self.notes:
            self.notes.append(line)

    def path(self, path: str) -> str:
        """Return a path of the tester's, absolute where the base of relative ones is known."""
        if self.host.working_directory is None:
            return path
        return posixpath.normpath(posixpath.join(self.host.working_directory, path))

    def socket_path(self, path: str, origin: Origin | None) -> str:
        """Return the path of a UNIX socket.

        :raises ConfigError: it is longer than the kernel takes.
        """
        full = self.path(path)
        size = len(full.encode())
        if size > LONGEST_SOCKET_PATH:
            raise self.refusal(
                origin,
                f"the socket path '{full}' has {size} bytes, and a UNIX socket takes at most "
                f"{LONGEST_SOCKET_PATH}. Put it in a directory with a shorter name.",
            )
        return full


def refusal(vm: str, origin: Origin | None, reason: str) -> ConfigError:
    """Return the error that says where it was written, which VM, and why not."""
    who = f"VM '{vm}'"
    # What a keyword gave comes from the VM itself.
    place = f"{origin}: " if origin and str(origin) != who else ""
    return ConfigError(f"{place}{who}: {reason}")
