"""Builds the guest on disk, or finds the one that was built."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from DtsVirtLibrary.errors import ConfigError, HostError, nearest
from DtsVirtLibrary.guest.cache import Build, GuestCache, Manifest, short_digest
from DtsVirtLibrary.guest.disk.bootstrap import check_rights, install
from DtsVirtLibrary.guest.disk.partition import PARTITION_START, first_sectors
from DtsVirtLibrary.guest.disk.recipe import DISK_RECIPES, DiskRecipe, recipe_digest
from DtsVirtLibrary.guest.workshop import Progress, Workshop, megabytes
from DtsVirtLibrary.host.protocol import Host

IMAGE = "disk.qcow2"
LABEL = "dtsvirt-root"
# The programs that it takes, and the Debian package that brings each.
PROGRAMS = {
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
    "qemu-img": "qemu-utils",
    "fakeroot": "fakeroot",
}
LOCK_TIMEOUT = 3600.0
STEP_TIMEOUT = 900.0
SPACE_NEEDED = 3_500_000_000
STATUS_FILE = "var/lib/dpkg/status"
# The embedded guest's builder has none.
PREFIX = "disk-"
# As root, or under fakeroot: who owns what in the system goes into the file system.
UNPACK = """set -e
mkdir root
tar -xf "$1" -C root --exclude='./dev/*'
rm -f "$1"
mke2fs -q -t ext4 -L "$2" -m 0 -d root \
    -E "offset=$3,lazy_itable_init=0,lazy_journal_init=0" disk.raw "$4"k
"""


@dataclass(frozen=True)
class DiskImage:
    """A disk image that VMs can boot; use it on an overlay, so that it stays as it is.

    :ivar path: path of the qcow2 file on the host.
    """

    flavour: str
    path: str
    manifest: Manifest


async def disk_image(
    host: Host,
    cache_directory: str,
    *,
    flavour: str = "debian",
    progress: Progress,
    force: bool = False,
) -> DiskImage:
    """Return the disk image of `flavour`, built if the cache does not hold it whole.

    :param progress: called with a line for each step of a build.
    :param force: build with the packages of today, whatever the cache holds.
    :raises ConfigError: there is no such flavour.
    :raises HostError: programs, rights, packages or space are missing.
    """
    recipe = recipe_of(flavour)
    digest = recipe_digest(recipe)
    cache = GuestCache(host, cache_directory)
    build = None if force else await cache.current(flavour, digest)
    if build is None:
        await _require_means(host)
        workshop = Workshop(
            host, cache, "a guest on disk", PREFIX, SPACE_NEEDED, LOCK_TIMEOUT, progress
        )
        async with workshop.locked():
            build = None if force else await cache.current(flavour, digest)
            if build is None:
                async with workshop.directory() as work:
                    build = await _build(host, cache, flavour, recipe, work, progress)
    return DiskImage(flavour, f"{build.directory}/{IMAGE}", build.manifest)


def recipe_of(flavour: str) -> DiskRecipe:
    """Return the recipe of `flavour`.

    :raises ConfigError: there is no such flavour.
    """
    if flavour not in DISK_RECIPES:
        raise ConfigError(
            f"The guest on disk has no flavour '{flavour}'.{nearest(flavour, DISK_RECIPES)}"
            f" Known: {', '.join(DISK_RECIPES)}."
        )
    return DISK_RECIPES[flavour]


async def _require_means(host: Host) -> None:
    missing = [package for name, package in PROGRAMS.items() if await host.which(name) is None]
    if missing:
        raise HostError(
            f"Building a guest on disk needs programs that {host.name} does not have. As root:"
            f" apt-get install --no-install-recommends {' '.join(missing)}"
        )
    await check_rights(host)


async def _build(
    host: Host, cache: GuestCache, flavour: str, recipe: DiskRecipe, work: str, progress: Progress
) -> Build:
    progress(f"building the guest '{flavour}' (once; kept in {cache.root})")
    tar_file = await install(host, recipe, work, progress)
    progress("writing the file system and the boot loader")
    raw = await _raw_disk(host, recipe, tar_file, work)
    system = f"{work}/root"
    packages = installed_packages(await host.read_text(f"{system}/{STATUS_FILE}"))
    kernel = await _kernel_release(host, system)
    progress("compressing the image")
    result = f"{work}/result"
    await host.make_directory(result)
    image = f"{result}/{IMAGE}"
    convert = ["qemu-img", "convert", "-c", "-O", "qcow2", "-o", "compression_type=zstd"]
    await host.run([*convert, "-f", "raw", raw, image], timeout=STEP_TIMEOUT)
    digest = recipe_digest(recipe)
    manifest = Manifest(
        flavour=flavour,
        recipe=digest,
        content=short_digest([digest, packages]),
        kernel=kernel,
        packages=packages,
        files={IMAGE: await _size(host, image)},
        digests={IMAGE: await _sha256(host, image)},
    )
    build = await cache.publish(result, manifest)
    progress(f"guest '{flavour}' is ready ({megabytes(manifest.files[IMAGE])})")
    return build


async def _raw_disk(host: Host, recipe: DiskRecipe, tar_file: str, work: str) -> str:
    """Return the path of a raw disk with the system of `tar_file`, which is unpacked beside it."""
    partition = (recipe.size_mib << 20) - PARTITION_START
    shell = ["sh", "-c", UNPACK, "sh", tar_file, LABEL, str(PARTITION_START)]
    with_owners = [] if await host.user_id() == 0 else ["fakeroot"]
    await host.run(
        [*with_owners, *shell, str(partition >> 10)], timeout=STEP_TIMEOUT, directory=work
    )
    boot, core = [
        await host.read_bytes(f"{work}/root/boot/grub/{name}.img") for name in ("boot", "core")
    ]
    head = first_sectors(boot, core, partition, secrets.randbits(32))
    await host.write_bytes(f"{work}/head", head)
    raw = f"{work}/disk.raw"
    await host.run(
        ["dd", f"if={work}/head", f"of={raw}", "bs=1M", "conv=notrunc", "status=none"],
        timeout=STEP_TIMEOUT,
    )
    return raw


def installed_packages(status: str) -> dict[str, str]:
    """Return the version of each package that dpkg's status file calls installed, by name."""
    found = {}
    for stanza in status.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line)
        if fields.get("Status", "").endswith(" installed"):
            found[fields["Package"]] = fields["Version"]
    return dict(sorted(found.items()))


async def _kernel_release(host: Host, system: str) -> str:
    names = await host.list_directory(f"{system}/lib/modules/")
    if len(names) != 1:
        raise HostError(f"The new system holds {len(names)} kernels instead of one.")
    return names[0]


async def _size(host: Host, path: str) -> int:
    status = await host.status(path)
    assert status is not None
    return status.size


async def _sha256(host: Host, path: str) -> str:
    completed = await host.run(["sha256sum", path], timeout=STEP_TIMEOUT)
    return completed.stdout.split()[0].lstrip("\\")
