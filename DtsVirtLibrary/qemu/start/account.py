"""The user that QEMU runs as where the tester names one: who it is, and what it can reach.

The library stays what it is, root, and gives QEMU what it needs: files opened before the rights
are dropped, files and taps of that user's. What QEMU opens by a path must be open to the user
anyway; what is not is refused before the start.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from DtsVirtLibrary.errors import ConfigError, HostError
from DtsVirtLibrary.host.protocol import Host, ProcessUser
from DtsVirtLibrary.qemu.command_line.host_facts import HostFacts
from DtsVirtLibrary.qemu.command_line.placement import Placement
from DtsVirtLibrary.spec import (
    HostPciDevice,
    TapBackend,
    VhostUserBackend,
    VmSpec,
)

SECONDS = 10.0
ROOT = 0
# What QEMU inherits open, by the descriptor that it sees; see also launch.py.
KERNEL_DESCRIPTOR, INITRD_DESCRIPTOR = 12, 13
FIRST_TAP_DESCRIPTOR = 14
READ, WRITE, EXECUTE = "-r", "-w", "-x"
RIGHTS = {READ: "read", WRITE: "write to", EXECUTE: "enter or run"}


@dataclass(frozen=True)
class Handover:
    """What a QEMU that runs as another user gets from the run.

    :ivar account: the user; None for the run's own, which needs nothing.
    :ivar files: files that it inherits open, by descriptor.
    :ivar taps: tap interfaces that it inherits open, by descriptor.
    :ivar cards: descriptors of taps, by the ids of the NICs that use them.
    """

    account: ProcessUser | None = None
    files: Mapping[int, str] = field(default_factory=dict)
    taps: Mapping[int, str] = field(default_factory=dict)
    cards: Mapping[str, int] = field(default_factory=dict)

    def seen(self, facts: HostFacts) -> HostFacts:
        """Return the facts as QEMU sees them: what it inherits open has another path."""
        if not self.files:
            return facts
        return replace(
            facts, kernel=f"/dev/fd/{KERNEL_DESCRIPTOR}", initrd=f"/dev/fd/{INITRD_DESCRIPTOR}"
        )


async def hand_over(
    host: Host, spec: VmSpec, binary: str, facts: HostFacts, taps: Mapping[str, str]
) -> Handover:
    """Return what QEMU gets from the run, if it is to run as another user.

    :param taps: the interfaces that the library makes, by the ids of their NICs.
    :raises ConfigError: there is no such user, or the VM offers what that user cannot make.
    :raises HostError: that user cannot reach all that QEMU needs.
    """
    account = await find_account(host, spec)
    if account is None:
        return Handover()
    await require_reach(host, account, spec, binary, facts)
    files = {}
    if spec.boot.guest is not None and facts.kernel is not None and facts.initrd is not None:
        files = {KERNEL_DESCRIPTOR: facts.kernel, INITRD_DESCRIPTOR: facts.initrd}
    names = {**_named_taps(spec), **taps}
    cards = {nic: number for number, nic in enumerate(names, FIRST_TAP_DESCRIPTOR)}
    return Handover(account, files, {cards[nic]: name for nic, name in names.items()}, cards)


async def find_account(host: Host, spec: VmSpec) -> ProcessUser | None:
    """Return the user that QEMU is to run as, None for the one that the run has.

    :raises ConfigError: there is no such user, or it is root.
    :raises HostError: the run may take on no other user.
    """
    if spec.run_as is None:
        return None
    where = f"VM '{spec.name}': run_as={spec.run_as}"
    numbers = []
    for option in ("-u", "-g", "-G"):
        found = await host.run(["id", option, "--", spec.run_as], timeout=SECONDS, check=False)
        if found.exit_code != 0:
            raise ConfigError(f"{where}: there is no such user on {host.name}.")
        numbers.append([int(number) for number in found.stdout.split()])
    account = ProcessUser(numbers[0][0], numbers[1][0], tuple(numbers[2]))
    own = await host.user_id()
    if account.uid == own:
        return None
    if own != ROOT:
        raise HostError(f"{where}: only root may run QEMU as another user. Leave run_as out.")
    return account


async def require_reach(
    host: Host, account: ProcessUser, spec: VmSpec, binary: str, facts: HostFacts
) -> None:
    """Refuse what QEMU could not open as that user.

    :raises ConfigError: the VM offers what that user cannot make.
    :raises HostError: the text has the path and what to do.
    """
    if spec.serial.kind == "socket":
        raise ConfigError(
            f"VM '{spec.name}': run_as={spec.run_as}: that user cannot make the socket of the "
            "serial port, whose directory is root's. Leave serial out; it is logged all the same."
        )
    for right, path, remedy in _needs(spec, binary, facts):
        test = ["setpriv", *as_user(account), "--", "test", right, path]
        if (await host.run(test, timeout=SECONDS, check=False)).exit_code != 0:
            raise HostError(
                f"VM '{spec.name}': run_as={spec.run_as}: that user may not {RIGHTS[right]} "
                f"'{path}' on {host.name}. {remedy}"
            )


def _named_taps(spec: VmSpec) -> dict[str, str]:
    """Return the taps that the tester has made, by the ids of their NICs."""
    return {
        nic.id or "": nic.backend.interface
        for nic in spec.nics
        if isinstance(nic.backend, TapBackend)
        and nic.backend.interface is not None
        and not has_script(nic.backend)
    }


def has_script(backend: TapBackend) -> bool:
    """Tell whether QEMU opens the tap and runs a program for it."""
    return {backend.script, backend.downscript} - {None, "no"} != set()


def as_user(account: ProcessUser) -> list[str]:
    """Return the options by which setpriv(1) takes on a user."""
    groups = ",".join(map(str, account.groups))
    return [f"--reuid={account.uid}", f"--regid={account.gid}", f"--groups={groups}"]


async def let_in(host: Host, handover: Handover, placement: Placement) -> Placement:
    """Let QEMU use the directory of a start, which stays root's, so that no file is replaced."""
    assert handover.account is not None
    await host.write_bytes(placement.serial_log, b"")
    await give_to(host, handover.account, placement.serial_log)
    await host.run(["chmod", "0711", "--", placement.directory], timeout=SECONDS)
    return replace(placement, tap_descriptors=handover.cards)


async def give_to(host: Host, account: ProcessUser, path: str) -> None:
    """Make a file the user's."""
    owner = f"{account.uid}:{account.gid}"
    await host.run(["chown", "--no-dereference", owner, "--", path], timeout=SECONDS)


def _needs(spec: VmSpec, binary: str, facts: HostFacts) -> Iterator[tuple[str, str, str]]:
    """Yield what QEMU opens by its path: the right, the path, and what to do without it."""
    share = "Give that user the right, also on the directories above it, or copy it elsewhere."
    yield EXECUTE, binary, share
    for disk in spec.disks:
        yield READ, disk.file, share
        if not disk.overlay and disk.media != "cdrom":
            yield WRITE, disk.file, share
    for path in (spec.boot.kernel, spec.boot.initrd, *spec.boot.pflash):
        if path is not None:
            yield READ, path, share
    for path in spec.boot.pflash[1:]:
        yield WRITE, path, share
    for path in (spec.monitor_path, spec.pid_file):
        if path is not None:
            yield WRITE, posixpath.dirname(path) or ".", "Name another directory."
    if facts.accelerator == "kvm":
        yield WRITE, "/dev/kvm", f"Put it into the group kvm: usermod -aG kvm {spec.run_as}."
    if spec.memory.hugepage and facts.hugepages is not None:
        remedy = f"As root: chown {spec.run_as} {facts.hugepages}."
        yield WRITE, facts.hugepages, remedy
    yield from _needs_of_devices(spec)


def _needs_of_devices(spec: VmSpec) -> Iterator[tuple[str, str, str]]:
    for device in spec.devices:
        if isinstance(device, HostPciDevice):
            yield WRITE, "/dev/vfio/vfio", "Leave run_as out for a VM with a PCI function."
    for nic in spec.nics:
        if isinstance(nic.backend, TapBackend) and has_script(nic.backend):
            yield WRITE, "/dev/net/tun", "Leave the script out."
        if isinstance(nic.backend, TapBackend) and nic.backend.vhost:
            yield WRITE, "/dev/vhost-net", "Leave vhost out, or give that user the right."
        if isinstance(nic.backend, VhostUserBackend):
            path = nic.backend.path
            what = posixpath.dirname(path) or "." if nic.backend.server else path
            yield WRITE, what, "Let the switch make its socket for that user's group."
