"""What each flavour of the embedded guest is made of, as data."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib import resources
from types import MappingProxyType

from DtsVirtLibrary.errors import ConfigError, nearest
from DtsVirtLibrary.guest.cache import short_digest

# Raised when the builder writes other bytes from the same recipe and the same packages.
BUILDER_VERSION = 2

# Words for the kernel's command line, besides those that name the VM and its control card.
# Under TCG on a busy machine the kernel's trial of the timer interrupt and its watchdog of
# the TSC find faults that are none, the former by a panic. Self-tests of the ciphers take a
# third of the kernel's start.
GUEST_APPEND = "console=ttyS0 quiet no_timer_check tsc=reliable cryptomgr.notests"


@dataclass(frozen=True)
class AddedFile:
    """A file of this package (below ``files/``) that goes into the image, with its mode."""

    source: str
    mode: int = 0o644


# Recipes are few and stay as they are; by their identity they can be keys.
@dataclass(frozen=True, eq=False)
class Recipe:
    """What a flavour holds.

    :ivar kernel: package that depends on the newest kernel's package.
    :ivar packages: packages whose programs are taken; their libraries' packages follow.
    :ivar programs: path in those packages of each program, by its path in the image.
    :ivar modules: kernel modules, without those that they depend on.
    :ivar files: what the library adds, by path in the image.
    """

    kernel: str
    packages: tuple[str, ...]
    programs: Mapping[str, str]
    modules: tuple[str, ...]
    files: Mapping[str, AddedFile]


_CONSOLE_AND_AGENT = ("virtio_pci", "virtio_console", "virtio_rng")
_NETWORK = ("virtio_net", "e1000", "e1000e", "igb", "8139cp", "8139too", "pcnet32", "ne2k_pci")
_STORAGE = ("virtio_blk", "virtio_scsi", "sd_mod", "sr_mod", "ahci", "ata_piix", "nvme")
_FILE_SYSTEMS = ("ext4", "isofs", "crc32c_generic")
_USER_SPACE_DRIVERS = ("uio_pci_generic",)
_TRAFFIC_CONTROL = ("sch_ingress", "cls_matchall", "act_csum", "act_mirred")
_MACHINE = ("button", "evdev", "pvpanic_pci", "pvpanic_mmio", "virtio_balloon", "virtio_crypto")

_SHUTDOWN = AddedFile("shutdown.sh", 0o755)

_DEFAULT = Recipe(
    kernel="linux-image-amd64",
    packages=("bash", "busybox-static", "openssh-client", "openssh-server", "qemu-guest-agent"),
    programs=MappingProxyType(
        {
            "bin/busybox": "bin/busybox",
            "bin/qemu-ga": "usr/sbin/qemu-ga",
            # busybox's shell asks the terminal for the cursor's place after each prompt, which
            # ends up in what a test reads.
            "bin/bash": "bin/bash",
            "bin/sshd": "usr/sbin/sshd",
            "bin/ssh-keygen": "usr/bin/ssh-keygen",
        }
    ),
    modules=_CONSOLE_AND_AGENT + _NETWORK + _STORAGE + _FILE_SYSTEMS + _MACHINE,
    files=MappingProxyType(
        {
            "etc/inittab": AddedFile("inittab"),
            "etc/fstab": AddedFile("fstab"),
            "etc/group": AddedFile("group"),
            "etc/passwd": AddedFile("passwd"),
            "etc/shadow": AddedFile("shadow", 0o600),
            "etc/bash.bashrc": AddedFile("profile"),
            "etc/inputrc": AddedFile("inputrc"),
            "etc/os-release": AddedFile("os-release"),
            "etc/ssh/sshd_config": AddedFile("sshd_config"),
            "etc/profile": AddedFile("profile"),
            "etc/shells": AddedFile("shells"),
            "etc/init.d/early": AddedFile("early.sh", 0o755),
            "etc/init.d/agent": AddedFile("agent.sh", 0o755),
            "etc/init.d/devices": AddedFile("devices.sh", 0o755),
            "etc/init.d/ssh": AddedFile("ssh.sh", 0o755),
            "etc/init.d/hotplug": AddedFile("hotplug.sh", 0o755),
            "etc/init.d/power": AddedFile("power.sh", 0o755),
            "etc/udhcpc.script": AddedFile("udhcpc.sh", 0o755),
            "etc/acpi/PWRF/00000080": _SHUTDOWN,
            "bin/shutdown": _SHUTDOWN,
            "bin/poweroff": _SHUTDOWN,
            "bin/halt": _SHUTDOWN,
            "bin/reboot": _SHUTDOWN,
            "bin/lspci": AddedFile("lspci.sh", 0o755),
        }
    ),
)

# DPDK's libraries carry the number of its binary interface in their names; 23 is Debian 12's.
_DPDK_ABI = "23"
_DPDK_LIBRARIES = "usr/lib/x86_64-linux-gnu"
_DPDK_PLUGINS = f"{_DPDK_LIBRARIES}/dpdk/pmds-{_DPDK_ABI}.0"


def _plugin(name: str) -> str:
    return f"{_DPDK_PLUGINS}/librte_{name}.so.{_DPDK_ABI}.0"


# Drivers that testpmd does not load by itself. The others it is linked with; a second copy of
# one of them here would register itself twice, and DPDK ends then.
_DPDK_DRIVERS = tuple(_plugin(name) for name in ("net_virtio", "mempool_ring"))

_TESTPMD = replace(
    _DEFAULT,
    packages=(
        *_DEFAULT.packages,
        "dpdk-dev",
        "ibverbs-providers",  # testpmd is linked with a library of it
        "iproute2",
        f"librte-net-virtio{_DPDK_ABI}",
        f"librte-mempool-ring{_DPDK_ABI}",
    ),
    programs=MappingProxyType(
        {
            **_DEFAULT.programs,
            "bin/dpdk-testpmd": "usr/bin/dpdk-testpmd",
            # In the place of busybox's, which knows no filters.
            "bin/tc": "sbin/tc",
            **{path: path for path in _DPDK_DRIVERS},
        }
    ),
    modules=(*_DEFAULT.modules, *_USER_SPACE_DRIVERS, *_TRAFFIC_CONTROL),
)

RECIPES: Mapping[str, Recipe] = MappingProxyType({"default": _DEFAULT, "testpmd": _TESTPMD})


def recipe_of(flavour: str) -> Recipe:
    """Return the recipe of `flavour`.

    :raises ConfigError: there is no such flavour.
    """
    if flavour not in RECIPES:
        raise ConfigError(
            f"The embedded guest has no flavour '{flavour}'.{nearest(flavour, RECIPES)}"
            f" Known: {', '.join(RECIPES)}."
        )
    return RECIPES[flavour]


def added_bytes(source: str) -> bytes:
    """Return the bytes of a file below ``files/``."""
    return resources.files(__package__).joinpath("files").joinpath(source).read_bytes()


def recipe_digest(recipe: Recipe) -> str:
    """Return a short digest of all that the library itself puts into the image."""
    return short_digest({"builder": BUILDER_VERSION, **_facts(recipe)})


@cache
def _facts(recipe: Recipe) -> dict[str, object]:
    """Return what tells a recipe from others; to read all its files takes milliseconds."""
    sources = sorted({file.source for file in recipe.files.values()})
    return {
        "kernel": recipe.kernel,
        "packages": recipe.packages,
        "programs": dict(recipe.programs),
        "modules": recipe.modules,
        "files": {path: asdict(file) for path, file in recipe.files.items()},
        "bytes": {source: hashlib.sha256(added_bytes(source)).hexdigest() for source in sources},
    }
