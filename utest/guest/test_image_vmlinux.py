import gzip
import lzma
import struct
from collections.abc import Callable

import pytest

from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.guest.image.vmlinux import extract_vmlinux
from utest.guest import elf_making as making
from utest.guest.kernel_making import vmlinuz

KERNEL = making.kernel()


@pytest.mark.parametrize("compress", [lzma.compress, gzip.compress])
def test_takes_the_kernel_out(compress: Callable[[bytes], bytes]) -> None:
    # The kernel's build appends the size of the uncompressed kernel.
    payload = compress(KERNEL) + struct.pack("<I", len(KERNEL))

    assert extract_vmlinux(vmlinuz(payload)) == KERNEL


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (b"MZ" + bytes(2000), "no boot header"),
        (b"", "no boot header"),
        (vmlinuz(b"\x28\xb5\x2f\xfd" + bytes(40)), "28 b5 2f fd"),
        (vmlinuz(lzma.compress(KERNEL)[:30] + bytes(40)), "damaged"),
        (vmlinuz(lzma.compress(b"no kernel")), "not an ELF file"),
        (vmlinuz(lzma.compress(making.kernel(pvh=False))), "no PVH entry point"),
    ],
)
def test_says_why_an_image_cannot_be_used(image: bytes, said: str) -> None:
    with pytest.raises(HostError, match=said):
        extract_vmlinux(image)
