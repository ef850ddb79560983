"""A Debian of a few kilobytes: real packages, and an apt that serves them from a directory.

dpkg-deb, sha256sum and flock are the machine's own. The packages hold just enough that the
builder can make a guest of them, which does not boot.
"""

from __future__ import annotations

import hashlib
import lzma
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from DtsVirtLibrary.guest.image.recipe import AddedFile, Recipe
from utest.guest import elf_making as making
from utest.guest.kernel_making import vmlinuz

RELEASE = "6.1.0-1-amd64"
MODULES = f"lib/modules/{RELEASE}/kernel"
LIBRARIES = "usr/lib/x86_64-linux-gnu"
LOADER = "/lib64/ld-linux-x86-64.so.2"
KERNEL = making.kernel()

RECIPE = Recipe(
    kernel="linux-image-amd64",
    packages=("busybox-static", "qemu-guest-agent"),
    programs=MappingProxyType({"bin/busybox": "bin/busybox", "bin/qemu-ga": "usr/sbin/qemu-ga"}),
    modules=("virtio_console",),
    files=MappingProxyType({"etc/fstab": AddedFile("fstab")}),
)

APT_CACHE = """#!/bin/sh
while [ $# -gt 0 ]; do
    case $1 in -o) shift ;; -* | show) ;; *) cat {packages}/"$1".index 2>/dev/null; echo ;; esac
    shift
done
"""

APT_GET = """#!/bin/sh
echo "$@" >>{log}
while [ $# -gt 0 ]; do
    case $1 in
    -o) shift ;;
    update) [ -e {packages} ] || mv {packages}.unlisted {packages} ;;
    *=*) cp {packages}/"${{1%=*}}"_*.deb . || exit 100 ;;
    esac
    shift
done
"""


class TinyDebian:
    """The packages, and a directory for PATH with their apt."""

    def __init__(self, directory: Path) -> None:
        self.packages = directory / "packages"
        self.programs = directory / "programs"
        self.log = directory / "apt-get.log"
        self.packages.mkdir(parents=True)
        self.programs.mkdir()
        self.log.touch()
        for name, text in (("apt-cache", APT_CACHE), ("apt-get", APT_GET)):
            quoted = {
                "packages": shlex.quote(str(self.packages)),
                "log": shlex.quote(str(self.log)),
            }
            program = self.programs / name
            program.write_text(text.format(**quoted))
            program.chmod(0o755)
        self._add_all()

    @property
    def downloads(self) -> int:
        """How often packages were asked for."""
        return sum(" download " in line for line in self.log.read_text().splitlines())

    def forget_lists(self) -> None:
        """Know no package until the lists are fetched."""
        self.packages.rename(f"{self.packages}.unlisted")

    def add(
        self,
        name: str,
        files: Mapping[str, bytes],
        *,
        version: str = "1.0-1",
        section: str = "misc",
        depends: str = "",
        links: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Make a package; it replaces one of the same name."""
        for old in self.packages.glob(f"{name}_*"):
            old.unlink()
        root = self.packages.parent / "building" / f"{name}-{version}"
        for path, data in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
            (root / path).chmod(0o755)
        for path, target in links.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).symlink_to(target)
        control = f"Package: {name}\nVersion: {version}\nArchitecture: amd64\n"
        control += f"Section: {section}\nMaintainer: nobody <nobody@localhost>\n"
        control += f"Depends: {depends}\n" if depends else ""
        (root / "DEBIAN").mkdir(parents=True)
        (root / "DEBIAN" / "control").write_text(f"{control}Description: for tests\n")
        deb = self.packages / f"{name}_{version.replace(':', '%3a')}_amd64.deb"
        subprocess.run(
            ["dpkg-deb", "--build", "-Znone", root, deb], check=True, capture_output=True
        )
        digest = hashlib.sha256(deb.read_bytes()).hexdigest()
        (self.packages / f"{name}.index").write_text(
            f"{control}Size: {deb.stat().st_size}\nSHA256: {digest}\n"
        )

    def _add_all(self) -> None:
        kernel = f"linux-image-{RELEASE}"
        self.add("linux-image-amd64", {}, depends=f"{kernel} (= 1.0-1)")
        self.add(
            kernel,
            {
                f"boot/vmlinuz-{RELEASE}": vmlinuz(lzma.compress(KERNEL)),
                f"{MODULES}/virtio.ko": making.module(),
                f"{MODULES}/virtio_console.ko": making.module("virtio", ["virtio:d3v*"]),
                f"{MODULES}/other.ko": making.module(),
            },
            depends="kmod",
        )
        self.add("busybox-static", {"bin/busybox": b"#!/bin/sh\necho busybox\necho ls\n"})
        self.add(
            "qemu-guest-agent",
            {"usr/sbin/qemu-ga": making.program(["libglib.so.0", "libc.so.6"], LOADER)},
            version="1:7.2-1",
            depends="libglib2 (>= 2), init-system-helpers | other",
        )
        self.add("init-system-helpers", {"usr/bin/helper": b""}, section="admin")
        self.add(
            "libglib2",
            {f"{LIBRARIES}/libglib.so.0.1": making.program(["libc.so.6"])},
            section="libs",
            depends="libc6",
            links={f"{LIBRARIES}/libglib.so.0": "libglib.so.0.1"},
        )
        self.add(
            "libc6",
            {
                "lib/x86_64-linux-gnu/libc.so.6": making.program([]),
                "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2": making.program([]),
            },
            section="libs",
            links={"lib64/ld-linux-x86-64.so.2": "/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"},
        )
