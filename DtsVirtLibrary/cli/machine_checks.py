"""The doctor's look at rights, the loopback interface, hugepages and disk space."""

from __future__ import annotations

import re

from DtsVirtLibrary.cache import cache_directory
from DtsVirtLibrary.cli.findings import Finding, Status
from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.host.hugepages import hugepages as hugepage_pools
from DtsVirtLibrary.host.protocol import Host
from DtsVirtLibrary.host.sizes import size_text
from DtsVirtLibrary.results import HugepagePool

CAP_NET_ADMIN = 12
IFF_UP = 1
MEBIBYTE = 1024 * 1024
# A start writes logs, sockets and an overlay's first blocks.
RUNTIME_SPACE = 64 * MEBIBYTE
# Building the embedded guest unpacks a kernel package.
CACHE_SPACE = 800 * MEBIBYTE
POOLS = "/sys/kernel/mm/hugepages"


async def rights(host: Host) -> list[Finding]:
    """Say what this user may do beyond running a virtual machine."""
    user_id = await host.user_id()
    user = "root" if user_id == 0 else f"uid {user_id}"
    return [
        Finding("Rights", "user", Status.OK, user),
        await _net_admin(host),
        await _device(host, "/dev/net/tun", "tap and bridge networks", "modprobe tun"),
        await _device(host, "/dev/vhost-net", "tap networks with vhost=on", "modprobe vhost_net"),
        await _device(host, "/dev/vfio/vfio", "passing PCI devices through", "modprobe vfio-pci"),
        await _iommu(host),
    ]


async def _net_admin(host: Host) -> Finding:
    status = await host.read_text("/proc/self/status")
    match = re.search(r"^CapEff:\s*([0-9a-f]+)$", status, re.MULTILINE)
    name = "CAP_NET_ADMIN"
    if match and int(match[1], 16) >> CAP_NET_ADMIN & 1:
        return Finding("Rights", name, Status.OK, "taps and bridges can be made")
    return Finding(
        "Rights", name, Status.NOTE, "taps and bridges cannot be made by this user",
        "run as root, or use taps that root made; user networks need no rights",
    )  # fmt: skip


async def _device(host: Host, path: str, purpose: str, module: str) -> Finding:
    if await host.status(path) is None:
        text = f"not there (needed for {purpose} only)"
        return Finding("Rights", path, Status.NOTE, text, f"as root: {module}")
    for flag in ("-r", "-w"):
        answer = await host.run(["test", flag, path], timeout=10, check=False)
        if answer.exit_code != 0:
            text = f"this user may not open it (needed for {purpose} only)"
            return Finding(
                "Rights", path, Status.NOTE, text, f"as root: chmod or setfacl on {path}"
            )
    return Finding("Rights", path, Status.OK, "can be opened")


async def _iommu(host: Host) -> Finding:
    groups = await host.list_directory("/sys/kernel/iommu_groups")
    if groups:
        return Finding("Rights", "IOMMU", Status.OK, f"{len(groups)} groups")
    return Finding(
        "Rights", "IOMMU", Status.NOTE, "off or absent, so no PCI device can be passed through",
        "turn VT-d or AMD-Vi on in the firmware and boot with intel_iommu=on or amd_iommu=on",
    )  # fmt: skip


async def network(host: Host) -> list[Finding]:
    """Say whether the loopback interface is up, by which SSH reaches guests."""
    flags = await host.read_text("/sys/class/net/lo/flags")
    if int(flags, 16) & IFF_UP:
        return [Finding("Network", "lo", Status.OK, "up")]
    return [
        Finding(
            "Network", "lo", Status.MISSING, "down, so no guest can be reached by SSH",
            "as root: ip link set lo up",
        )
    ]  # fmt: skip


async def hugepages(host: Host) -> list[Finding]:
    """Say how many hugepages are reserved and free, by size and NUMA node."""
    pools = await hugepage_pools(host)
    if not pools:
        text = "this kernel has none (needed for mem with hugepage=yes only)"
        return [Finding("Hugepages", "hugepages", Status.NOTE, text)]
    return [_pool(pool) for pool in pools]


def _pool(pool: HugepagePool) -> Finding:
    where = "whole host" if pool.node is None else f"node {pool.node}"
    name = f"{size_text(pool.page_size_kib)}, {where}"
    if pool.total or pool.available:
        text = f"{pool.total} reserved, {pool.available} available"
        return Finding("Hugepages", name, Status.OK, text)
    text = "none reserved (needed for mem with hugepage=yes only)"
    remedy = "" if pool.node is not None else "keyword Reserve Host Hugepages, or as root: "
    if remedy:
        remedy += f"echo NUMBER > {POOLS}/hugepages-{pool.page_size_kib}kB/nr_hugepages"
    return Finding("Hugepages", name, Status.NOTE, text, remedy)


async def space(host: Host) -> list[Finding]:
    """Say whether there is room for what a start and the embedded guest write."""
    return [await _runtime(host), await _cache(host)]


async def _runtime(host: Host) -> Finding:
    name = "runtime directory"
    try:
        directory = await host.private_directory("doctor")
    except HostError as error:
        remedy = "set XDG_RUNTIME_DIR to a directory of your own with mode 0700"
        return Finding("Space", name, Status.MISSING, error.summary, remedy, required=True)
    try:
        free = await host.free_space(directory)
    finally:
        await host.remove(directory)
    parent = directory.rpartition("/")[0]
    text = f"{parent}, {_mebibytes(free)} free"
    if free < RUNTIME_SPACE:
        remedy = f"make room in {parent}: {_mebibytes(RUNTIME_SPACE)} are needed"
        return Finding("Space", name, Status.MISSING, text, remedy, required=True)
    return Finding("Space", name, Status.OK, text)


async def _cache(host: Host) -> Finding:
    name = "cache directory"
    directory = await cache_directory(host)
    free = await host.free_space(await _existing(host, directory))
    text = f"{directory}, {_mebibytes(free)} free"
    if free < CACHE_SPACE:
        remedy = f"make room, or set DTSVIRT_CACHE: a build needs {_mebibytes(CACHE_SPACE)}"
        return Finding("Space", name, Status.NOTE, text, remedy)
    return Finding("Space", name, Status.OK, text)


async def _existing(host: Host, path: str) -> str:
    while path and await host.status(path) is None:
        path = path.rpartition("/")[0]
    return path or "/"


def _mebibytes(size: int) -> str:
    return f"{size // MEBIBYTE} MiB"
