"""Hugepages of a host: what there is, taking some, giving them back.

A VM whose memory lies in hugepages needs no mounted hugetlbfs: QEMU can take them from a
memfd. So nothing is mounted here; :func:`hugetlbfs_mount` only finds what is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.host.guarded import guarded
from DtsVirtLibrary.host.protocol import Host
from DtsVirtLibrary.host.sizes import parse_kib, size_text
from DtsVirtLibrary.results import HugepagePool

COMMAND_TIMEOUT = 60.0
LOCKED = 'umask 077 && exec flock -w 4 "$1" sh -c "$2" sh "$3" "$4"'
# Two runners that read, add and write at the same time would count the same pages, so
# the sum is made under a lock that all of them take. Surplus pages are not in the number
# that is written: the kernel frees those by itself.
CHANGE = """set -e
cd "$1"
persistent() {
    read -r all < nr_hugepages
    read -r surplus < surplus_hugepages
    count=$((all - surplus))
}
persistent
before=$count
wanted=$((before + $2))
[ "$wanted" -ge 0 ] || wanted=0
echo "$wanted" > nr_hugepages
persistent
echo "$before $count"
"""


@dataclass(frozen=True)
class Reservation:
    """Hugepages that :func:`reserve` added to a pool; `token` is its runner-death undo."""

    pages: int
    page_size_kib: int
    node: int | None
    sysfs: str
    token: str

    @property
    def size_mib(self) -> int:
        """Memory of the reservation in MiB."""
        return self.pages * self.page_size_kib // 1024


async def hugepages(host: Host, sysfs: str = "/sys") -> tuple[HugepagePool, ...]:
    """Return the pools of every page size: the whole host's first, then each node's."""
    pools = [
        await _pool(host, size, None, sysfs) for size in await _sizes(host, _root(None, sysfs))
    ]
    for node in await _nodes(host, sysfs):
        pools += [
            await _pool(host, size, node, sysfs) for size in await _sizes(host, _root(node, sysfs))
        ]
    return tuple(pools)


async def default_page_size(host: Host, proc: str = "/proc") -> int:
    """Return the size in KiB of the hugepages that a memfd or a plain mount gives.

    :raises HostError: the kernel has no hugepages.
    """
    if (size := await _default_page_size(host, proc)) is None:
        raise HostError(f"The kernel of {host.name} has no hugepages (no Hugepagesize in meminfo).")
    return size


async def reserve(
    host: Host,
    *,
    size_mib: int | None = None,
    pages: int | None = None,
    page_size_kib: int | None = None,
    node: int | None = None,
    sysfs: str = "/sys",
) -> Reservation:
    """Add hugepages to a pool: `pages` of them, or as many as hold `size_mib`.

    :param page_size_kib: None for the default size.
    :param node: NUMA node to take the memory from; None lets the kernel spread it.
    :raises HostError: the kernel gave fewer (they are given back), or refused.
    """
    size = page_size_kib or await default_page_size(host)
    pool = await _known_pool(host, size, node, sysfs)
    count = pages if pages is not None else _pages(size_mib or 0, size)
    if count < 1:
        raise HostError(f"A reservation of {count} hugepages is none; ask for at least one.")
    _, token = await guarded(
        host,
        _change_argv(size, node, -count, sysfs),
        _add(host, pool, count, sysfs),
        lambda: _change(host, size, node, -count, sysfs),
    )
    return Reservation(count, size, node, sysfs, token)


async def release(host: Host, reservation: Reservation) -> None:
    """Take the pages of a reservation out of the pool again.

    Pages that a process still holds go back to the kernel when it ends.

    :raises HostError: the kernel refused.
    """
    await _change(
        host,
        reservation.page_size_kib,
        reservation.node,
        -reservation.pages,
        reservation.sysfs,
    )
    await host.forget(reservation.token)


async def require(
    host: Host,
    needed_mib: int,
    node: int | None = None,
    *,
    page_size_kib: int | None = None,
    sysfs: str = "/sys",
) -> None:
    """Check that hugepages for `needed_mib` are to be had now.

    :raises HostError: they are not; the text says how many are and how to get more.
    """
    size = page_size_kib or await default_page_size(host)
    pool = await _known_pool(host, size, node, sysfs)
    needed = _pages(needed_mib, size)
    if pool.available < needed:
        raise HostError(
            f"{needed} hugepages of {size_text(size)} ({needed_mib} MiB) are needed on "
            f"{_where(host, node)}, {pool.available} are free of {pool.total}.\n"
            + _remedy(pool, needed - pool.available, sysfs)
        )


async def hugetlbfs_mount(
    host: Host, page_size_kib: int | None = None, proc: str = "/proc"
) -> str | None:
    """Return where a hugetlbfs of this page size (None: the default) is mounted, else None."""
    if (default := await _default_page_size(host, proc)) is None:
        return None
    for line in (await host.read_text(f"{proc}/mounts")).splitlines():
        _, path, kind, options, *_ = line.split()
        if kind == "hugetlbfs" and _mount_page_size(options, default) == (page_size_kib or default):
            return path.encode().decode("unicode_escape")
    return None


async def _default_page_size(host: Host, proc: str) -> int | None:
    for line in (await host.read_text(f"{proc}/meminfo")).splitlines():
        name, _, value = line.partition(":")
        if name == "Hugepagesize":
            return int(value.split()[0])
    return None


def _mount_page_size(options: str, default: int) -> int:
    for option in options.split(","):
        name, _, value = option.partition("=")
        if name == "pagesize":
            return parse_kib(value)
    return default


def _pages(size_mib: int, page_size_kib: int) -> int:
    return -(-size_mib * 1024 // page_size_kib)


def _root(node: int | None, sysfs: str) -> str:
    if node is None:
        return f"{sysfs}/kernel/mm/hugepages"
    return f"{sysfs}/devices/system/node/node{node}/hugepages"


def _directory(size: int, node: int | None, sysfs: str) -> str:
    return f"{_root(node, sysfs)}/hugepages-{size}kB"


async def _sizes(host: Host, root: str) -> list[int]:
    names = await host.list_directory(root)
    return sorted(int(name.removeprefix("hugepages-").removesuffix("kB")) for name in names)


async def _nodes(host: Host, sysfs: str) -> list[int]:
    names = await host.list_directory(f"{sysfs}/devices/system/node")
    numbers = [name.removeprefix("node") for name in names if name.startswith("node")]
    return sorted(int(number) for number in numbers if number.isdigit())


async def _pool(host: Host, size: int, node: int | None, sysfs: str) -> HugepagePool:
    directory = _directory(size, node, sysfs)

    async def number(name: str) -> int:
        return int(await host.read_text(f"{directory}/{name}_hugepages"))

    total, free, surplus = await number("nr"), await number("free"), await number("surplus")
    if node is not None:
        return HugepagePool(size, node, total, free, surplus=surplus)
    growth = max(0, await number("nr_overcommit") - surplus)
    return HugepagePool(size, None, total, free, await number("resv"), surplus, growth)


async def _known_pool(host: Host, size: int, node: int | None, sysfs: str) -> HugepagePool:
    nodes = await _nodes(host, sysfs)
    if node is not None and node not in nodes:
        known = ", ".join(str(number) for number in nodes) or "none"
        raise HostError(f"{host.name} has no NUMA node {node}; its nodes: {known}.")
    sizes = await _sizes(host, _root(node, sysfs))
    if size not in sizes:
        known = ", ".join(size_text(number) for number in sizes) or "none"
        raise HostError(
            f"{_where(host, node)} has no hugepages of {size_text(size)}; its sizes: {known}."
        )
    return await _pool(host, size, node, sysfs)


def _change_argv(size: int, node: int | None, change: int, sysfs: str) -> Sequence[str]:
    # One lock for all nodes: a number written for the host moves those of the nodes. Who may
    # not change it may not open the lock either, and so hold nobody up.
    lock = f"{'/run' if sysfs == '/sys' else sysfs}/dtsvirt-hugepages-{size}.lock"
    directory = _directory(size, node, sysfs)
    return ("sh", "-c", LOCKED, "sh", lock, CHANGE, directory, str(change))


async def _add(host: Host, pool: HugepagePool, count: int, sysfs: str) -> None:
    size, node = pool.page_size_kib, pool.node
    before, after = await _change(host, size, node, count, sysfs)
    if after - before < count:
        await _change(host, size, node, before - after, sysfs)
        raise _shortfall(host, pool, count, after - before, sysfs)


async def _change(
    host: Host, size: int, node: int | None, change: int, sysfs: str
) -> tuple[int, int]:
    """Add `change` pages and return the numbers before and after."""
    argv = _change_argv(size, node, change, sysfs)
    completed = await host.run(argv, timeout=COMMAND_TIMEOUT, check=False)
    if completed.exit_code != 0:
        raise HostError(
            f"The number of hugepages of {size_text(size)} on {_where(host, node)} cannot be "
            f"changed: {completed.stderr.strip() or f'exit code {completed.exit_code}'}.\n"
            "It needs root: run as root, or let an administrator reserve them beforehand: "
            + _command(size, node, max(change, 0), sysfs)
        )
    before, after = completed.stdout.split()
    return int(before), int(after)


def _shortfall(host: Host, pool: HugepagePool, wanted: int, got: int, sysfs: str) -> HostError:
    enough = ", which are enough: no reservation is needed" * (pool.available >= wanted)
    return HostError(
        f"{wanted} more hugepages of {size_text(pool.page_size_kib)} were asked for on "
        f"{_where(host, pool.node)}, the kernel has contiguous memory for {got}; "
        f"these were given back.\n{pool.available} are free of {pool.total}{enough}.\n"
        + _remedy(pool, wanted, sysfs, or_by="")
    )


def _remedy(
    pool: HugepagePool,
    more: int,
    sysfs: str,
    or_by: str = "or the keyword Reserve Host Hugepages. ",
) -> str:
    total = pool.total - pool.surplus + more
    command = _command(pool.page_size_kib, pool.node, total, sysfs)
    return (
        f"To get more, as root: {command}\n"
        f"{or_by}Where memory is too fragmented, free some "
        "(sync; echo 3 > /proc/sys/vm/drop_caches; echo 1 > /proc/sys/vm/compact_memory) or "
        f"boot with hugepagesz={pool.page_size_kib}K hugepages={total}."
    )


def _command(size: int, node: int | None, total: int, sysfs: str) -> str:
    return f"echo {total} > {_directory(size, node, sysfs)}/nr_hugepages"


def _where(host: Host, node: int | None) -> str:
    return host.name if node is None else f"NUMA node {node} of {host.name}"
