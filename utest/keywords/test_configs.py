"""Configuration files, and the parameters of new VMs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from DtsVirtLibrary.config import build_spec
from DtsVirtLibrary.errors import ConfigError
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.keywords.configs import Configs
from DtsVirtLibrary.spec import VmSpec

VMS = "[vm0]\nmem =\n    size=1024;\n[vm1]\ncpu =\n    number=3;\n"
DEFAULTS = "[KVM]\nmem =\n    size=2048;\ncpu =\n    number=8;\n"


@pytest.fixture
def configs() -> Configs:
    return Configs(LocalHost())


async def spec(configs: Configs, name: str, config: Path | None = None, **named: Any) -> VmSpec:
    return build_spec(name, await configs.parameters(name, config, named, None))


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


async def test_a_loaded_section_is_found_by_the_vms_name(configs: Configs, tmp_path: Path) -> None:
    assert await configs.load(write(tmp_path / "a.cfg", VMS), None, 1) == ["vm0", "vm1"]
    assert (await spec(configs, "vm0")).memory.size_mib == 1024
    assert (await spec(configs, "vm9")).memory.size_mib == 512


async def test_a_vms_own_parameter_counts_before_the_defaults(
    configs: Configs, tmp_path: Path
) -> None:
    await configs.load(write(tmp_path / "global.cfg", DEFAULTS), None, 1)
    await configs.load(write(tmp_path / "a.cfg", VMS), None, 1)
    vm0, vm1 = await spec(configs, "vm0"), await spec(configs, "vm1")
    assert (vm0.memory.size_mib, vm0.cpu.number) == (1024, 8)
    assert (vm1.memory.size_mib, vm1.cpu.number) == (2048, 3)


async def test_a_named_parameter_counts_before_the_section(
    configs: Configs, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.cfg", VMS)
    assert (await spec(configs, "vm0", path, mem="size=256")).memory.size_mib == 256


async def test_a_file_given_at_creation_counts_before_a_loaded_one(
    configs: Configs, tmp_path: Path
) -> None:
    await configs.load(write(tmp_path / "a.cfg", VMS), None, 1)
    other = write(tmp_path / "b.cfg", "[vm0]\nmem =\n    size=300;\n")
    assert (await spec(configs, "vm0", other)).memory.size_mib == 300
    assert (await spec(configs, "vm0")).memory.size_mib == 1024, "it was not loaded"


async def test_the_latest_loaded_counts_until_its_test_has_ended(
    configs: Configs, tmp_path: Path
) -> None:
    await configs.load(write(tmp_path / "a.cfg", VMS), None, 1)
    await configs.load(write(tmp_path / "b.cfg", "[vm0]\nmem =\n    size=300;\n"), None, 2)
    await configs.load(write(tmp_path / "global.cfg", DEFAULTS), None, 2)
    assert (await spec(configs, "vm0")).memory.size_mib == 300
    configs.forget(2)
    vm0 = await spec(configs, "vm0")
    assert (vm0.memory.size_mib, vm0.cpu.number) == (1024, 1)


async def test_a_relative_path_counts_from_the_suite_too(configs: Configs, tmp_path: Path) -> None:
    write(tmp_path / "a.cfg", VMS)
    assert await configs.load(Path("a.cfg"), tmp_path, 1) == ["vm0", "vm1"]


async def test_a_missing_file_is_told_with_where_it_was_looked_for(
    configs: Configs, tmp_path: Path
) -> None:
    expected = f"'no.cfg' does not exist. Looked at '{Path.cwd()}/no.cfg' and '{tmp_path}/no.cfg'"
    with pytest.raises(ConfigError, match=expected):
        await configs.load(Path("no.cfg"), tmp_path, 1)


async def test_a_place_is_told_once_where_the_suite_is_in_the_working_directory(
    configs: Configs,
) -> None:
    expected = rf"'no.cfg' does not exist\. Looked at '{Path.cwd()}/no\.cfg'\.$"
    with pytest.raises(ConfigError, match=expected):
        await configs.load(Path("no.cfg"), Path.cwd(), 1)


async def test_a_wrong_file_is_not_loaded_in_part(configs: Configs, tmp_path: Path) -> None:
    path = write(tmp_path / "a.cfg", VMS + "[vm2]\ncpu =\n    number=0;\n")
    with pytest.raises(ConfigError, match=r"a\.cfg:9: .*number"):
        await configs.load(path, None, 1)
    assert (await spec(configs, "vm0")).memory.size_mib == 512
