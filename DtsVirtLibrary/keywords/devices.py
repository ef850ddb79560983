"""Keywords that change what a VM is made of, before its start or while it runs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from robot.api import logger
from robot.api.deco import keyword

if TYPE_CHECKING:
    from DtsVirtLibrary.keywords.context import LibraryContext


class DeviceKeywords:
    """Parameters and devices."""

    def __init__(self, context: LibraryContext) -> None:
        self._context = context

    @keyword(name="Set VM Parameter", tags=("VM", "Config", "Setter"))
    def set_vm_parameter(self, vm: str, parameter: str, value: Any = None, **options: Any) -> None:
        """Sets a parameter of a VM that does not run, in place of what it was.

        Give the parameter's options by name, or its whole value as the configuration
        file has it, or as a dictionary or a list of dictionaries.

        | `Set VM Parameter` | vm0 | cpu | number=4 | cpupin=4 5 6 7 |
        | `Set VM Parameter` | vm0 | mem | size=1024,hugepage=yes |
        """
        from DtsVirtLibrary.vm.changes import set_parameter

        set_parameter(self._context.machine(vm), parameter, value, options)

    @keyword(name="Add VM Device", tags=("VM", "Config"))
    def add_vm_device(self, vm: str, **options: Any) -> str:
        """Adds a device and returns its id; plugs it in if the VM runs.

        ``driver`` is ``vhost-user``, ``virtio-net-pci``, ``vfio-pci`` (or the old
        ``pci-assign``), ``vhost-cuse``, ``virtio-crypto``, or any other device of the
        QEMU binary. The options of each stand in the table of parameters. A vhost-user card
        can be plugged in only if the VM was started with one, or with ``mem=hugepage=yes``.
        The guest's driver shows what was plugged in a moment later; `Add VM Net` has an example.

        | `Add VM Device` | vm0 | driver=vhost-user | opt_path=./vhost-net0 | opt_mac=00:00:20:00:00:20 |
        | `Add VM Device` | vm0 | driver=vfio-pci | opt_host=0000:07:10.0 |
        """  # noqa: E501 - a table row is one line
        return self._add(vm, "device", options)

    @keyword(name="Add VM Net", tags=("VM", "Config"))
    def add_vm_net(self, vm: str, **options: Any) -> str:
        """Adds a network card with its back end and returns its id; plugs it in if the VM runs.

        ``type`` is the back end: ``user``, ``tap`` or ``bridge``. Its options and those of
        the card, ``opt_model`` for example, stand side by side.

        | `Add VM Net` | vm0 | type=bridge | opt_br=br0 | opt_model=virtio |

        A VM that does not run also takes them one by one, as entries of the parameter
        ``net``, paired by the same ``opt_vlan``. The id is returned once both are there.

        | `Add VM Net` | vm0 | type=nic | opt_vlan=1 | opt_model=virtio |
        | `Add VM Net` | vm0 | type=tap | opt_vlan=1 | opt_br=br0 |

        The card stands beside the control card, by which the guest is reached over SSH. But
        if a user network is added before the start, its card is the control card.

        The guest's driver shows what was plugged into a running VM a moment later:

        | ${id} = | `Add VM Net` | vm0 | type=user | opt_mac=52:54:00:00:00:77 |
        | Wait Until Keyword Succeeds | 30 s | 0.5 s | `Execute In Guest` | vm0 | grep -r 52:54:00:00:00:77 /sys/class/net/*/address | expected_rc=0 |
        """  # noqa: E501 - a table row is one line
        from DtsVirtLibrary.vm.networks import add_net, plug_net

        machine = self._context.machine(vm)
        if not machine.started:
            return add_net(machine, options)
        card = self._context.run(plug_net(machine, options))
        logger.info(f"VM '{vm}': network card '{card}' was plugged in.")
        return card

    @keyword(name="Add VM Disk", tags=("VM", "Config"))
    def add_vm_disk(self, vm: str, file: str, **options: Any) -> str:
        """Adds a disk and returns its id; plugs it in if the VM runs.

        Without a kernel a VM boots from its first disk. For a disk of data beside the
        embedded guest, create the VM with ``guest=flavour=default``.

        | `Add VM Disk` | vm0 | /images/data.qcow2 | format=qcow2 | overlay=yes |
        """
        return self._add(vm, "disk", {"file": file, **options})

    def _add(self, vm: str, parameter: str, options: dict[str, Any]) -> str:
        from DtsVirtLibrary.vm.changes import add_entry, plug

        machine = self._context.machine(vm)
        if machine.started:
            device = self._context.run(plug(machine, parameter, options))
            logger.info(f"VM '{vm}': device '{device}' was plugged in.")
        else:
            device = add_entry(machine, parameter, options)
            logger.info(f"VM '{vm}': device '{device}' was added.")
        return device

    @keyword(name="Remove VM Device", tags=("VM",))
    def remove_vm_device(
        self, vm: str, device: str, *, timeout: timedelta = timedelta(seconds=30)
    ) -> None:
        """Unplugs a device of a running VM by its id and waits until the guest let it go.

        What was plugged in with it, such as a card's back end, goes too.

        | ${id} = | `Add VM Net` | vm0 | type=user | opt_model=virtio |
        | `Remove VM Device` | vm0 | ${id} |
        """
        from DtsVirtLibrary.loop import Deadline

        deadline = Deadline(timeout.total_seconds())
        self._context.use(
            vm, "Remove VM Device", lambda instance: instance.unplug(device, deadline)
        )
        machine = self._context.machine(vm)
        self._context.run(machine.claims.retain(machine.present))
