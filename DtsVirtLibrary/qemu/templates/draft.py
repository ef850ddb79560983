"""A template in the making: a booted guest is saved, for clones to be made of it.

The VM that is saved is ended and started again as a clone itself: so its memory file and
its overlays become the template's as they are, nothing is copied, and what the first test
gets is what all later ones get.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace

from DtsVirtLibrary.errors import (
    AgentError,
    DtsVirtError,
    HostError,
    TemplateError,
)
from DtsVirtLibrary.host.lock import host_lock
from DtsVirtLibrary.host.protocol import Host
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.qemu.command_line.placement import NAME_ENDPOINT, MemoryFile, Placement
from DtsVirtLibrary.qemu.inside import access
from DtsVirtLibrary.qemu.running.qemu import RunningQemu
from DtsVirtLibrary.qemu.start.resources import StartResources
from DtsVirtLibrary.qemu.templates.key import has_memory_file
from DtsVirtLibrary.qemu.templates.manifest import (
    MEMORY,
    STATE,
    GuestAsSaved,
    manifest_of,
)
from DtsVirtLibrary.qemu.templates.migration import save_all, save_state
from DtsVirtLibrary.qemu.templates.quiet import wait_until_quiet
from DtsVirtLibrary.qemu.templates.store import TemplateStore
from DtsVirtLibrary.spec import VmSpec

LOCK_SECONDS = 600.0


@dataclass(frozen=True)
class TemplateDraft:
    """A template in the making: the VM that boots into it saves itself by this."""

    host: Host
    store: TemplateStore
    directory: str
    key: str
    version: str
    description: str

    async def save(self, qemu: RunningQemu, *, serves_ssh: bool) -> None:
        """Stop the VM and publish its template; one that cannot be saved runs on.

        :param serves_ssh: the guest's SSH server has answered.
        :raises TemplateError: it cannot be saved; the text says why.
        """
        try:
            guest = await self.prepare(qemu, serves_ssh)
        except DtsVirtError as error:
            raise TemplateError(f"no template was saved: {error.summary}") from error
        await qemu.pause()
        try:
            await self.write_state(qemu)
            await self.publish(qemu.spec, guest)
        except DtsVirtError as error:
            await qemu.resume()
            await dismiss(qemu, guest)
            raise TemplateError(f"no template was saved: {error.summary}") from error

    async def write_state(self, qemu: RunningQemu) -> None:
        """Write the state of a VM whose CPUs stand, with its memory where that is in no file.

        :raises MonitorError: QEMU cannot save it; the text says which device prevents it.
        """
        path = f"{self.directory}/{STATE}"
        if qemu.placement.memory is None:
            await save_all(qemu.monitor, self.host, path)
        else:
            await self.host.write_bytes(path, await save_state(qemu.monitor))

    async def publish(self, spec: VmSpec, guest: GuestAsSaved | None = None) -> None:
        """Make what was written the template of its key.

        :param guest: what is known of the guest; None for nothing.
        """
        manifest = await manifest_of(
            self.host,
            self.directory,
            self.key,
            spec.name,
            self.version,
            spec.memory.size_mib,
            self.description,
            guest or GuestAsSaved(),
        )
        await self.store.publish(self.directory, manifest)

    async def prepare(self, qemu: RunningQemu, serves_ssh: bool) -> GuestAsSaved:
        """Have the guest wait for what its clones will be told, and do nothing else."""
        agent, spec = qemu.agent, qemu.spec
        interfaces = await agent.interfaces()
        keys = await access.host_keys(agent, spec) or () if serves_ssh else ()
        if qemu.name_port is not None:
            await qemu.name_port.listen(agent)
        await wait_until_quiet(self.host, qemu.monitor, qemu.pid)
        return GuestAsSaved(interfaces, qemu.name_port is not None, serves_ssh, tuple(sorted(keys)))


async def dismiss(qemu: RunningQemu, guest: GuestAsSaved) -> None:
    """Let the program that waits in a saved guest end in the one that goes on."""
    if qemu.name_port is not None and guest.listens:
        with suppress(AgentError):
            await qemu.name_port.dismiss()


def for_source(placement: Placement, draft: str, spec: VmSpec) -> Placement:
    """Return the places of a VM that shall become a template."""
    memory = MemoryFile(f"{draft}/{MEMORY}", shared=True) if has_memory_file(spec) else None
    return replace(placement, name=NAME_ENDPOINT, of_template=True, storage=draft, memory=memory)


async def lock(
    host: Host, store: TemplateStore, key: str, resources: StartResources, deadline: Deadline
) -> None:
    """Hold the making of the template `key` until the resources are given back.

    :raises HostError: somebody else makes it for longer than this is worth waiting for.
    """
    roots = await store.roots(make=True)
    if not roots:
        raise HostError("there is no place for templates that is ours alone")
    stack = AsyncExitStack()
    resources.undo_later(stack.aclose)
    path = f"{roots[0]}/.lock-{key}"
    await stack.enter_async_context(
        host_lock(host, path, timeout=deadline.at_most(LOCK_SECONDS), waiting=lambda: None)
    )
