"""The files that a run keeps, and the stages of a start."""

from __future__ import annotations

from pathlib import Path

from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.timeline import Timeline
from DtsVirtLibrary.vm.artifacts import ArtifactStore


def test_every_start_has_a_directory_of_its_own(tmp_path: Path) -> None:
    store = ArtifactStore(LocalHost(), tmp_path)
    found = [store.new_start(vm).directory for vm in ("vm0", "vm1", "vm0")]
    assert found == [tmp_path / "vm0/start-1", tmp_path / "vm1/start-1", tmp_path / "vm0/start-2"]
    assert not any(path.exists() for path in found)


def test_two_imports_of_the_library_do_not_overwrite_each_other(tmp_path: Path) -> None:
    stores = [ArtifactStore(LocalHost(), tmp_path) for _ in range(2)]
    directories = {store.new_start("vm0").directory for store in stores}
    assert directories == {tmp_path / "vm0/start-1", tmp_path / "vm0/start-2"}


async def test_what_is_kept_again_replaces_and_is_listed_once(tmp_path: Path) -> None:
    start = ArtifactStore(LocalHost(), tmp_path).new_start("vm0")
    await start.keep({"serial.log": b"first"})
    await start.keep({"serial.log": b"first, second", "error.txt": b"why"})
    assert start.kept == ["serial.log", "error.txt"]
    assert (start.directory / "serial.log").read_bytes() == b"first, second"
    assert (start.directory / "error.txt").stat().st_mode & 0o777 == 0o644


def test_pictures_are_counted(tmp_path: Path) -> None:
    start = ArtifactStore(LocalHost(), tmp_path).new_start("vm0")
    assert [start.next_picture().name for _ in range(2)] == ["screen-1.png", "screen-2.png"]


def test_stages_stand_in_order_with_growing_times() -> None:
    timeline = Timeline()
    assert timeline.current == "launching"
    for name in ("process started", "agent answered"):
        timeline.reached(name)
    first, second = timeline.stages
    assert timeline.current == second.name == "agent answered"
    assert 0 <= first.at <= second.at <= timeline.elapsed
