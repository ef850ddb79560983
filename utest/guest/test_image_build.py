"""The builder from end to end on packages of a few bytes, and all that can go wrong in it."""

import asyncio
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from DtsVirtLibrary.errors import ConfigError, HostError, SecurityError
from DtsVirtLibrary.guest.image import GuestImage, embedded_guest, recipe
from DtsVirtLibrary.host.local import LocalHost
from utest.guest import elf_making as making
from utest.guest.tiny_debian import KERNEL, LIBRARIES, RECIPE, RELEASE, TinyDebian


@pytest.fixture
def debian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TinyDebian:
    made = TinyDebian(tmp_path / "debian")
    monkeypatch.setenv("PATH", f"{made.programs}:{os.environ['PATH']}")
    monkeypatch.setattr(recipe, "RECIPES", {"default": RECIPE})
    return made


@pytest.fixture
async def host() -> AsyncIterator[LocalHost]:
    host = LocalHost()
    yield host
    await host.close()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


async def build(
    host: LocalHost, cache: Path, *, force: bool = False, lines: list[str] | None = None
) -> GuestImage:
    said = [] if lines is None else lines
    return await embedded_guest(host, str(cache), progress=said.append, force=force)


def names_in(initrd: str) -> list[str]:
    listing = subprocess.run(
        [sys.executable, "-c", LIST_ARCHIVE, initrd], capture_output=True, text=True, check=True
    )
    return listing.stdout.split()


LIST_ARCHIVE = """
import sys
data = open(sys.argv[1], "rb").read()
at = 0
while True:
    size, name_size = int(data[at + 54:at + 62], 16), int(data[at + 94:at + 102], 16)
    name = data[at + 110:at + 109 + name_size].decode()
    if name == "TRAILER!!!":
        break
    print(name)
    at += 110 + name_size
    at += -at % 4 + size
    at += -at % 4
"""


async def test_makes_a_guest_of_exactly_what_is_needed(
    debian: TinyDebian, host: LocalHost, cache: Path
) -> None:
    lines: list[str] = []

    image = await build(host, cache, lines=lines)

    assert Path(image.kernel).read_bytes() == KERNEL
    names = names_in(image.initrd)
    assert names == sorted(names)
    modules = f"lib/modules/{RELEASE}"
    assert {name for name in names if name.startswith(f"{modules}/")} == {
        f"{modules}/kernel",
        f"{modules}/kernel/virtio.ko",
        f"{modules}/kernel/virtio_console.ko",
        f"{modules}/modules.dep",
        f"{modules}/modules.alias",
    }
    assert {"bin/busybox", "bin/ls", "bin/qemu-ga", "init", "etc/fstab"} <= set(names)
    assert {name for name in names if ".so" in name} == {
        "lib/x86_64-linux-gnu/libglib.so.0",
        "lib/x86_64-linux-gnu/libc.so.6",
        "lib64/ld-linux-x86-64.so.2",
    }
    assert image.manifest.kernel == RELEASE
    assert image.manifest.packages["qemu-guest-agent"] == "1:7.2-1"
    assert "init-system-helpers" not in image.manifest.packages
    assert any("downloading 5 packages" in line for line in lines)


async def test_the_second_time_asks_nobody(
    debian: TinyDebian, host: LocalHost, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await build(host, cache)
    for program in debian.programs.iterdir():
        program.write_text("#!/bin/sh\nexit 1\n")
    lines: list[str] = []

    assert await build(host, cache, lines=lines) == first
    assert lines == []


async def test_the_same_packages_give_the_same_bytes(
    debian: TinyDebian, host: LocalHost, tmp_path: Path
) -> None:
    one = await build(host, tmp_path / "one")
    other = await build(host, tmp_path / "other")

    assert one.manifest == other.manifest
    for ours, theirs in ((one.kernel, other.kernel), (one.initrd, other.initrd)):
        assert Path(ours).read_bytes() == Path(theirs).read_bytes()
    digest = hashlib.sha256(Path(one.initrd).read_bytes()).hexdigest()
    assert one.manifest.digests["initrd"] == digest


async def test_a_new_package_is_taken_when_a_build_is_forced(
    debian: TinyDebian, host: LocalHost, cache: Path
) -> None:
    old = await build(host, cache)
    debian.add("busybox-static", {"bin/busybox": b"#!/bin/sh\necho new\n"}, version="2.0")

    assert await build(host, cache) == old
    new = await build(host, cache, force=True)

    assert new.manifest.packages["busybox-static"] == "2.0"
    assert "bin/new" in names_in(new.initrd)
    assert await build(host, cache) == new
    assert Path(old.initrd).exists(), "a VM may be starting from it"


async def test_a_build_of_long_ago_is_removed_when_a_new_one_is_made(
    debian: TinyDebian, host: LocalHost, cache: Path
) -> None:
    old = await build(host, cache)
    long_ago = time.time() - 8 * 24 * 3600
    os.utime(Path(old.kernel).parent / "manifest.json", (long_ago, long_ago))
    debian.add("busybox-static", {"bin/busybox": b"#!/bin/sh\necho new\n"}, version="2.0")

    new = await build(host, cache, force=True)

    assert not Path(old.kernel).parent.exists()
    assert Path(new.kernel).exists()


async def test_another_recipe_is_another_guest(
    debian: TinyDebian, host: LocalHost, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = await build(host, cache)
    monkeypatch.setattr(recipe, "BUILDER_VERSION", recipe.BUILDER_VERSION + 1)

    new = await build(host, cache)

    assert new.kernel != old.kernel
    assert debian.downloads == 2


@pytest.mark.parametrize("damage", ["initrd", "vmlinux", "manifest.json"])
async def test_a_build_that_is_not_whole_is_made_anew(
    debian: TinyDebian, host: LocalHost, cache: Path, damage: str
) -> None:
    image = await build(host, cache)
    damaged = Path(image.kernel).parent / damage
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[: len(whole) // 2])

    assert await build(host, cache) == image
    assert damaged.read_bytes() == whole


async def test_a_builder_that_comes_while_another_builds_waits_for_it(
    debian: TinyDebian, host: LocalHost, cache: Path
) -> None:
    other_host = LocalHost()
    other: list[asyncio.Task[GuestImage]] = []

    def start_the_other(line: str) -> None:
        if line.startswith("downloading"):
            other.append(asyncio.ensure_future(build(other_host, cache)))

    try:
        one = await embedded_guest(host, str(cache), progress=start_the_other)
        assert await other[0] == one
    finally:
        await other_host.close()

    assert debian.downloads == 1


async def test_fetches_lists_of_its_own_where_the_machine_has_none(
    debian: TinyDebian, host: LocalHost, cache: Path
) -> None:
    debian.forget_lists()
    lines: list[str] = []

    await build(host, cache, lines=lines)

    assert "fetching package lists" in lines
    update = next(line for line in debian.log.read_text().splitlines() if " update" in line)
    assert f"Dir::State={cache}" in update


async def test_no_network_is_said_with_the_remedy(
    debian: TinyDebian, host: LocalHost, cache: Path
) -> None:
    (debian.packages / "libc6_1.0-1_amd64.deb").unlink()

    with pytest.raises(HostError, match="cannot be had") as caught:
        await build(host, cache)

    assert "http_proxy" in str(caught.value)
    assert left_in(cache) == []


async def test_a_package_that_is_not_what_the_index_says_is_refused(
    debian: TinyDebian, host: LocalHost, cache: Path
) -> None:
    deb = debian.packages / "libc6_1.0-1_amd64.deb"
    data = bytearray(deb.read_bytes())
    data[-1] ^= 1
    deb.write_bytes(data)

    with pytest.raises(HostError, match=r"libc6 1\.0-1 is not what the package index says"):
        await build(host, cache)

    assert left_in(cache) == []


async def test_a_library_that_is_nowhere_is_named(
    debian: TinyDebian, host: LocalHost, cache: Path
) -> None:
    lacking = {f"{LIBRARIES}/libglib.so.0": making.program(["libgone.so.1"])}
    debian.add("libglib2", lacking, section="libs", version="2", depends="libc6")

    with pytest.raises(HostError, match=r"no shared library libgone\.so\.1"):
        await build(host, cache)

    assert left_in(cache) == []


async def test_a_machine_without_apt_is_told_what_to_do(
    host: LocalHost, cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def nothing(self: LocalHost, program: str) -> None:
        return None

    monkeypatch.setattr(LocalHost, "which", nothing)

    with pytest.raises(HostError, match="no apt-get") as caught:
        await build(host, cache)

    assert "dtsvirt guest build" in str(caught.value)
    assert left_in(cache) == []


async def test_a_cache_that_cannot_be_written_is_said(
    debian: TinyDebian, host: LocalHost, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("not a directory")

    with pytest.raises(HostError, match="Set DTSVIRT_CACHE"):
        await build(host, tmp_path / "file" / "cache")


async def test_too_little_space_is_said_before_anything_is_fetched(
    debian: TinyDebian, host: LocalHost, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def little(self: LocalHost, path: object) -> int:
        return 5_000_000

    monkeypatch.setattr(LocalHost, "free_space", little)

    with pytest.raises(HostError, match=r"needs 800 MB .* has 5\.0 MB free"):
        await build(host, cache)

    assert debian.log.read_text() == ""


async def test_what_a_killed_builder_left_is_removed(
    debian: TinyDebian, host: LocalHost, cache: Path
) -> None:
    left = cache / "guest" / "work-0123" / "root"
    left.mkdir(parents=True)

    await build(host, cache)

    assert not left.exists()


async def test_the_key_is_private_and_stays(
    debian: TinyDebian, host: LocalHost, cache: Path
) -> None:
    first = await build(host, cache)
    second = await build(host, cache, force=True)

    assert second.authorized_key == first.authorized_key
    assert Path(first.key).stat().st_mode & 0o777 == 0o600
    public = subprocess.run(
        ["ssh-keygen", "-y", "-f", first.key], capture_output=True, text=True, check=True
    )
    assert public.stdout.split()[:2] == ["ssh-ed25519", first.authorized_key]


async def test_nobody_else_gets_into_the_cache(
    debian: TinyDebian, host: LocalHost, tmp_path: Path
) -> None:
    """Who may read an image can keep others from its locks, for example."""
    cache = tmp_path / "new/dtsvirt"
    await build(host, cache)
    assert {path.stat().st_mode & 0o077 for path in (cache.parent, cache, cache / "guest")} == {0}


async def test_a_key_that_others_can_read_is_refused(
    debian: TinyDebian, host: LocalHost, cache: Path
) -> None:
    image = await build(host, cache)
    Path(image.key).chmod(0o644)

    with pytest.raises(SecurityError, match="may be read by others"):
        await build(host, cache)


async def test_an_unknown_flavour_is_refused_with_the_nearest(host: LocalHost, cache: Path) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'default'"):
        await embedded_guest(host, str(cache), flavour="defualt", progress=print)


def left_in(cache: Path) -> list[str]:
    """Return what a failed build left, besides the lock and the key."""
    kept = {"CACHEDIR.TAG", "lock", "id_ed25519", "id_ed25519.pub"}
    guests = cache / "guest"
    return [path.name for path in guests.iterdir() if path.name not in kept]
