import sys
from pathlib import Path

import pytest

from DtsVirtLibrary.guest.image.elf import ElfFile
from utest.guest import elf_making as making


def test_tells_the_libraries_and_the_loader_of_a_real_program() -> None:
    python = ElfFile(Path(sys.executable).resolve().read_bytes())

    assert "libc.so.6" in python.needed
    assert python.interpreter == "/lib64/ld-linux-x86-64.so.2"


def test_tells_the_libraries_of_a_program_in_their_order() -> None:
    made = ElfFile(making.program(["libb.so.1", "liba.so.2"], interpreter="/lib64/ld.so"))

    assert made.needed == ["libb.so.1", "liba.so.2"]
    assert made.interpreter == "/lib64/ld.so"


def test_a_library_has_no_loader() -> None:
    assert ElfFile(making.program(["libc.so.6"])).interpreter is None


def test_a_static_program_needs_nothing() -> None:
    assert ElfFile(making.kernel()).needed == []


@pytest.mark.parametrize("pvh", [True, False])
def test_finds_the_pvh_note_among_others(pvh: bool) -> None:
    assert ElfFile(making.kernel(pvh=pvh)).boots_by_pvh is pvh


def test_reads_a_section_by_its_name() -> None:
    made = ElfFile(making.sections({".text": b"code", ".modinfo": b"facts"}))

    assert made.section(".modinfo") == b"facts"
    assert made.section(".absent") == b""


@pytest.mark.parametrize("data", [b"", b"#!/bin/sh\n", b"\x7fELF\x01\x01"])
def test_refuses_what_is_no_64_bit_elf_file(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a 64-bit"):
        ElfFile(data)
