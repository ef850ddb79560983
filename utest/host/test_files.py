"""Files of the local machine."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from DtsVirtLibrary.errors import CleanupError, HostError
from DtsVirtLibrary.host import files
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.host.protocol import FileKind

HOST = LocalHost()


async def test_status_tells_the_kind(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "file").chmod(0o640)
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
    kinds = {
        "file": FileKind.FILE,
        "": FileKind.DIRECTORY,
        "link": FileKind.FILE,
        "fifo": FileKind.OTHER,
        "s": FileKind.SOCKET,
    }
    for name, kind in kinds.items():
        status = await HOST.status(tmp_path / name)
        assert status is not None
        assert status.kind is kind
    found = await HOST.status(tmp_path / "file")
    assert found is not None
    assert (found.size, found.mode, found.uid) == (5, 0o640, os.geteuid())
    assert found.modified_ns == (tmp_path / "file").stat().st_mtime_ns
    link = await HOST.status(tmp_path / "link", follow=False)
    assert link is not None
    assert link.kind is FileKind.OTHER
    device = await HOST.status("/dev/null")
    assert device is not None
    assert device.kind is FileKind.CHARACTER_DEVICE


@pytest.mark.parametrize("path", ["missing", "file/below", "loop", "x" * 300])
async def test_status_of_nothing(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    assert await HOST.status(tmp_path / path) is None


async def test_list_directory(tmp_path: Path) -> None:
    for name in "bca":
        (tmp_path / name).touch()
    assert await HOST.list_directory(tmp_path) == ["a", "b", "c"]
    assert await HOST.list_directory(tmp_path / "missing") == []
    with pytest.raises(HostError, match="Not a directory"):
        await HOST.list_directory(tmp_path / "a")


@pytest.mark.parametrize(
    ("offset", "limit", "expected"),
    [
        (0, None, b"0123456789"),
        (3, 4, b"3456"),
        (-3, None, b"789"),
        (-3, 2, b"78"),
        (-100, None, b"0123456789"),
        (100, None, b""),
        (0, 0, b""),
    ],
)
async def test_part_of_a_file(
    tmp_path: Path, offset: int, limit: int | None, expected: bytes
) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    assert await HOST.read_bytes(tmp_path / "file", offset=offset, limit=limit) == expected


async def test_part_of_a_file_that_has_no_size() -> None:
    whole = await HOST.read_bytes("/proc/self/mountinfo")
    assert whole
    assert await HOST.read_bytes("/proc/self/mountinfo", offset=-10) == whole[-10:]
    assert await HOST.read_bytes("/proc/self/mountinfo", offset=3, limit=7) == whole[3:10]


async def test_large_file(tmp_path: Path) -> None:
    data = os.urandom(3 << 20)
    await HOST.write_bytes(tmp_path / "file", data)
    assert await HOST.read_bytes(tmp_path / "file") == data


async def test_fifo_without_a_writer_is_empty(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert await HOST.read_bytes(tmp_path / "fifo") == b""


async def test_text_with_undecodable_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes("ä".encode() + b"\xff")
    assert await HOST.read_text(tmp_path / "file") == "ä\ufffd"


async def test_reading_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(HostError, match=f"Cannot read '{tmp_path}/missing': No such file"):
        await HOST.read_bytes(tmp_path / "missing")


async def test_file_is_written_with_its_mode_and_nothing_beside_it(tmp_path: Path) -> None:
    await HOST.write_bytes(tmp_path / "file", b"1")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
    await HOST.write_bytes(tmp_path / "file", b"2", mode=0o644)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "file").read_bytes() == b"2"
    assert os.listdir(tmp_path) == ["file"]


async def test_writing_replaces_a_link_and_not_its_target(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "link").symlink_to("victim")
    await HOST.write_bytes(tmp_path / "link", b"new")
    assert (tmp_path / "victim").read_text() == "precious"
    assert not (tmp_path / "link").is_symlink()


async def test_full_disk_is_named_and_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(HostError, match=r"No space left on device \([1-9]\d+ bytes are free\)"):
        await HOST.write_bytes(tmp_path / "file", b"new")
    assert os.listdir(tmp_path) == ["file"]
    assert (tmp_path / "file").read_text() == "old"


async def test_control_file_is_written_in_place(tmp_path: Path) -> None:
    (tmp_path / "control").write_text("....")
    inode = (tmp_path / "control").stat().st_ino
    await HOST.write_control(tmp_path / "control", "12")
    assert (tmp_path / "control").read_text() == "12.."
    assert (tmp_path / "control").stat().st_ino == inode


async def test_control_file_that_refuses_or_is_missing(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="Cannot write '/dev/full': No space left"):
        await HOST.write_control("/dev/full", "1")
    with pytest.raises(HostError, match="No such file"):
        await HOST.write_control(tmp_path / "missing", "1")
    assert not (tmp_path / "missing").exists()


async def test_make_directory(tmp_path: Path) -> None:
    for _ in range(2):
        await HOST.make_directory(tmp_path / "a/b/c", mode=0o700)
    made = [tmp_path / "a", tmp_path / "a/b", tmp_path / "a/b/c"]
    assert {path.stat().st_mode & 0o777 for path in made} == {0o700}
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file/below", Path("/proc/no-such/below")):
        with pytest.raises(HostError, match="Cannot make the directory"):
            await HOST.make_directory(path)


async def test_remove(tmp_path: Path) -> None:
    (tmp_path / "tree/below").mkdir(parents=True)
    (tmp_path / "tree/below/file").touch()
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to("kept")
    for name in ("tree", "link"):
        for _ in range(2):
            await HOST.remove(tmp_path / name)
    assert os.listdir(tmp_path) == ["kept"]


async def test_remove_that_is_refused() -> None:
    with pytest.raises(CleanupError, match="Cannot remove '/proc/version'"):
        await HOST.remove("/proc/version")


async def test_rename(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("1")
    (tmp_path / "new").write_text("2")
    await HOST.rename(tmp_path / "old", tmp_path / "new")
    assert (tmp_path / "new").read_text() == "1"
    with pytest.raises(HostError, match=r"Cannot rename '.*/old' to '.*/new': No such file"):
        await HOST.rename(tmp_path / "old", tmp_path / "new")


async def test_real_path(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/usr/../usr")
    assert await HOST.real_path(tmp_path / "link/bin/..") in ("/usr", "/")


async def test_free_space_also_of_what_is_not_there_yet(tmp_path: Path) -> None:
    there = await HOST.free_space(tmp_path)
    assert there > 0
    assert await HOST.free_space("/proc") == 0
    assert await HOST.free_space("/proc/not/there") == 0


MOUNTS = r"""
20 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
21 20 0:5 / /dev rw - devtmpfs udev rw
22 20 0:6 / /mnt/with\040space rw - hugetlbfs none rw
23 20 0:7 / /mnt rw - tmpfs none rw
24 23 0:8 / /mnt/with rw master:3 propagate_from:2 - xfs /dev/sdb rw
25 20 0:9 / /mnt rw - btrfs /dev/sdc rw
""".lstrip()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/home/me", "ext4"),
        ("/device", "ext4"),
        ("/dev/kvm", "devtmpfs"),
        ("/mnt/with space/x", "hugetlbfs"),
        ("/mnt/with", "xfs"),
        ("/mnt/without", "btrfs"),
    ],
)
async def test_file_system_by_the_mounts(
    path: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mounts").write_text(MOUNTS)
    monkeypatch.setattr(files, "MOUNTS", str(tmp_path / "mounts"))
    monkeypatch.setattr("os.path.exists", lambda _: True)
    monkeypatch.setattr("os.path.realpath", lambda path: path)
    assert await HOST.file_system(path) == kind


async def test_file_system_of_this_machine() -> None:
    assert await HOST.file_system("/proc/self/status") == "proc"
    assert await HOST.file_system("/sys/kernel") == "sysfs"
    with pytest.raises(HostError, match="there is no such path"):
        await HOST.file_system("/no/such/path")


def test_others_get_no_more_than_the_umask_gives(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        files.write_bytes(tmp_path / "file", b"text", 0o644)
        files.write_bytes(tmp_path / "secret", b"text", 0o600)
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
