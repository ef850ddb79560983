"""What keywords took from the host, so that it is given back at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.host import hugepages, network, pci, sriov
from DtsVirtLibrary.host.named_locks import Holder, NamedLocks
from DtsVirtLibrary.host.protocol import Host
from DtsVirtLibrary.host.sizes import parse_kib
from DtsVirtLibrary.host.taken import Taken
from DtsVirtLibrary.results import HugepagePool

HUGEPAGES = "reservation of hugepages"
BINDING = "bound PCI function"
VIRTUAL_FUNCTIONS = "set of virtual functions"
TAP, BRIDGE, VETH = "tap", "bridge", "veth pair"
NAMESPACE = "network namespace"
DIRECTORY = "private directory"


def pci_function(address: str) -> str:
    """Return what a VM locks that has a PCI function passed through."""
    return f"PCI function {address} of the host"


def driver_of(address: str) -> str:
    """Return what a run locks that has given a PCI function to a driver."""
    return f"the driver of PCI function {address} of the host"


def virtual_functions_of(card: str) -> str:
    """Return what a run locks that has made virtual functions of a card."""
    return f"the set of virtual functions of PCI function {card} of the host"


class HostResources:
    """Takes things from one host and gives them back by name, or all, the last first.

    :param locks: keep other runs of the user from what this one has taken by its name.
    """

    def __init__(self, host: Host, locks: NamedLocks, sysfs: str = "/sys") -> None:
        self._host = host
        self._locks = locks
        self._sysfs = sysfs
        self._taken = Taken()
        self._reservations = 0

    async def give_back_all(self) -> None:
        """Give back everything that is still held. Quiet when nothing is.

        :raises CleanupError: some of it could not be given back; the rest was.
        """
        await self._taken.give_back_all()

    async def hugepages(self) -> list[HugepagePool]:
        """Return the host's hugepage pools."""
        return list(await hugepages.hugepages(self._host, self._sysfs))

    async def reserve_hugepages(self, size: str, page_size: str | None, node: int | None) -> int:
        """Reserve hugepages for a size such as ``512M`` and return how many they are."""
        reservation = await hugepages.reserve(
            self._host,
            size_mib=-(-parse_kib(size) // 1024),
            page_size_kib=parse_kib(page_size) if page_size else None,
            node=node,
            sysfs=self._sysfs,
        )
        self._reservations += 1
        self._taken.hold(
            HUGEPAGES,
            str(self._reservations),
            lambda: hugepages.release(self._host, reservation),
        )
        return reservation.pages

    async def release_hugepages(self) -> None:
        """Release every reservation of hugepages, the last first."""
        for name in reversed(self._taken.names(HUGEPAGES)):
            await self._taken.give_back(HUGEPAGES, name)

    async def bind(self, address: str, driver: str) -> list[str]:
        """Bind a PCI function and return what keeps it from being passed through.

        Binding it again keeps the first former driver as the one to go back to.

        :raises HostError: a VM has it, or another run has given it to a driver.
        """
        address = pci.full_address(address)
        if address in self._taken.names(BINDING):
            await self.restore(address)
        async with self._claimed(driver_of(address)):
            async with self._claimed(pci_function(address)):
                binding = await pci.bind(self._host, address, driver, sysfs=self._sysfs)
            # From here on a VM of this run may have it.
            await self._locks.free(pci_function(address))

        async def give_back() -> None:
            await pci.restore(self._host, binding)
            await self._locks.free(driver_of(address))

        self._taken.hold(BINDING, address, give_back)
        if driver != pci.VFIO:
            return []
        try:
            await pci.require_viable(self._host, address, self._sysfs)
        except HostError as error:
            return [str(error)]
        return []

    async def restore(self, address: str) -> None:
        """Give a PCI function back to its former driver."""
        await self._taken.give_back(BINDING, pci.full_address(address))

    async def create_virtual_functions(self, physical_function: str, count: int) -> list[str]:
        """Make virtual functions and return their addresses by index.

        :raises HostError: this or another run has made some of that card.
        """
        card = pci.full_address(physical_function)
        if card in self._taken.names(VIRTUAL_FUNCTIONS):
            raise HostError(
                f"This run has made virtual functions of {card} already; "
                "use Destroy Virtual Functions first."
            )
        async with self._claimed(virtual_functions_of(card)):
            made = await sriov.create_virtual_functions(self._host, card, count, self._sysfs)

        async def give_back() -> None:
            await sriov.destroy_virtual_functions(self._host, made)
            await self._locks.free(virtual_functions_of(card))

        self._taken.hold(VIRTUAL_FUNCTIONS, card, give_back)
        return list(made.addresses)

    async def destroy_virtual_functions(self, physical_function: str) -> None:
        """Take virtual functions away that were made here; bound ones are restored first."""
        card = pci.full_address(physical_function)
        if card in self._taken.names(VIRTUAL_FUNCTIONS):
            found = await pci.function(self._host, card, self._sysfs)
            for address in set(found.virtual_functions) & set(self._taken.names(BINDING)):
                await self.restore(address)
        await self._taken.give_back(VIRTUAL_FUNCTIONS, card)

    async def set_virtual_function(
        self,
        physical_function: str,
        index: int,
        mac: str | None,
        vlan: int | None,
        trust: bool | None,
        spoofchk: bool | None,
    ) -> None:
        """Set what the card enforces for a virtual function.

        :raises HostError: another run has made it.
        """
        made = virtual_functions_of(pci.full_address(physical_function))
        if (holder := await self._locks.held_by_another_run(made)) is not None:
            raise _in_use(made, holder)
        await sriov.set_virtual_function(
            self._host,
            physical_function,
            index,
            mac=mac,
            vlan=vlan,
            trust=trust,
            spoofchk=spoofchk,
            sysfs=self._sysfs,
        )

    async def create_tap(self, name: str | None, bridge: str | None, owner: int | None) -> str:
        """Make a tap and return its name."""
        tap = await network.make_tap(self._host, name, bridge=bridge, owner=owner)
        self._taken.hold(TAP, tap.name, lambda: network.remove_tap(self._host, tap))
        return tap.name

    async def create_bridge(self, name: str | None, address: str | None) -> str:
        """Make a bridge, or use the one that is there, and return its name."""
        bridge = await network.make_bridge(self._host, name, address=address)
        if bridge.made:
            self._taken.hold(BRIDGE, bridge.name, lambda: network.remove_bridge(self._host, bridge))
        return bridge.name

    async def create_namespace(self, name: str | None) -> str:
        """Make a network namespace and return its name."""
        namespace = await network.make_namespace(self._host, name)
        self._taken.hold(
            NAMESPACE, namespace.name, lambda: network.remove_namespace(self._host, namespace)
        )
        return namespace.name

    async def create_directory(self, purpose: str) -> str:
        """Make a private directory and return its path."""
        path = await self._host.private_directory(purpose)
        self._taken.hold(DIRECTORY, path, lambda: self._host.remove(path))
        return path

    async def create_veth(
        self,
        name: str | None,
        peer: str | None,
        namespace: str | None,
        bridge: str | None,
        address: str | None,
        peer_address: str | None,
        near_namespace: str | None = None,
    ) -> tuple[str, str]:
        """Make a veth pair and return the names of its near and far end."""
        veth, far = await network.make_veth(
            self._host,
            name,
            peer,
            namespace=namespace,
            bridge=bridge,
            address=address,
            peer_address=peer_address,
            near_namespace=near_namespace,
        )
        self._taken.hold(VETH, veth.name, lambda: network.remove_veth(self._host, veth))
        return veth.name, far

    async def delete(self, kind: str, name: str) -> None:
        """Remove a tap, bridge, veth pair or network namespace that was made here."""
        await self._taken.give_back(kind, name)

    @asynccontextmanager
    async def _claimed(self, what: str) -> AsyncIterator[None]:
        """Take a lock, and free it again if what follows fails.

        :raises HostError: somebody else has it.
        """
        if (holder := await self._locks.take(what)) is not None:
            raise _in_use(what, holder)
        try:
            yield
        except BaseException:
            await self._locks.free(what)
            raise


def _in_use(what: str, holder: Holder) -> HostError:
    return HostError(
        f"{what[0].upper()}{what[1:]} is in use by {holder.words}. Take another one, or wait until "
        "that has ended."
    )
