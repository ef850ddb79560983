"""Warm start: a booted guest is saved as a template, and clones are made of that.

The VM that is saved is ended and started again as a clone itself: so its memory file and
its overlays become the template's as they are, nothing is copied, and what the first test
gets is what all later ones get. A clone maps the memory privately (copy on write); only one
with a vhost-user back end, which must see the memory, gets a sparse copy of the file. Memory
in hugepages is saved with the state of the devices, and loaded into hugepages of the clone's.
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
from DtsVirtLibrary.qemu.command_line.placement import MemoryFile, Placement
from DtsVirtLibrary.qemu.inside import access
from DtsVirtLibrary.qemu.inside.name_receiver import (
    dismiss_receiver,
    start_receiver,
)
from DtsVirtLibrary.qemu.running.qemu import RunningQemu
from DtsVirtLibrary.qemu.start.resources import StartResources
from DtsVirtLibrary.qemu.templates.key import has_memory_file, needs_shared_memory
from DtsVirtLibrary.qemu.templates.manifest import (
    MEMORY,
    STATE,
    GuestAsSaved,
    Template,
    manifest_of,
)
from DtsVirtLibrary.qemu.templates.migration import load_all, load_state, save_all, save_state
from DtsVirtLibrary.qemu.templates.quiet import wait_until_quiet
from DtsVirtLibrary.qemu.templates.store import TemplateStore
from DtsVirtLibrary.spec import Disk, VmSpec

COPY_SECONDS = 60.0
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
            if guest.receiver is not None:
                with suppress(AgentError):
                    await dismiss_receiver(qemu.agent, guest.receiver)
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
        receiver = await start_receiver(agent) if spec.boot.guest is not None else None
        await wait_until_quiet(self.host, qemu.monitor, qemu.pid)
        return GuestAsSaved(interfaces, receiver, serves_ssh, tuple(sorted(keys)))


def for_source(placement: Placement, draft: str, spec: VmSpec) -> Placement:
    """Return the places of a VM that shall become a template."""
    memory = MemoryFile(f"{draft}/{MEMORY}", shared=True) if has_memory_file(spec) else None
    return replace(placement, of_template=True, storage=draft, memory=memory)


def clone_spec(core: VmSpec, template: Template) -> VmSpec:
    """Return the specification of a clone: its disks begin as the template's are."""

    def disk_of(disk: Disk) -> Disk:
        if not disk.overlay:
            return disk
        return replace(disk, file=template.disk(disk.id or ""), format="qcow2")

    return replace(core, disks=tuple(map(disk_of, core.disks)))


async def for_clone(
    host: Host,
    placement: Placement,
    template: Template,
    spec: VmSpec,
    resources: StartResources,
) -> Placement:
    """Return the places of a clone; a memory that others must see is copied first.

    :raises HostError: there is no room for the copy.
    """
    placement = replace(placement, of_template=True, restored=True)
    if template.memory is None:
        return placement
    if not needs_shared_memory(spec):
        return replace(placement, memory=MemoryFile(template.memory, shared=False))
    directory = await TemplateStore(host).draft(spec.memory.size_mib)
    resources.remove_later(directory)
    copy = f"{directory}/{MEMORY}"
    # Holes stay holes; where the file system can share blocks, nothing is copied at all.
    command = ["cp", "--sparse=always", "--reflink=auto", template.memory, copy]
    await host.run(command, timeout=COPY_SECONDS)
    return replace(placement, storage=directory, memory=MemoryFile(copy, shared=True))


async def load(qemu: RunningQemu, store: TemplateStore, template: Template) -> None:
    """Load a template's state into a QEMU that waits for one.

    :raises MonitorError: QEMU cannot load it.
    :raises TemplateError: the template was replaced meanwhile.
    """
    if template.memory is None:
        await load_all(qemu.monitor, qemu.host, template.state_file)
    else:
        await load_state(qemu.monitor, template.state)
    # By now everything of it has been opened, some by its path.
    await store.require_unchanged(template)


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
