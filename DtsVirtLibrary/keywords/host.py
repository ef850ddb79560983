"""Keywords that take something from the host and give it back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from robot.api import logger
from robot.api.deco import keyword

from DtsVirtLibrary.results import HugepagePool

if TYPE_CHECKING:
    from DtsVirtLibrary.keywords.context import LibraryContext


class HostKeywords:
    """Hugepages, PCI functions and networks of the host.

    What they made and did not give back is given back at the end of the run, and also
    where the run is killed.
    """

    def __init__(self, context: LibraryContext) -> None:
        self._context = context

    @keyword(name="Reserve Host Hugepages", tags=("Host", "Hugepages"))
    def reserve_host_hugepages(
        self, size: str, *, page_size: str | None = None, node: int | None = None
    ) -> int:
        """Adds hugepages to the host's pool and returns how many.

        ``size`` is the memory they hold together, ``512`` (MiB), ``512M`` or ``2G``;
        ``page_size`` is ``2M`` or ``1G``, by default the host's default size; ``node`` is
        the NUMA node to take them from, by default any. If the kernel cannot give all of
        them it keeps none and the keyword fails, saying how many are free and how to get
        more. Needs root.

        | ${pages} = | `Reserve Host Hugepages` | 512M | node=0 |
        | `Create VM` | vm0 | mem=size=512,hugepage=yes |
        """
        return self._context.run(
            self._context.parts.resources.reserve_hugepages(size, page_size, node)
        )

    @keyword(name="Release Host Hugepages", tags=("Host", "Hugepages"))
    def release_host_hugepages(self) -> None:
        """Gives back all hugepages of `Reserve Host Hugepages`.

        Pages that a VM still uses go back to the kernel when it ends.

        | `Release Host Hugepages` |
        """
        self._context.run(self._context.parts.resources.release_hugepages())

    @keyword(name="Get Host Hugepages", tags=("Host", "Hugepages", "Getter"))
    def get_host_hugepages(self) -> list[HugepagePool]:
        """Returns the host's hugepages, an object for each page size and NUMA node.

        The objects of the whole host come first and have ``node`` None. Each has
        ``page_size_kib``, ``node``, ``total``, ``free``, ``reserved``, ``surplus`` and
        ``available``, in pages.

        | ${pools} = | `Get Host Hugepages` |
        | Log | ${pools[0].available} pages of ${pools[0].page_size_kib} KiB |
        """
        return self._context.run(self._context.parts.resources.hugepages())

    @keyword(name="Bind Host Device", tags=("Host", "PCI"))
    def bind_host_device(self, address: str, driver: str = "vfio-pci") -> None:
        """Gives a PCI function of the host to a driver, by default to pass it through.

        ``address`` is as ``lspci -D`` shows it, the domain may be left out. Fails if there
        is no such function, the driver is not loaded, there is no IOMMU, or the host's own
        routes go through the function. Warns if another function of its IOMMU group still
        keeps it from being passed through. `Restore Host Device` undoes it.

        | `Bind Host Device` | 0000:07:10.0 |
        | `Create VM` | vm0 |
        | `Add VM Device` | vm0 | driver=vfio-pci | opt_host=0000:07:10.0 |
        """
        for obstacle in self._context.run(self._context.parts.resources.bind(address, driver)):
            logger.warn(obstacle)

    @keyword(name="Restore Host Device", tags=("Host", "PCI"))
    def restore_host_device(self, address: str) -> None:
        """Gives a PCI function back to the driver it had before `Bind Host Device`.

        Stop the VM that uses it first. Fails if this run has not bound it or the former
        driver does not take it.

        | `Restore Host Device` | 0000:07:10.0 |
        """
        self._context.run(self._context.parts.resources.restore(address))

    @keyword(name="Create Virtual Functions", tags=("Host", "PCI", "SR-IOV"))
    def create_virtual_functions(self, physical_function: str, count: int) -> list[str]:
        """Has a network card offer virtual functions and returns their PCI addresses.

        ``physical_function`` is the card's own address. Virtual functions that it has
        already are replaced. Fails if it offers fewer than ``count``, or if one of those
        that are there is bound to vfio-pci.

        | @{functions} = | `Create Virtual Functions` | 0000:07:00.0 | 2 |
        | `Bind Host Device` | ${functions}[0] |
        """
        return self._context.run(
            self._context.parts.resources.create_virtual_functions(physical_function, count)
        )

    @keyword(name="Destroy Virtual Functions", tags=("Host", "PCI", "SR-IOV"))
    def destroy_virtual_functions(self, physical_function: str) -> None:
        """Takes the virtual functions of `Create Virtual Functions` away again.

        Those bound by `Bind Host Device` are restored first. Stop the VMs that use them
        before, because the kernel waits for them. Fails if this run has made none.

        | `Destroy Virtual Functions` | 0000:07:00.0 |
        """
        self._context.run(
            self._context.parts.resources.destroy_virtual_functions(physical_function)
        )

    @keyword(name="Set Virtual Function", tags=("Host", "PCI", "SR-IOV", "Setter"))
    def set_virtual_function(
        self,
        physical_function: str,
        index: int,
        *,
        mac: str | None = None,
        vlan: int | None = None,
        trust: bool | None = None,
        spoofchk: bool | None = None,
    ) -> None:
        """Sets what a network card enforces for one of its virtual functions.

        ``index`` counts from 0. ``mac`` is its MAC address, ``vlan`` the VLAN that the
        card adds and removes (0 for none), ``trust`` lets the guest change its MAC and go
        promiscuous, ``spoofchk`` drops what the guest sends from another MAC. What is not
        given stays as it is. Fails if the card has no such virtual function or refuses.

        | `Create Virtual Functions` | 0000:07:00.0 | 1 |
        | `Set Virtual Function` | 0000:07:00.0 | 0 | mac=52:54:00:00:00:01 | trust=yes | spoofchk=no |
        """  # noqa: E501 - a table row is one line
        self._context.run(
            self._context.parts.resources.set_virtual_function(
                physical_function, index, mac, vlan, trust, spoofchk
            )
        )
