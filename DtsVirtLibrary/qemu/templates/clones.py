"""Clones: VMs that are not booted, but go on where a template's guest was saved.

A clone maps the memory privately (copy on write); only one with a vhost-user back end, which
must see the memory, gets a sparse copy of the file. Memory in hugepages is saved with the
state of the devices, and loaded into hugepages of the clone's.
"""

from __future__ import annotations

from dataclasses import replace

from DtsVirtLibrary.host.protocol import Host
from DtsVirtLibrary.qemu.command_line.placement import NAME_ENDPOINT, MemoryFile, Placement
from DtsVirtLibrary.qemu.running.qemu import RunningQemu
from DtsVirtLibrary.qemu.start.resources import StartResources
from DtsVirtLibrary.qemu.templates.key import needs_shared_memory
from DtsVirtLibrary.qemu.templates.manifest import (
    MEMORY,
    Template,
)
from DtsVirtLibrary.qemu.templates.migration import load_all, load_state
from DtsVirtLibrary.qemu.templates.store import TemplateStore
from DtsVirtLibrary.spec import Disk, VmSpec

COPY_SECONDS = 60.0


async def clone_spec(
    store: TemplateStore, core: VmSpec, template: Template, resources: StartResources
) -> VmSpec:
    """Return the specification of a clone: its disks begin as the template's are.

    They stay so if the template is replaced: what the clone has not written is read there
    when it is saved itself.

    :raises HostError: the template is gone.
    """
    overlaid = [disk.id or "" for disk in core.disks if disk.overlay]
    if not overlaid:
        return core
    held = replace(template, directory=await store.hold(template, overlaid))
    resources.remove_later(held.directory)

    def disk_of(disk: Disk) -> Disk:
        if not disk.overlay:
            return disk
        return replace(disk, file=held.disk(disk.id or ""), format="qcow2")

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
    placement = replace(placement, name=NAME_ENDPOINT, of_template=True, restored=True)
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
