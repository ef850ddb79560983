"""Private directories: where, whose, how short; and which of them a sweep removes."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from DtsVirtLibrary.errors import HostError, SecurityError
from DtsVirtLibrary.host import private
from DtsVirtLibrary.host.identity import own_identity
from DtsVirtLibrary.host.local import LocalHost
from utest.host.supervised import NOBODY, runner, swept, wait_for_end


@pytest.fixture
def no_runtime_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private, "_runtime_directories", list)


@pytest.mark.fault(23, 24)
async def test_directory_is_ours_alone_and_short(host: LocalHost, base: Path) -> None:
    umask = os.umask(0)
    try:
        path = Path(await host.private_directory("a very long/purpose\n"))
    finally:
        os.umask(umask)
    assert path.parent == base
    assert path.stat().st_mode & 0o7777 == 0o700
    assert path.name.startswith("dtsvirt-averyl-")
    assert len(os.fsencode(path)) + 60 <= 107


async def test_directories_differ(host: LocalHost) -> None:
    assert len({await host.private_directory("vm0") for _ in range(5)}) == 5


async def test_directory_is_marked_with_its_owner(host: LocalHost) -> None:
    path = await host.private_directory("vm0")
    owner = private.read_mark(path)
    assert owner is not None
    assert owner.identity == own_identity()
    assert owner.machine == os.uname().nodename


async def test_runtime_directory_that_others_may_read_is_passed_over(
    host: LocalHost, base: Path
) -> None:
    base.chmod(0o750)
    path = Path(await host.private_directory("vm0"))
    assert path.parent != base
    await host.remove(path)


@pytest.mark.usefixtures("no_runtime_directory")
async def test_short_tmpdir_is_used(
    host: LocalHost, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(base))
    assert Path(await host.private_directory("vm0")).parent == base


@pytest.mark.fault(23)
@pytest.mark.usefixtures("no_runtime_directory")
async def test_long_tmpdir_is_passed_over(
    host: LocalHost, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (base / ("x" * 60)).mkdir()
    monkeypatch.setenv("TMPDIR", str(base / ("x" * 60)))
    path = await host.private_directory("vm0")
    assert Path(path).parent == Path("/tmp")
    await host.remove(path)


@pytest.mark.fault(22)
@pytest.mark.usefixtures("no_runtime_directory")
@pytest.mark.parametrize("below", ["", "/d"])
async def test_directory_that_others_could_replace_is_refused(
    host: LocalHost, base: Path, monkeypatch: pytest.MonkeyPatch, below: str
) -> None:
    (base / "d").mkdir()
    base.chmod(0o777)
    monkeypatch.setenv("TMPDIR", f"{base}{below}")
    with pytest.raises(SecurityError, match=f"'{base}' is not safe, others may write") as raised:
        await host.private_directory("vm0")
    assert "chmod +t" in str(raised.value)
    # root is not told that root may own it, too.
    assert ("It has to belong to root; where" in str(raised.value)) == (os.geteuid() == 0)
    base.chmod(0o1777)
    await host.private_directory("vm0")


@pytest.mark.fault(22)
@pytest.mark.usefixtures("no_runtime_directory")
async def test_directory_of_another_user_is_refused(
    host: LocalHost, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(base))
    if os.geteuid() == 0:
        os.chown(base, NOBODY, NOBODY)
    else:
        stranger = os.geteuid() + 1
        monkeypatch.setattr("os.geteuid", lambda: stranger)
    with pytest.raises(SecurityError, match=f"belongs to user {base.stat().st_uid}"):
        await host.private_directory("vm0")


async def test_directory_that_cannot_be_made(
    host: LocalHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(private, "base_directory", lambda: "/proc/no/where")
    with pytest.raises(HostError, match="Cannot make the private directory '/proc/no/where/"):
        await host.private_directory("vm0")


@pytest.mark.fault(21)
async def test_directory_that_cannot_be_marked_does_not_stay(
    host: LocalHost, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: object, data: bytes, mode: int) -> None:
        raise HostError("Cannot write: No space left on device.")

    monkeypatch.setattr(private, "base_directory", lambda: str(base))
    monkeypatch.setattr(private, "write_bytes", full)
    with pytest.raises(HostError, match="No space left"):
        await host.private_directory("vm0")
    assert list(base.iterdir()) == []


def left_behind(base: Path) -> Path:
    """Kill a runner and its supervisor, so that its directory stays."""
    with runner("starting") as run:
        said = run.said()
        supervisor = os.pidfd_open(said["supervisor"])
        os.kill(run.process.pid, 19)
        os.kill(said["supervisor"], 9)
        run.process.kill()
        wait_for_end(supervisor)
        directories = sorted(run.base.iterdir())
        assert directories
        return Path(shutil.move(directories[0], base))


@pytest.mark.fault(73)
async def test_sweep_removes_what_dead_runs_left(host: LocalHost, base: Path) -> None:
    (left_behind(base) / "serial.log").touch()
    ours = Path(await host.private_directory("vm0"))
    assert [Path(path).parent for path in await swept(host, base)] == [base]
    assert list(base.iterdir()) == [ours]


@pytest.mark.fault(73)
async def test_sweep_leaves_running_runs_alone(host: LocalHost, base: Path) -> None:
    with runner("running") as run:
        directory = Path(run.said()["directory"])
        elsewhere = Path(shutil.move(directory, base))
        assert await swept(host, base) == []
        assert elsewhere.is_dir()


MARK = {"machine": os.uname().nodename, "pid_namespace": os.readlink("/proc/self/ns/pid")}
DEAD = {"boot_id": own_identity().boot_id, "pid": own_identity().pid, "start_time": 1}
LIVING = {"boot_id": own_identity().boot_id, "pid": own_identity().pid}


@pytest.mark.fault(73, 74)
@pytest.mark.parametrize(
    ("mark", "dead"),
    [
        ({**MARK, "identity": DEAD}, True),
        ({**MARK, "identity": {**DEAD, "boot_id": "an earlier one"}}, True),
        ({**MARK, "identity": {**DEAD, "boot_id": "an earlier one"}, "pid_namespace": "x"}, True),
        ({**MARK, "identity": {**LIVING, "start_time": own_identity().start_time}}, False),
        ({**MARK, "identity": DEAD, "machine": "another"}, False),
        ({**MARK, "identity": DEAD, "pid_namespace": "pid:[1]"}, False),
        ({"identity": DEAD}, False),
        ("not a mark", False),
    ],
)
async def test_sweep_judges_by_the_mark(
    host: LocalHost, base: Path, mark: object, dead: bool
) -> None:
    directory = base / "dtsvirt-vm0-0123456789ab"
    directory.mkdir(0o700)
    (directory / private.MARK).write_text(json.dumps(mark))
    os.utime(directory, (0, 0))
    assert await swept(host, base) == [str(directory)] * dead
    assert directory.exists() is not dead


@pytest.mark.parametrize(
    ("name", "mode"), [("other-vm0-0123456789ab", 0o700), ("dtsvirt-vm0-0123456789ab", 0o755)]
)
async def test_sweep_leaves_what_is_not_a_private_directory(
    host: LocalHost, base: Path, name: str, mode: int
) -> None:
    directory = base / name
    directory.mkdir()
    directory.chmod(mode)
    (directory / private.MARK).write_text(json.dumps({**MARK, "identity": DEAD}))
    assert await swept(host, base) == []
    assert directory.is_dir()


async def test_sweep_follows_no_link(host: LocalHost, base: Path) -> None:
    target = base / "target"
    target.mkdir(0o700)
    (target / private.MARK).write_text(json.dumps({**MARK, "identity": DEAD}))
    (base / "dtsvirt-vm0-0123456789ab").symlink_to("target")
    assert await swept(host, base) == []
    assert target.is_dir()


async def test_sweep_removes_starts_cut_short_but_not_fresh_ones(
    host: LocalHost, base: Path
) -> None:
    for name in ("old", "fresh"):
        (base / f"dtsvirt-{name}").mkdir(0o700)
    os.utime(base / "dtsvirt-old", (0, 0))
    await host.sweep()
    assert os.listdir(base) == ["dtsvirt-fresh"]
