"""What a VM takes of the host that it names: locked against other runs, with the holder's name.

A lock file in the user's cache stands for each thing. Runs of other users have other locks;
there the kernel and QEMU decide, who let a port be bound and an image be written only once.
"""

from __future__ import annotations

import hashlib
import json
import re
import time

from DtsVirtLibrary.cache import cache_directory
from DtsVirtLibrary.errors import DtsVirtError
from DtsVirtLibrary.host.failures import user_name
from DtsVirtLibrary.host.identity import own_identity
from DtsVirtLibrary.host.protocol import Host
from DtsVirtLibrary.printable import printable
from DtsVirtLibrary.spec import VmSpec
from DtsVirtLibrary.vm.conflicts import HostClaim, host_claims, where

SHOWN = 200


class Claims:
    """The locks of one VM.

    :param suite: name of the suite that runs, for others to read.
    """

    def __init__(self, host: Host, vm: str, suite: str) -> None:
        self._host = host
        self._vm = vm
        self._suite = suite
        self._paths: dict[str, str] = {}

    async def take(self, spec: VmSpec) -> None:
        """Take what the VM, or a device that it gets, names of the host; all of it or nothing.

        :raises DtsVirtError: another run has it; the text says which.
        """
        taken: list[str] = []
        try:
            for claim in await host_claims(self._host, spec):
                if claim.what not in self._paths:
                    taken.append(claim.what)
                    await self._lock(claim)
        except BaseException:
            for what in taken:
                await self._unlock(what)
            raise

    async def retain(self, spec: VmSpec | None) -> None:
        """Give back all that the VM, as it is now, does not have; None for all."""
        kept = {claim.what for claim in await host_claims(self._host, spec)} if spec else set()
        for what in set(self._paths) - kept:
            await self._unlock(what)

    async def _lock(self, claim: HostClaim) -> None:
        directory = f"{await cache_directory(self._host)}/locks"
        await self._host.make_directory(directory, mode=0o700)
        path = self._paths[claim.what] = f"{directory}/{_file_name(claim.what)}"
        text = json.dumps(self._identity(claim))
        holder = await self._host.lock(path, text, shared=claim.shared)
        if holder is not None:
            del self._paths[claim.what]
            raise _taken(self._vm, claim, holder)

    async def _unlock(self, what: str) -> None:
        path = self._paths.pop(what, None)
        if path is not None:
            await self._host.unlock(path)

    def _identity(self, claim: HostClaim) -> dict[str, str | int]:
        run = own_identity()
        return {
            "what": claim.what,
            "vm": self._vm,
            "suite": self._suite,
            "user": user_name(),
            "pid": run.pid,
            "start_time": run.start_time,
            "boot_id": run.boot_id,
            "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        }


def _file_name(what: str) -> str:
    words = re.sub(r"[^A-Za-z0-9]+", "-", what)[-40:].strip("-")
    return f"{words}-{hashlib.sha256(what.encode()).hexdigest()[:16]}"


def _taken(vm: str, claim: HostClaim, holder: str) -> DtsVirtError:
    return claim.error(
        f"{where(vm, claim.origin)}: {claim.what} is in use by {_described(holder)}. "
        f"{claim.remedy}, or wait until that run has ended."
    )


def _described(holder: str) -> str:
    """Return who wrote the text of a lock, in words."""
    try:
        told = json.loads(holder)
        return printable(
            f"VM '{told['vm']}' of another run: process {told['pid']} of user {told['user']}, "
            f"suite '{told['suite']}', since {told['since']}",
            SHOWN,
        )
    except (ValueError, TypeError, KeyError):
        return "another run"
