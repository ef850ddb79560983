"""Installs a Debian into a tar file, with mmdebstrap."""

from __future__ import annotations

import asyncio
import io
import shlex
import signal
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import PurePosixPath

from DtsVirtLibrary.errors import CommandError, Evidence, HostError
from DtsVirtLibrary.guest.disk.recipe import DiskRecipe, added_bytes
from DtsVirtLibrary.guest.disk.sources import AptSources, machine_sources, proxies
from DtsVirtLibrary.guest.workshop import Progress
from DtsVirtLibrary.host.protocol import Host, HostProcess, Spawn
from DtsVirtLibrary.printable import printable

TIMEOUT = 2400.0
TRIAL_TIMEOUT = 30.0
# Ended gently, it takes away what it has mounted and unpacked.
END_TIMEOUT = 15.0
NEWS_PAUSE = 5.0
TAIL = 4000
SET_UP = "Setting up "
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


async def check_rights(host: Host) -> None:
    """Check that this user can install a system of its own.

    :raises HostError: it is not root, and user namespaces are not given to it.
    """
    if await host.user_id() == 0:
        return
    trial = ["unshare", "--user", "--map-auto", "--map-root-user", "true"]
    try:
        await host.run(trial, timeout=TRIAL_TIMEOUT)
    except CommandError as error:
        raise HostError(
            f"Installing a guest on disk needs root on {host.name}, or user namespaces with"
            " subordinate ids. Run `dtsvirt guest build` as root, or as root: apt-get install"
            " uidmap && usermod --add-subuids 100000-165535 --add-subgids 100000-165535 <user>.",
            error.evidence,
        ) from error


async def install(host: Host, recipe: DiskRecipe, work: str, progress: Progress) -> str:
    """Install what `recipe` says and return the path of the tar file below `work`.

    :raises HostError: the sources, the rights or the packages are missing.
    """
    sources = await machine_sources(host)
    added, result, log = f"{work}/added.tar", f"{work}/root.tar", f"{work}/install.log"
    await host.write_bytes(added, overlay(recipe), mode=0o644)
    list_file = f"{work}/sources.list"
    await host.write_bytes(list_file, "".join(f"{x}\n" for x in sources.lines).encode(), mode=0o644)
    progress(f"installing Debian {sources.codename}: {len(recipe.packages)} packages and theirs")
    environment = {"PATH": PATH, "LC_ALL": "C.UTF-8", **await proxies(host)}
    if await host.user_id() == 0:
        # Where it is removed with all the rest; a namespace's root could not enter there.
        environment["TMPDIR"] = work
    argv = [*mmdebstrap(recipe, sources, added), sources.codename, result, list_file]
    process = await host.spawn(Spawn(argv, stdout=log, stderr=log, environment=environment))
    async with _ended_gently(process), _news(host, log, progress):
        exit_code = await asyncio.wait_for(process.wait(), TIMEOUT)
    if exit_code:
        raise await _failure(host, log, argv, exit_code)
    return result


def mmdebstrap(recipe: DiskRecipe, sources: AptSources, added: str) -> list[str]:
    """Return the command line, without the release, the target and the sources."""
    options = ["--variant=apt", "--format=tar", "--verbose"]
    options += [f"--include={','.join(recipe.packages)}"]
    options += [f"--dpkgopt=path-exclude={pattern}" for pattern in recipe.left_out]
    options += [f"--aptopt={line.rstrip(';')}" for line in sources.options]
    options += [
        f"--essential-hook=tar-in {shlex.quote(added)} /",
        f'--customize-hook=chroot "$1" /{recipe.prepare}',
    ]
    return ["mmdebstrap", *options]


def overlay(recipe: DiskRecipe) -> bytes:
    """Return a tar file of what the library adds, every file root's own."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in sorted(_parents(recipe)):
            entry = tarfile.TarInfo(path)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for path, file in sorted(recipe.files.items()):
            data = added_bytes(file.source)
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(data), file.mode
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _parents(recipe: DiskRecipe) -> set[str]:
    found = {str(parent) for path in recipe.files for parent in PurePosixPath(path).parents}
    return found - {"."}


@asynccontextmanager
async def _ended_gently(process: HostProcess) -> AsyncIterator[None]:
    try:
        yield
    except asyncio.TimeoutError as error:
        raise HostError(f"mmdebstrap did not end within {TIMEOUT:.0f} s; it was ended.") from error
    finally:
        if process.exit_code is None:
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(asyncio.shield(process.wait()), END_TIMEOUT)
            except asyncio.TimeoutError:
                process.send_signal(signal.SIGKILL)


@asynccontextmanager
async def _news(host: Host, log: str, progress: Progress) -> AsyncIterator[None]:
    """Say every few seconds how far the installation is."""

    async def tell() -> None:
        said = ""
        while True:
            await asyncio.sleep(NEWS_PAUSE)
            if (news := news_of(await host.read_text(log))) != said:
                progress(news)
                said = news

    task = asyncio.create_task(tell())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


def news_of(log: str) -> str:
    """Return how far an installation is, by what it has written."""
    lines = log.splitlines()
    packages = [line.removeprefix(SET_UP).split()[0] for line in lines if line.startswith(SET_UP)]
    steps = [line for line in lines if line.startswith("I: ")]
    step = printable(steps[-1].removeprefix("I: ")) if steps else "starting"
    if not packages:
        return step
    return f"{len(packages)} packages set up, the last {printable(packages[-1])}; {step}"


async def _failure(host: Host, log: str, argv: list[str], exit_code: int) -> HostError:
    text = printable((await host.read_bytes(log, offset=-TAIL)).decode("utf-8", "replace"))
    lines = [line for line in text.splitlines() if line.strip()][-12:]
    errors = [line for line in lines if line.startswith(("E:", "Err:"))]
    return HostError(
        f"The guest on disk could not be installed: {errors[0] if errors else 'mmdebstrap failed'}",
        Evidence(
            argv=argv,
            exit_code=exit_code,
            facts=[
                *lines,
                "Needed: a Debian machine that reaches its package mirror. Try `apt-get update`;"
                " behind a proxy set http_proxy. Without network, copy the image of a machine"
                " where `dtsvirt guest build` ran.",
            ],
        ),
    )
