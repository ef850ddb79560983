"""The builder of the guest on disk, with a mmdebstrap that installs a system of a few files.

The file system, the image and the cache are made by the real tools.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from DtsVirtLibrary.errors import ConfigError, HostError
from DtsVirtLibrary.guest.disk import DiskImage, bootstrap, disk_image, recipe, sources
from DtsVirtLibrary.guest.disk.partition import PARTITION_START
from DtsVirtLibrary.guest.image.recipe import AddedFile
from DtsVirtLibrary.host.local import LocalHost

RECIPE = recipe.DiskRecipe(
    packages=("systemd",),
    left_out=("/usr/share/doc/*",),
    files={"etc/fstab": AddedFile("fstab"), "usr/prepare": AddedFile("prepare.sh", 0o755)},
    prepare="usr/prepare",
    size_mib=16,
)
# Its last two arguments are the target and the sources.
MMDEBSTRAP = """#!/bin/sh
set -e
echo "$@" >>{log}
{trouble}
while [ $# -gt 2 ]; do shift; done
root=$(mktemp -d {place}/XXXXXX)
mkdir -p $root/boot/grub $root/var/lib/dpkg $root/lib/modules/6.1.0-1-amd64 $root/dev
echo boot >$root/boot/grub/boot.img
echo core >$root/boot/grub/core.img
printf 'Package: systemd\\nStatus: install ok installed\\nVersion: 252\\n\\n' \\
    >$root/var/lib/dpkg/status
printf 'Package: gone\\nStatus: deinstall ok config-files\\nVersion: 1\\n' \\
    >>$root/var/lib/dpkg/status
echo "Setting up systemd (252) ..." >&2
tar -cf "$1" -C $root .
"""


class Programs:
    """A directory for PATH, with a mmdebstrap in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "programs"
        self.log = directory / "mmdebstrap.log"
        self.directory.mkdir()
        self.log.touch()
        self.write("")

    def write(self, trouble: str) -> None:
        """Write a mmdebstrap that does `trouble`, a piece of shell, before its work."""
        program = self.directory / "mmdebstrap"
        place = self.directory.parent
        program.write_text(MMDEBSTRAP.format(log=self.log, trouble=trouble, place=place))
        program.chmod(0o755)

    @property
    def runs(self) -> int:
        """How often it was run."""
        return len(self.log.read_text().splitlines())


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    made = Programs(tmp_path)
    path = f"{made.directory}:{os.environ['PATH']}"
    monkeypatch.setenv("PATH", path)
    monkeypatch.setattr(bootstrap, "PATH", path)
    monkeypatch.setattr("DtsVirtLibrary.guest.disk.builder.DISK_RECIPES", {"debian": RECIPE})

    async def machine(_: object) -> sources.AptSources:
        return sources.AptSources("bookworm", ("deb http://mirror.example bookworm main",), ())

    monkeypatch.setattr(bootstrap, "machine_sources", machine)
    return made


@pytest.fixture
async def host() -> AsyncIterator[LocalHost]:
    host = LocalHost()
    yield host
    await host.close()


async def build(host: LocalHost, place: Path, *, force: bool = False) -> DiskImage:
    return await disk_image(host, str(place / "cache"), progress=lambda _: None, force=force)


def leftovers(place: Path) -> list[str]:
    """Return what an unfinished build has left in the cache, besides the lock."""
    kept = {"CACHEDIR.TAG", "disk-lock"}
    return [path.name for path in (place / "cache/guest").iterdir() if path.name not in kept]


async def test_makes_a_disk_of_what_was_installed(
    programs: Programs, host: LocalHost, tmp_path: Path
) -> None:
    image = await build(host, tmp_path)

    assert image.manifest.packages == {"systemd": "252"}
    assert image.manifest.kernel == "6.1.0-1-amd64"
    raw = tmp_path / "disk.raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", image.path, str(raw)], check=True)
    assert raw.stat().st_size == RECIPE.size_mib << 20
    head = raw.read_bytes()[:PARTITION_START]
    assert head.startswith(b"boot\n")
    assert head[512:].startswith(b"core\n")
    listed = subprocess.run(
        ["debugfs", "-R", "cat /boot/grub/core.img", f"{raw}?offset={PARTITION_START}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert listed.stdout == "core\n"
    asked = programs.log.read_text()
    assert "--include=systemd" in asked
    assert "--dpkgopt=path-exclude=/usr/share/doc/*" in asked
    assert "bookworm" in asked


async def test_the_second_time_builds_nothing_unless_forced(
    programs: Programs, host: LocalHost, tmp_path: Path
) -> None:
    first = await build(host, tmp_path)

    assert await build(host, tmp_path) == first
    assert programs.runs == 1
    await build(host, tmp_path, force=True)
    assert programs.runs == 2
    assert leftovers(tmp_path) == ["debian"]


async def test_two_builders_build_once(programs: Programs, host: LocalHost, tmp_path: Path) -> None:
    one, other = await asyncio.gather(build(host, tmp_path), build(host, tmp_path))

    assert one == other
    assert programs.runs == 1


async def test_a_failed_installation_says_why_and_leaves_nothing(
    programs: Programs, host: LocalHost, tmp_path: Path
) -> None:
    programs.write("echo 'E: mirror is gone' >&2; exit 25")

    with pytest.raises(HostError, match="could not be installed: E: mirror is gone") as caught:
        await build(host, tmp_path)
    assert caught.value.evidence.exit_code == 25
    assert "set http_proxy" in str(caught.value)
    assert leftovers(tmp_path) == []


async def test_an_interrupted_build_ends_the_installation_and_leaves_nothing(
    programs: Programs, host: LocalHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, installing = tmp_path / "ended", asyncio.Event()
    programs.write(
        f"trap 'touch {ended}; exit 1' TERM; echo I: installing; while :; do sleep 0.1; done"
    )
    monkeypatch.setattr(bootstrap, "NEWS_PAUSE", 0.05)

    def progress(line: str) -> None:
        if line == "installing":
            installing.set()

    task = asyncio.create_task(disk_image(host, str(tmp_path / "cache"), progress=progress))
    await asyncio.wait_for(installing.wait(), 60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert ended.exists(), "it was not asked to end, and left what it had mounted"
    assert leftovers(tmp_path) == []


async def test_missing_programs_are_named_with_their_packages(
    host: LocalHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "DtsVirtLibrary.guest.disk.builder.PROGRAMS", {"no-such-program": "its-package"}
    )
    with pytest.raises(HostError, match="apt-get install --no-install-recommends its-package"):
        await build(host, tmp_path)
    assert not (tmp_path / "cache").exists()


async def test_a_misspelt_flavour(host: LocalHost, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'debian'"):
        await disk_image(host, str(tmp_path), flavour="debain", progress=print)


def test_every_change_of_the_recipe_is_another_guest(monkeypatch: pytest.MonkeyPatch) -> None:
    before = recipe.recipe_digest(RECIPE)
    monkeypatch.setattr(recipe, "added_bytes", lambda source: b"other bytes")
    assert recipe.recipe_digest(RECIPE) != before


def test_progress_counts_the_packages() -> None:
    log = "I: extracting archives...\nSetting up libc6:amd64 (2.36) ...\nSetting up bash (5) ...\n"
    assert bootstrap.news_of(log) == "2 packages set up, the last bash; extracting archives..."
    assert bootstrap.news_of("") == "starting"
