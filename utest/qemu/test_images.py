"""Images that QEMU would refuse late, or take with harm, are refused before."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from DtsVirtLibrary.errors import ImageError, ImageInUse
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.qemu.start.images import ImageCheck
from DtsVirtLibrary.spec import Disk, Origin

pytestmark = pytest.mark.qemu
CLUSTER = 64 << 10
# The kind of the extension of a qcow2 header that has the format of the image below.
BACKING_FORMAT = b"\xe2\x79\x2a\xca"


def create(path: Path, *options: str) -> Path:
    """Make a qcow2 image with 1 MiB of data in it."""
    subprocess.run(["qemu-img", "create", "-qf", "qcow2", *options, path, "8M"], check=True)
    write(path)
    return path


def write(path: Path) -> None:
    command = ["qemu-io", "-f", "qcow2", "-c", "write -P 7 0 1M", path]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def on_top(path: Path, base: Path) -> Path:
    return create(path, "-F", "qcow2", "-b", str(base))


def disk(path: Path, image_format: str = "qcow2") -> Disk:
    return Disk(str(path), format=image_format, origin=Origin("a.cfg", 7))


@pytest.fixture
def check(host: LocalHost) -> ImageCheck:
    return ImageCheck(host)


@pytest.fixture
def host() -> LocalHost:
    return LocalHost()


async def refusal(check: ImageCheck, path: Path, image_format: str = "qcow2") -> ImageError:
    with pytest.raises(ImageError) as caught:
        await check.check("vm0", disk(path, image_format))
    assert caught.value.summary.startswith("a.cfg:7: VM 'vm0': ")
    return caught.value


async def test_good_images(check: ImageCheck, tmp_path: Path) -> None:
    base = create(tmp_path / "base")
    for path in (base, on_top(tmp_path / "top", base)):
        await check.check("vm0", disk(path))
    (tmp_path / "raw").write_bytes(bytes(1024))
    await check.check("vm0", disk(tmp_path / "raw", "raw"))


async def test_a_good_image_is_not_read_again_until_it_changes(
    check: ImageCheck, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []
    run = LocalHost.run

    async def counted(host: LocalHost, argv: object, **options: object) -> object:
        runs.append(argv)
        return await run(host, argv, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(LocalHost, "run", counted)
    path = create(tmp_path / "a")
    for _ in range(2):
        await check.check("vm0", disk(path))
    assert len(runs) == 1
    with path.open("r+b") as file:
        file.truncate(6 * CLUSTER)
    await refusal(check, path)


@pytest.mark.fault(18)
@pytest.mark.parametrize("size", [1, 1000, CLUSTER, 6 * CLUSTER])
async def test_an_image_that_was_cut_short(check: ImageCheck, tmp_path: Path, size: int) -> None:
    path = create(tmp_path / "a")
    with path.open("r+b") as file:
        file.truncate(size)
    error = await refusal(check, path)
    assert str(path) in error.summary
    words = ("is not a qcow2 image", "ends within its header", "is damaged or was cut short")
    assert any(word in error.summary for word in words)


@pytest.mark.fault(18)
async def test_an_image_with_broken_tables(check: ImageCheck, tmp_path: Path) -> None:
    path = create(tmp_path / "a")
    with path.open("r+b") as file:
        file.seek(3 * CLUSTER)
        file.write(b"\xff" * 8)
    error = await refusal(check, path)
    assert f"disk image '{path}' is damaged or was cut short" in error.summary
    assert "qemu-img check:" in str(error)
    assert "reserved bits" in str(error)


@pytest.mark.fault(18)
async def test_a_base_with_broken_tables(check: ImageCheck, tmp_path: Path) -> None:
    base = create(tmp_path / "base")
    top = on_top(tmp_path / "top", base)
    with base.open("r+b") as file:
        file.truncate(6 * CLUSTER)
    error = await refusal(check, top)
    assert f"'{base}', the base of disk image '{top}', is damaged" in error.summary


async def test_an_image_that_qemu_was_killed_over_is_repaired_by_it(
    check: ImageCheck, tmp_path: Path
) -> None:
    path = create(tmp_path / "a", "-o", "lazy_refcounts=on")
    with path.open("r+b") as file:
        file.seek(79)
        file.write(b"\x01")  # the dirty bit
        file.seek(2 * CLUSTER)
        file.write(bytes(CLUSTER))  # no reference is counted yet
    await check.check("vm0", disk(path))


@pytest.mark.fault(17)
@pytest.mark.parametrize("relative", [False, True])
async def test_a_base_that_is_gone(check: ImageCheck, tmp_path: Path, relative: bool) -> None:
    base = create(tmp_path / "base")
    middle = on_top(tmp_path / "middle", Path("base") if relative else base)
    top = on_top(tmp_path / "top", middle)
    base.unlink()
    error = await refusal(check, top)
    assert f"'{base}' does not exist on localhost; it is the base of" in error.summary
    assert f"'{middle}', the base of disk image '{top}'. Bring it back" in error.summary
    assert f"qemu-img rebase -u -F FORMAT -b PATH '{middle}'" in error.summary


async def test_images_that_build_on_each_other(check: ImageCheck, tmp_path: Path) -> None:
    one = create(tmp_path / "one")
    two = on_top(tmp_path / "two", one)
    rebase = ["qemu-img", "rebase", "-u", "-f", "qcow2", "-F", "qcow2", "-b", two, one]
    subprocess.run(rebase, check=True)
    assert "go in a circle" in (await refusal(check, two)).summary


@pytest.mark.fault(14)
async def test_what_is_no_image(check: ImageCheck, tmp_path: Path) -> None:
    missing = await refusal(check, tmp_path / "none")
    assert f"'{tmp_path}/none' does not exist on localhost (looked at '{tmp_path}/none')" in str(
        missing
    )
    assert f"disk image '{tmp_path}' is a directory, not a file." in str(
        await refusal(check, tmp_path)
    )


@pytest.mark.fault(18)
async def test_another_format_than_was_said(check: ImageCheck, tmp_path: Path) -> None:
    qcow2 = create(tmp_path / "a")
    assert "begins like a qcow2 image, but its format is raw" in str(
        await refusal(check, qcow2, "raw")
    )
    (tmp_path / "raw").write_bytes(bytes(1024))
    assert "is not a qcow2 image, but its format says so" in str(
        await refusal(check, tmp_path / "raw")
    )


@pytest.mark.fault(15, 16)
@pytest.mark.parametrize("below", [False, True])
async def test_an_image_that_another_process_writes_to(
    check: ImageCheck, tmp_path: Path, below: bool
) -> None:
    path = create(tmp_path / "a")
    top = on_top(tmp_path / "top", path) if below else path
    with subprocess.Popen(
        ["qemu-io", "-f", "qcow2", path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdin.write(b"length\n")
        holder.stdout.readline()  # it has the image open
        with pytest.raises(ImageInUse) as caught:
            await check.check("vm0", disk(top))
        holder.kill()
    assert (
        f"image '{path}' is in use: process {holder.pid} (qemu-io) that is none of this run's"
        in (caught.value.summary)
    )


@pytest.mark.parametrize("version", ["0.10", "1.1"])
async def test_a_base_whose_format_is_not_said(
    check: ImageCheck, tmp_path: Path, version: str
) -> None:
    base = create(tmp_path / "base")
    top = create(tmp_path / "top", "-o", f"compat={version}", "-F", "qcow2", "-b", str(base))
    await check.check("vm0", disk(top))
    # qemu-img makes none any more: the extension that says it becomes one of no known kind.
    data = top.read_bytes()
    assert data.count(BACKING_FORMAT) == 1
    top.write_bytes(data.replace(BACKING_FORMAT, b"\x12\x34\x56\x78"))
    error = await refusal(check, top)
    assert f"disk image '{top}' does not say of which format '{base}' is" in error.summary
    assert f"qemu-img rebase -u -b '{base}' -F qcow2 '{top}'" in error.summary
