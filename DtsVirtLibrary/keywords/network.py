"""Keywords that make networks on the host: bridges, taps, veth pairs, namespaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from robot.api.deco import keyword

if TYPE_CHECKING:
    from DtsVirtLibrary.keywords.context import LibraryContext


class NetworkKeywords:
    """Networks of the host; all need the capability CAP_NET_ADMIN.

    What they made and did not delete is deleted at the end of the run, and also where the
    run is killed.
    """

    def __init__(self, context: LibraryContext) -> None:
        self._context = context

    @keyword(name="Create Bridge", tags=("Host", "Network"))
    def create_bridge(self, name: str | None = None, *, address: str | None = None) -> str:
        """Makes a bridge on the host, brings it up and returns its name.

        Without ``name`` it gets one that no other run has. A bridge that is there already
        is used as it is. ``address`` is the host's address on a new bridge. Fails if the
        right is missing or another kind of interface has the name.

        | ${bridge} = | `Create Bridge` | address=192.0.2.1/24 |
        | `Create VM` | vm0 |
        | `Add VM Net` | vm0 | type=nic | opt_vlan=0 |
        | `Add VM Net` | vm0 | type=user | opt_vlan=0 |
        | `Add VM Net` | vm0 | type=nic | opt_vlan=1 | opt_model=virtio |
        | `Add VM Net` | vm0 | type=tap | opt_vlan=1 | opt_br=${bridge} |
        """
        return self._context.run(self._context.parts.resources.create_bridge(name, address))

    @keyword(name="Delete Bridge", tags=("Host", "Network"))
    def delete_bridge(self, name: str) -> None:
        """Removes a bridge of `Create Bridge`; one that still has ports stays.

        Fails if this run has not made it.

        | `Delete Bridge` | ${bridge} |
        """
        self._delete("bridge", name)

    @keyword(name="Create Tap", tags=("Host", "Network"))
    def create_tap(
        self, name: str | None = None, *, bridge: str | None = None, owner: int | None = None
    ) -> str:
        """Makes a tap interface on the host, brings it up and returns its name.

        Without ``name`` it gets one that no other run has. ``bridge`` is a bridge that it
        joins, ``owner`` the numeric id of a user who may open it besides root. Fails if
        the name is taken, the right is missing, or /dev/net/tun is.

        | ${bridge} = | `Create Bridge` |
        | ${tap} = | `Create Tap` | bridge=${bridge} |
        """
        return self._context.run(self._context.parts.resources.create_tap(name, bridge, owner))

    @keyword(name="Delete Tap", tags=("Host", "Network"))
    def delete_tap(self, name: str) -> None:
        """Removes a tap interface of `Create Tap`.

        Fails if this run has not made it.

        | `Delete Tap` | ${tap} |
        """
        self._delete("tap", name)

    @keyword(name="Create Network Namespace", tags=("Host", "Network"))
    def create_network_namespace(self, name: str | None = None) -> str:
        """Makes a network namespace on the host and returns its name.

        Without ``name`` it gets one that no other run has. Its loopback is up; commands
        run in it by ``ip netns exec``. Fails if the name is taken or the right is missing.

        | ${namespace} = | `Create Network Namespace` |
        | Run Process | ip | netns | exec | ${namespace} | ping | -c1 | 127.0.0.1 |
        """
        return self._context.run(self._context.parts.resources.create_namespace(name))

    @keyword(name="Delete Network Namespace", tags=("Host", "Network"))
    def delete_network_namespace(self, name: str) -> None:
        """Removes a network namespace of `Create Network Namespace`, with what is in it.

        Fails if this run has not made it.

        | `Delete Network Namespace` | ${namespace} |
        """
        self._delete("network namespace", name)

    @keyword(name="Create Veth Pair", tags=("Host", "Network"))
    def create_veth_pair(
        self,
        name: str | None = None,
        peer: str | None = None,
        *,
        namespace: str | None = None,
        bridge: str | None = None,
        address: str | None = None,
        peer_address: str | None = None,
        near_namespace: str | None = None,
    ) -> tuple[str, str]:
        """Makes a pair of connected interfaces and returns the names of both.

        Without names they get ones that no other run has. ``namespace`` is a network
        namespace that the second is put in, ``near_namespace`` one for the first, or
        ``bridge`` a bridge that the first joins; ``address`` and ``peer_address`` are their
        addresses. Both are up. Fails if a name is taken or the right is missing.

        | ${bridge} = | `Create Bridge` |
        | ${namespace} = | `Create Network Namespace` |
        | ${near} | ${far} = | `Create Veth Pair` | bridge=${bridge} | namespace=${namespace} | peer_address=192.0.2.9/24 |
        """  # noqa: E501 - a table row is one line
        return self._context.run(
            self._context.parts.resources.create_veth(
                name, peer, namespace, bridge, address, peer_address, near_namespace
            )
        )

    @keyword(name="Delete Veth Pair", tags=("Host", "Network"))
    def delete_veth_pair(self, name: str) -> None:
        """Removes a pair of `Create Veth Pair`, by the name of its first interface.

        Fails if this run has not made it.

        | `Delete Veth Pair` | ${near} |
        """
        self._delete("veth pair", name)

    def _delete(self, kind: str, name: str) -> None:
        self._context.run(self._context.parts.resources.delete(kind, name))
