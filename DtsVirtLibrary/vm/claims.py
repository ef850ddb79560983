"""What a VM takes of the host that it names: locked against other runs, with the holder's name.

Runs of other users have other locks; there the kernel and QEMU decide, who let a port be bound
and an image be written only once.
"""

from __future__ import annotations

from DtsVirtLibrary.cache import cache_directory
from DtsVirtLibrary.errors import DtsVirtError
from DtsVirtLibrary.host.named_locks import Holder, NamedLocks
from DtsVirtLibrary.host.protocol import Host
from DtsVirtLibrary.spec import VmSpec
from DtsVirtLibrary.vm.conflicts import HostClaim, host_claims, where


class Claims:
    """The locks of one VM.

    :param suite: name of the suite that runs, for others to read.
    """

    def __init__(self, host: Host, vm: str, suite: str) -> None:
        self._host = host
        self._vm = vm
        self._locks = NamedLocks(host, lambda: cache_directory(host), f"VM '{vm}'", lambda: suite)

    async def take(self, spec: VmSpec) -> None:
        """Take what the VM, or a device that it gets, names of the host; all of it or nothing.

        :raises DtsVirtError: another run has it; the text says which.
        """
        taken: list[str] = []
        try:
            for claim in await host_claims(self._host, spec):
                if claim.what not in self._locks.held:
                    taken.append(claim.what)
                    await self._lock(claim)
        except BaseException:
            for what in taken:
                await self._locks.free(what)
            raise

    async def retain(self, spec: VmSpec | None) -> None:
        """Give back all that the VM, as it is now, does not have; None for all."""
        kept = {claim.what for claim in await host_claims(self._host, spec)} if spec else set()
        for what in self._locks.held - kept:
            await self._locks.free(what)

    async def _lock(self, claim: HostClaim) -> None:
        holder = await self._locks.take(claim.what, shared=claim.shared)
        if holder is None and claim.set_up is not None:
            holder = await self._locks.held_by_another_run(claim.set_up)
        if holder is not None:
            raise _taken(self._vm, claim, holder)


def _taken(vm: str, claim: HostClaim, holder: Holder) -> DtsVirtError:
    return claim.error(
        f"{where(vm, claim.origin)}: {claim.what} is in use by {holder.words}. "
        f"{claim.remedy}, or wait until that run has ended."
    )
