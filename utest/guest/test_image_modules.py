import lzma

import pytest

from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.guest.image import modules
from utest.guest import elf_making as making

FILES = {
    "kernel/net_failover.ko": making.module("failover"),
    "kernel/failover.ko": making.module(),
    "kernel/virtio_net.ko": making.module("net-failover,virtio", ["virtio:d00000001v*"]),
    "kernel/virtio.ko": making.module(),
    "kernel/e1000.ko.xz": lzma.compress(making.module("", ["pci:v8086d100E*", "pci:v8086d100F*"])),
}
PATHS = {modules.module_name(path): path for path in FILES}


async def read(path: str) -> bytes:
    return FILES[path]


async def test_collects_what_a_module_needs_before_it() -> None:
    found = await modules.collect(["virtio_net"], PATHS, read)

    assert [one.name for one in found] == ["failover", "net_failover", "virtio", "virtio_net"]


async def test_writes_the_dependencies_nearest_first() -> None:
    found = await modules.collect(["virtio_net"], PATHS, read)

    assert modules.dependency_index(found) == (
        "kernel/failover.ko:\n"
        "kernel/net_failover.ko: kernel/failover.ko\n"
        "kernel/virtio.ko:\n"
        "kernel/virtio_net.ko: kernel/net_failover.ko kernel/failover.ko kernel/virtio.ko\n"
    )


async def test_unpacks_compressed_modules_and_lists_their_devices() -> None:
    (e1000,) = await modules.collect(["e1000"], PATHS, read)

    assert e1000.path == "kernel/e1000.ko"
    assert e1000.data == lzma.decompress(FILES["kernel/e1000.ko.xz"])
    assert modules.alias_index([e1000]) == (
        "alias pci:v8086d100E* e1000\nalias pci:v8086d100F* e1000\n"
    )


async def test_a_module_that_the_kernel_lacks_is_named() -> None:
    with pytest.raises(HostError, match="no module 'e1001'"):
        await modules.collect(["e1001"], PATHS, read)
