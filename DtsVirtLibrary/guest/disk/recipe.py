"""What each guest on a disk is made of, as data."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import resources
from types import MappingProxyType

from DtsVirtLibrary.guest.cache import short_digest
from DtsVirtLibrary.guest.image.recipe import AddedFile

# Raised when the builder makes another image of the same recipe and the same packages.
BUILDER_VERSION = 1


@dataclass(frozen=True)
class DiskRecipe:
    """What an image holds.

    :ivar packages: packages that are installed, with what they depend on.
    :ivar left_out: paths of packages that are not unpacked, as dpkg's ``path-exclude``.
    :ivar files: what the library adds before the packages are installed, by path.
    :ivar prepare: path among `files` of the script that runs in the finished system, as root.
    :ivar size_mib: size of the disk that a VM sees.
    """

    packages: tuple[str, ...]
    left_out: tuple[str, ...]
    files: Mapping[str, AddedFile]
    prepare: str
    size_mib: int


_SYSTEM = ("systemd-sysv", "udev", "dbus", "kmod", "linux-image-amd64", "initramfs-tools", "zstd")
_WAY_IN = ("qemu-guest-agent", "openssh-server")
_TOOLS = ("net-tools", "iproute2", "iputils-ping", "pciutils", "procps", "ethtool", "less")
_BOOT_LOADER = ("grub-pc-bin", "grub-common")

_DEBIAN = DiskRecipe(
    packages=(*_SYSTEM, *_WAY_IN, *_TOOLS, *_BOOT_LOADER),
    left_out=("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*"),
    files=MappingProxyType(
        {
            "boot/grub/grub.cfg": AddedFile("grub.cfg"),
            "etc/fstab": AddedFile("fstab"),
            "etc/initramfs-tools/conf.d/dtsvirt": AddedFile("initramfs.conf"),
            "etc/initramfs-tools/hooks/dtsvirt": AddedFile("initramfs-modules.sh", 0o755),
            "etc/modprobe.d/dtsvirt.conf": AddedFile("modprobe.conf"),
            "etc/ssh/sshd_config.d/dtsvirt.conf": AddedFile("sshd.conf"),
            "etc/systemd/journald.conf.d/dtsvirt.conf": AddedFile("journald.conf"),
            "etc/systemd/network/10-host_connect.network": AddedFile("host_connect.network"),
            "etc/udev/rules.d/70-host-connect.rules": AddedFile("host-connect.rules"),
            "usr/local/lib/dtsvirt/prepare": AddedFile("prepare.sh", 0o755),
        }
    ),
    prepare="usr/local/lib/dtsvirt/prepare",
    size_mib=4096,
)

DISK_RECIPES: Mapping[str, DiskRecipe] = MappingProxyType({"debian": _DEBIAN})


def added_bytes(source: str) -> bytes:
    """Return the bytes of a file below ``files/``."""
    return resources.files(__package__).joinpath("files").joinpath(source).read_bytes()


def recipe_digest(recipe: DiskRecipe) -> str:
    """Return a short digest of all that the library itself decides about the image."""
    facts = {
        "builder": BUILDER_VERSION,
        "packages": recipe.packages,
        "left out": recipe.left_out,
        "files": {path: asdict(file) for path, file in recipe.files.items()},
        "bytes": {
            file.source: hashlib.sha256(added_bytes(file.source)).hexdigest()
            for file in recipe.files.values()
        },
        "prepare": recipe.prepare,
        "size": recipe.size_mib,
    }
    return short_digest(facts)
