"""Sections, parameters and lines of .cfg files."""

from __future__ import annotations

import time

import pytest

from DtsVirtLibrary.config import ConfigFile, build_spec, load_file
from DtsVirtLibrary.errors import ConfigError
from DtsVirtLibrary.spec import Origin
from utest.config.making import cfg, refused


def load(text: str | bytes) -> ConfigFile:
    """Return a .cfg file with this text."""
    return load_file("conf/a.cfg", text)


def refused_file(text: str | bytes, section: str = "vm0") -> str:
    """Return the text of the error that a file, or a section of it, is refused with."""
    with pytest.raises(ConfigError) as caught:
        build_spec(section, load(text).section(section))
    return str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        "cpu = number=2;",
        "cpu = number=2",
        "cpu=number=2",
        "cpu: number=2",
        "cpu =\n    number=2;",
        "cpu =\n    number=2",
        "cpu =\n\tnumber=2;\n",
        "cpu =\n\n    # two\n\n    number=2;\n; the end",
        "cpu =\r\n    number=2;\r\n",
        "CPU = number=2",
        "  cpu =\n    number=2\n  mem =\n    size=2048",
        "cpu =\n    number = 2 ;",
        "cpu = number=2; # two",
        "cpu = 2",
    ],
)
def test_ways_to_write_one_option(body: str) -> None:
    assert cfg(body).cpu.number == 2


def test_byte_order_mark_and_utf8() -> None:
    file = load(b"\xef\xbb\xbf[vm0]\n# gr\xc3\xbc\xc3\x9fe\ndisk = file=/images/gr\xc3\xbcn.img\n")
    assert build_spec("vm0", file.section("vm0")).disks[0].file == "/images/gr\u00fcn.img"
    assert list(load("\ufeff[vm0]\n").sections) == ["vm0"]


def test_a_commented_line_inside_a_value_is_dropped() -> None:
    assert cfg("mem =\n    #size=8192,\n    size=4096;\n").memory.size_mib == 4096


def test_origins_are_file_and_line() -> None:
    text = "# first\n[vm0]\nnet =\n  type=nic;\n  type=user;\n"
    entries = load(text).section("vm0").entries("net")
    assert [entry.origin for entry in entries] == [Origin("conf/a.cfg", 4), Origin("conf/a.cfg", 5)]


def test_an_option_of_a_later_line_is_told_with_that_line() -> None:
    assert refused("cpu =\n  model=host,\n  number=0;").startswith("a.cfg:4: cpu: number: '0'")


def test_other_sections_are_no_vms_and_may_hold_anything() -> None:
    file = load(
        "[suite]\nports = {\n'a': [1, 2],\n}\n[test_one]\nx\n[mount_info]\n[scene]\n"
        "[LIBVIRT]\nos = x\n[XEN]\n[vm0]\ncpu = number=2\n[host]\n[backup]\n"
    )
    assert list(file.sections) == ["vm0", "host", "backup"]
    assert len(file.sections) == 3
    assert file.names[0] == "suite"
    assert build_spec("vm0", file.section("vm0")).cpu.number == 2


def test_another_section_is_a_vm_if_it_is_asked_for() -> None:
    file = load("[suite]\ncpu = number=3\n")
    assert build_spec("suite", file.section("suite")).cpu.number == 3


def test_default_gives_every_vm_what_it_lacks() -> None:
    file = load("[DEFAULT]\ncpu = number=3\nmem = size=1024\n[vm0]\nmem = size=2048\n[vm1]\n")
    vm0, vm1 = (build_spec(name, file.section(name)) for name in ("vm0", "vm1"))
    assert (vm0.cpu.number, vm0.memory.size_mib) == (3, 2048)
    assert (vm1.cpu.number, vm1.memory.size_mib) == (3, 1024)


def test_kvm_section_is_the_defaults_of_a_global_file() -> None:
    file = load("[KVM]\ncpu = number=3\ndisk = file=/global.img\n[vm0]\n")
    assert list(file.sections) == ["vm0"]
    defaults = file.defaults
    assert defaults is not None
    parameters = load("[vm0]\ndisk = file=/a.img,opt_format=qcow2\n").section("vm0")
    parameters.merge_defaults(defaults)
    spec = build_spec("vm0", parameters)
    assert (spec.cpu.number, [disk.file for disk in spec.disks]) == (3, ["/a.img"])
    assert load("[vm0]\n").defaults is None


def test_missing_section_offers_the_nearest() -> None:
    message = refused_file("[vm0]\n[vm1]\n[suite]\n", "vm2")
    assert message == "conf/a.cfg: unknown VM 'vm2'. Did you mean 'vm1'? Known: vm0, vm1"


def test_sections_are_a_mapping() -> None:
    sections = load("[vm0]\ncpu = 2\n").sections
    assert build_spec("vm0", sections["vm0"]).cpu.number == 2
    assert "suite" not in sections
    with pytest.raises(KeyError):
        sections["vm1"]


@pytest.mark.fault(11)
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[vm0]\ncpu = number=2\ncpu = number=3\n",
            "conf/a.cfg:3: cpu: the parameter stands there",
        ),
        ("[vm0]\n[vm1]\n[vm0]\n", "conf/a.cfg:3: section [vm0] stands there twice"),
        ("cpu = number=2\n[vm0]\n", "conf/a.cfg:1: 'cpu = number=2' stands before the first"),
        ("[vm0]\ncup = number=2\n", "conf/a.cfg:2: unknown parameter 'cup'. Did you mean 'cpu'?"),
        ("[vm0]\ncpu =\n", "conf/a.cfg:2: cpu: no value"),
        ("[vm0]\nnet = ;\n", "conf/a.cfg:2: net: no value"),
        ("[vm0]\ncpu\n", "conf/a.cfg:2: expected [section] or 'parameter = value'"),
        ("[vm0]\n= 2\n", "conf/a.cfg:2: expected [section] or 'parameter = value'"),
        ("[vm0]\ncpu = 2\n}\n", "conf/a.cfg:3: the line is not indented"),
        ("[vm0\ncpu = 2\n", "conf/a.cfg:1: '[vm0' is no section: it begins with '[' and ends"),
        ("[vm0]\nos = loader=x\n", "conf/a.cfg:2: os: belongs to DTS's LIBVIRT class"),
        (b"[vm0]\n# \xff\n", "conf/a.cfg:2: the file is not encoded as UTF-8"),
        ("[vm0]\n\0\n", "conf/a.cfg:2: a NUL character"),
        ("x" * 300_000, "conf/a.cfg: 300000 bytes, but at most 262144 are read"),
    ],
)
def test_files_that_are_refused(text: str | bytes, message: str) -> None:
    assert refused_file(text).startswith(message)


def test_an_unindented_value_is_refused_with_the_repair() -> None:
    assert refused_file("[vm0]\ncpu =\nmodel=host,number=2;\n").splitlines() == [
        "conf/a.cfg:3: the line is not indented, so it does not belong to 'cpu' above it",
        "Write it with blanks at its beginning: '    model=host,number=2;'",
    ]


def test_an_unindented_login_is_refused_without_the_password() -> None:
    message = refused_file("[vm0]\nlogin =\npassword=geheim,user=root;\n")
    assert "not indented" in message
    assert "geheim" not in message


def test_no_section_at_all() -> None:
    assert load("").names == ()
    assert load("# only\n; comments\n").names == ()


@pytest.mark.parametrize(
    "value",
    [
        ";" * 250_000,
        "," * 250_000,
        "a" * 250_000,
        "number=" + "9" * 250_000,
        "a=1," * 60_000,
        "a=1;" * 60_000,
        "cpupin=" + "1 " * 120_000,
        '"' * 250_000,
        'a="' + "\\" * 250_000,
        "# " * 120_000,
        "\n number=1" * 25_000,
        "%(" * 120_000,
        " " * 250_000,
    ],
    ids=lambda value: repr(value[:12]),
)
def test_long_values_end_soon_in_a_short_message(value: str) -> None:
    begin = time.monotonic()
    message = refused(f"cpu = {value}")
    assert time.monotonic() - begin < 30
    assert len(message) < 1000
