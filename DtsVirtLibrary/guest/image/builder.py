"""Builds the embedded guest, or finds the one that was built."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.guest.cache import Build, GuestCache, Manifest, short_digest
from DtsVirtLibrary.guest.image.initramfs import initramfs, kernel_release
from DtsVirtLibrary.guest.image.packages import Package, PackageSource, unavailable
from DtsVirtLibrary.guest.image.recipe import Recipe, recipe_digest, recipe_of
from DtsVirtLibrary.guest.image.tree import Tree
from DtsVirtLibrary.guest.image.vmlinux import extract_vmlinux
from DtsVirtLibrary.guest.key import LoginKey, find_key, make_key
from DtsVirtLibrary.guest.workshop import Progress, Workshop, megabytes
from DtsVirtLibrary.host.protocol import Host

KERNEL, INITRD = "vmlinux", "initrd"
LOCK_TIMEOUT = 1200.0
SPACE_NEEDED = 800_000_000


@dataclass(frozen=True)
class GuestImage:
    """A guest that can be booted.

    :ivar kernel: path of the uncompressed kernel on the host, for QEMU's ``-kernel``.
    :ivar initrd: path of its initramfs.
    :ivar key: path of the private SSH key that root's account takes.
    :ivar authorized_key: base64 text of its public half, for ``authorized_key=`` on the
        kernel's command line.
    """

    flavour: str
    kernel: str
    initrd: str
    key: str
    authorized_key: str
    manifest: Manifest


async def embedded_guest(
    host: Host,
    cache_directory: str,
    *,
    flavour: str = "default",
    progress: Progress,
    force: bool = False,
) -> GuestImage:
    """Return the guest of `flavour`, built if the cache does not hold it whole.

    :param progress: called with a line for each step of a build.
    :param force: ask apt for the packages of today and build, whatever the cache holds.
    :raises ConfigError: there is no such flavour.
    :raises HostError: the packages, the space or the right to write are missing.
    """
    recipe = recipe_of(flavour)
    cache = GuestCache(host, cache_directory)
    build = None if force else await cache.current(flavour, recipe_digest(recipe))
    key = await find_key(host, cache.root)
    if build is None or key is None:
        workshop = _workshop(host, cache, progress)
        async with workshop.locked():
            key = await make_key(host, cache.root)
            build = None if force else await cache.current(flavour, recipe_digest(recipe))
            if build is None:
                async with workshop.directory() as work:
                    build = await _build(host, cache, flavour, recipe, work, progress)
    return GuestImage(
        flavour=flavour,
        kernel=f"{build.directory}/{KERNEL}",
        initrd=f"{build.directory}/{INITRD}",
        key=key.path,
        authorized_key=key.public,
        manifest=build.manifest,
    )


async def login_key(host: Host, cache_directory: str, *, progress: Progress) -> LoginKey:
    """Return the key pair that opens the guests of this user, made if there is none.

    :param progress: called with a line while another process holds the cache.
    :raises HostError: the cache cannot be written.
    """
    cache = GuestCache(host, cache_directory)
    key = await find_key(host, cache.root)
    if key is None:
        async with _workshop(host, cache, progress).locked():
            key = await make_key(host, cache.root)
    return key


def _workshop(host: Host, cache: GuestCache, progress: Progress) -> Workshop:
    return Workshop(host, cache, "a guest", "", SPACE_NEEDED, LOCK_TIMEOUT, progress)


async def _build(
    host: Host, cache: GuestCache, flavour: str, recipe: Recipe, work: str, progress: Progress
) -> Build:
    progress(f"building the guest '{flavour}' (once; kept in {cache.root})")
    packages, files = await _fetch(host, recipe, work, progress)
    digest = recipe_digest(recipe)
    content = short_digest([digest, [[one.name, one.version, one.sha256] for one in packages]])
    progress("unpacking")
    root = f"{work}/root"
    await PackageSource(host, work, progress).unpack(files, root)
    tree = await Tree.of(host, root)
    progress("writing kernel and initramfs")
    release = kernel_release(tree)
    contents = {
        KERNEL: extract_vmlinux(await tree.read(f"boot/vmlinuz-{release}")),
        INITRD: await initramfs(host, recipe, tree, root),
    }
    result = f"{work}/result"
    await host.make_directory(result)
    for name, data in contents.items():
        await host.write_bytes(f"{result}/{name}", data, mode=0o644)
    manifest = Manifest(
        flavour=flavour,
        recipe=digest,
        content=content,
        kernel=release,
        packages={one.name: one.version for one in packages},
        files={name: len(data) for name, data in contents.items()},
        digests={name: hashlib.sha256(data).hexdigest() for name, data in contents.items()},
    )
    build = await cache.publish(result, manifest)
    progress(f"guest '{flavour}' is ready ({megabytes(sum(manifest.files.values()))})")
    return build


async def _fetch(
    host: Host, recipe: Recipe, work: str, progress: Progress
) -> tuple[Sequence[Package], Sequence[str]]:
    """Return the packages and their files: by the machine's lists, else by fresh ones."""
    source = PackageSource(host, work, progress)
    await source.prepare()
    try:
        return await _resolve_and_download(source, recipe)
    except HostError:
        # No lists there, or ones that name versions the mirror no longer has.
        complaints = await source.use_own_lists()
    try:
        return await _resolve_and_download(source, recipe)
    except HostError as error:
        raise unavailable(host, error, complaints) from error


async def _resolve_and_download(
    source: PackageSource, recipe: Recipe
) -> tuple[Sequence[Package], Sequence[str]]:
    (newest,) = await source.show([recipe.kernel])
    kernel = [name for name in newest.depends if name.startswith("linux-image-")]
    packages = await source.with_libraries([*kernel, *recipe.packages])
    return packages, await source.download(packages)
