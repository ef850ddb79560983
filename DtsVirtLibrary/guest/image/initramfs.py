"""Puts together the first root file system of the embedded guest."""

from __future__ import annotations

from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.guest.image import cpio, modules
from DtsVirtLibrary.guest.image.cpio import Entry
from DtsVirtLibrary.guest.image.libraries import libraries_of
from DtsVirtLibrary.guest.image.recipe import Recipe, added_bytes
from DtsVirtLibrary.guest.image.tree import Tree
from DtsVirtLibrary.host.protocol import Host

BUSYBOX = "bin/busybox"
APPLETS_TIMEOUT = 30.0
EMPTY_DIRECTORIES = ("dev", "proc", "sys", "run", "tmp", "mnt", "var")


async def initramfs(host: Host, recipe: Recipe, tree: Tree, root: str) -> bytes:
    """Return the archive that the kernel unpacks.

    :param root: where the tree lies on the host; its busybox is asked for its applets.
    """
    entries = skeleton()
    entries |= {f"bin/{name}": cpio.symlink("busybox") for name in await _applets(host, root)}
    programs = {path: await tree.read(source) for path, source in recipe.programs.items()}
    libraries = await libraries_of(programs.values(), tree)
    entries |= {path: cpio.file(data, 0o755) for path, data in (programs | libraries).items()}
    entries |= await _module_entries(recipe, tree)
    entries |= {
        path: cpio.file(added_bytes(file.source), file.mode) for path, file in recipe.files.items()
    }
    return cpio.archive(entries)


def skeleton() -> dict[str, Entry]:
    """Return the directories and links that every image has; all programs lie in /bin."""
    return {
        # Else the kernel leaves / open to all, and DPDK then refuses its plugins.
        ".": cpio.directory(),
        **{name: cpio.directory() for name in EMPTY_DIRECTORIES},
        "root": cpio.directory(0o700),
        "init": cpio.symlink(BUSYBOX),
        "sbin": cpio.symlink("bin"),
        "usr/bin": cpio.symlink("../bin"),
        "usr/sbin": cpio.symlink("../bin"),
        "var/run": cpio.symlink("../run"),
        # sshd complains to whoever logs in if it is missing.
        "var/log/lastlog": cpio.file(b""),
        "etc/mtab": cpio.symlink("/proc/mounts"),
    }


def kernel_release(tree: Tree) -> str:
    """Return the release of the kernel in `tree`, as ``uname -r`` will say it.

    :raises HostError: it holds no kernel, or more than one.
    """
    names = [path.rsplit("/", 1)[-1] for path in tree.paths if path.startswith("boot/vmlinuz-")]
    if len(names) != 1:
        raise HostError(f"The kernel packages hold {len(names)} kernels instead of one.")
    return names[0].removeprefix("vmlinuz-")


async def _applets(host: Host, root: str) -> list[str]:
    listing = await host.run([f"{root}/{BUSYBOX}", "--list"], timeout=APPLETS_TIMEOUT)
    return [name for name in listing.stdout.split() if name != "busybox"]


async def _module_entries(recipe: Recipe, tree: Tree) -> dict[str, Entry]:
    source, paths = _module_paths(tree, kernel_release(tree))

    async def read(path: str) -> bytes:
        return await tree.read(f"{source}/{path}")

    found = await modules.collect(recipe.modules, paths, read)
    base = f"lib/modules/{kernel_release(tree)}"
    return {
        f"{base}/modules.dep": cpio.file(modules.dependency_index(found).encode()),
        f"{base}/modules.alias": cpio.file(modules.alias_index(found).encode()),
        **{f"{base}/{module.path}": cpio.file(module.data) for module in found},
    }


def _module_paths(tree: Tree, release: str) -> tuple[str, dict[str, str]]:
    """Return the modules' directory and the path below it of each module, by name."""
    source = next(
        (
            base
            for base in (f"lib/modules/{release}", f"usr/lib/modules/{release}")
            if any(path.startswith(f"{base}/") for path in tree.paths)
        ),
        "",
    )
    paths = {
        modules.module_name(path): path.removeprefix(f"{source}/")
        for path in tree.paths
        if path.startswith(f"{source}/kernel/") and path.endswith((".ko", ".ko.xz"))
    }
    return source, paths
