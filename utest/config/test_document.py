"""docs/parameters.md is what the table says, and its examples can be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from DtsVirtLibrary.config import PARAMETERS, build_spec, load_file
from DtsVirtLibrary.config.document import PREFACE, document

PAGE = Path(__file__).parents[2] / "docs" / "parameters.md"
# Section 1 of what DTS had: every parameter and option that this library must know.
DTS = {
    "name": "name",
    "enable_kvm": "enable",
    "daemon": "enable",
    "pid_file": "name",
    "monitor": "path port",
    "qga": "enable",
    "control": "type port",
    "serial_port": "enable opt_type",
    "cpu": "model number cpupin",
    "mem": "size hugepage",
    "disk": "file opt_format opt_if opt_index opt_media opt_bus opt_dev opt_controller",
    "pflash": "file",
    "machine": "machine opt_gic_version",
    "kernel": "kernel_img console baudrate root",
    "start": "wait_seconds login_timeout login_prompt password_prompt",
    "login": "user password",
    "vnc": "displayNum disable",
    "migration": "enable port",
    "crypto": "enable opt_num",
    "usercmd": "cmd",
    "qemu": "path",
    "virt_type": "virt_type",
    "def_driver": "driver_name driver_mode",
    "net nic": "opt_vlan opt_macaddr opt_model opt_name opt_addr opt_vectors netdev",
    "net user": "opt_vlan opt_hostfwd",
    "net tap": "opt_vlan opt_br opt_script opt_downscript",
    "net bridge": "opt_vlan",
    "device pci-assign": "opt_host opt_addr",
    "device vfio-pci": "opt_host opt_addr",
    "device virtio-net-pci": "opt_netdev opt_id opt_mac opt_bus opt_addr opt_legacy opt_settings",
    "device vhost-user": "opt_path opt_mac opt_server opt_queue opt_settings opt_legacy opt_script"
    " opt_br",
    "device vhost-cuse": "opt_mac opt_tap opt_settings",
    "device virtio-crypto": "",
}


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == document(), (
        "write it anew: python -m DtsVirtLibrary.config.document > docs/parameters.md"
    )


@pytest.mark.parametrize("place", list(DTS))
def test_nothing_of_dts_is_missing(place: str) -> None:
    name, _, variant = place.partition(" ")
    parameter = next(item for item in PARAMETERS if item.name == name)
    found = parameter.variant(variant) if variant else parameter
    assert found is not None
    assert found is not parameter.other
    known = {spelling for option in found.options for spelling in option.spellings}
    assert set(DTS[place].split()) <= known
    cell = f"| {name} {parameter.selector}={variant} |" if variant else f"| {name} |"
    assert cell in document()


def test_every_default_can_be_read() -> None:
    for parameter in PARAMETERS:
        for options in parameter.option_sets:
            for option in options.options:
                if option.default is not None:
                    option.type.parse(option.default)
                assert not (option.required and option.default)


def test_no_two_options_share_a_spelling() -> None:
    for parameter in PARAMETERS:
        for options in parameter.option_sets:
            spellings = [s for option in options.options for s in option.spellings]
            assert len(spellings) == len(set(spellings))


def test_the_example_of_the_page() -> None:
    example = re.search(r"```ini\n(.*?)```", PREFACE, re.DOTALL)
    assert example is not None
    spec = build_spec("vm0", load_file("example.cfg", example[1]).section("vm0"))
    assert (spec.cpu.number, spec.memory.size_mib, len(spec.disks)) == (2, 4096, 2)
    assert [nic.id for nic in spec.nics] == [None, "nic0", "nic1"]
