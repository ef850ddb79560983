"""Real QEMUs judge every command line: started with ``-S``, greeted over QMP, and quit."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.qemu.binary.facts import BinaryFacts
from DtsVirtLibrary.qemu.binary.probe import probe
from DtsVirtLibrary.qemu.command_line.build import CommandLine, command_line
from DtsVirtLibrary.qemu.command_line.placement import Placement, SocketPath
from DtsVirtLibrary.spec import VmSpec
from utest.qemu.cases import Case, cases
from utest.qemu.qmp_talk import quit_qemu
from utest.qemu.vhost_user_peer import VhostUserPeer

pytestmark = pytest.mark.qemu

SCRIPTS = Path(__file__).parents[2] / "scripts"
# Cases that are about hardware or device files that a test machine need not have.
UNJUDGED = {"kvm", "vfio", "vhost-net"}
NAMES = [case.name for case in cases() if case.needs not in UNJUDGED]
IMAGES = {"a.qcow2": "qcow2", "b.raw": "raw", "c.iso": "raw", "d,e=f.raw": "raw"}
LISTENERS = ("vhost0.sock", "vhost1.sock", "a,b=c.sock", "crypto0.sock")
FLASH_BYTES = 256 * 1024


@pytest.fixture(scope="session", params=["installed", "10"])
def binary(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> BinaryFacts:
    """Return the facts of the installed QEMU, then of QEMU 10."""
    path = None
    if request.param == "10":
        fetched = subprocess.run(
            [SCRIPTS / "fetch-qemu-10"], stdout=subprocess.PIPE, text=True, check=True
        )
        path = fetched.stdout.strip()
    return asyncio.run(_probed(path, str(tmp_path_factory.mktemp("probe"))))


async def _probed(path: str | None, cache: str) -> BinaryFacts:
    host = LocalHost()
    try:
        return await probe(host, path, cache)
    finally:
        await host.close()


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with the files that the cases name."""
    directory = tmp_path_factory.mktemp("images")
    for name, form in IMAGES.items():
        command = ["qemu-img", "create", "-q", "-f", form, name, "1M"]
        subprocess.run(command, cwd=directory, check=True)
    for name in ("code.fd", "vars.fd"):
        (directory / name).write_bytes(bytes(FLASH_BYTES))
    (directory / "kernel").write_bytes(_kernel())
    (directory / "initrd").write_bytes(bytes(512))
    for name in ("ifup", "ifdown"):
        (directory / name).write_text("#!/bin/sh\nexit 0\n")
        (directory / name).chmod(0o755)
    return directory


@pytest.fixture
def files(images: Path, tmp_path: Path) -> Iterator[Path]:
    """Yield a directory with the cases' files, and vhost-user back ends on its sockets."""
    shutil.copytree(images, tmp_path / "f")
    with ExitStack() as stack:
        for name in LISTENERS:
            peer = VhostUserPeer(tmp_path / "f" / name)
            stack.callback(peer.close)
            peer.listen()
        caller = VhostUserPeer(tmp_path / "f" / "server.sock")
        stack.callback(caller.close)
        caller.call()
        yield tmp_path / "f"


@pytest.mark.parametrize("name", NAMES)
def test_qemu_takes_the_command_line(
    name: str, binary: BinaryFacts, files: Path, tmp_path: Path
) -> None:
    case = next(case for case in cases(str(files)) if case.name == name)
    case = _with_what_is_here(case)
    directory = tmp_path / "vm"
    directory.mkdir(mode=0o700)
    _make_overlays(case.spec, directory)
    line = _line(case, binary, files, directory)
    monitor = directory / "qmp.sock"
    with (directory / "stderr.log").open("w") as stderr:
        process = subprocess.Popen(_argv(case, line), stderr=stderr, cwd=directory)
        try:
            quit_qemu(process, monitor)
            assert process.wait(20) == 0
        finally:
            process.kill()
            process.wait()
    said = (directory / "stderr.log").read_text()
    assert re.search(case.says or "^$", said), said


def test_unjudged_cases_are_few() -> None:
    assert len(NAMES) >= 100


def _with_what_is_here(case: Case) -> Case:
    """Take plain memory where no hugepages are reserved, and this machine's mount of them."""
    if case.needs != "hugepages":
        return case
    if _free_hugepages() < 32:
        memory = replace(case.spec.memory, hugepage=False)
        return replace(case, spec=replace(case.spec, memory=memory))
    mount = _hugetlbfs() if case.host.hugepages else None
    return replace(case, host=replace(case.host, hugepages=mount))


def _free_hugepages() -> int:
    path = Path("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages")
    return int(path.read_text()) if path.exists() else 0


def _hugetlbfs() -> str | None:
    mounts = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    return next((words[1] for words in mounts if words[2] == "hugetlbfs"), None)


def _make_overlays(spec: VmSpec, directory: Path) -> None:
    for number, disk in enumerate(spec.disks):
        if disk.overlay:
            overlay = directory / f"{disk.id or f'disk{number}'}.qcow2"
            command = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", disk.format]
            subprocess.run([*command, "-b", disk.file, str(overlay)], check=True)


def _line(case: Case, binary: BinaryFacts, files: Path, directory: Path) -> CommandLine:
    placement = Placement(
        str(directory),
        SocketPath(str(directory / "qmp.sock")),
        SocketPath(str(directory / "agent.sock")),
        taps=case.taps,
    )
    host = replace(case.host, kernel=str(files / "kernel"), initrd=str(files / "initrd"))
    return command_line(case.spec, binary, host, placement)


def _argv(case: Case, line: CommandLine) -> list[str]:
    """Run a VM with taps where it may make them and nobody sees them."""
    if not any("tap," in word for word in line.argv):
        return list(line.argv)
    how = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]
    return [*how, *line.argv]


def _kernel() -> bytes:
    """Return what QEMU takes for a Linux kernel: the header of the boot protocol, no code."""
    image = bytearray(8 * 1024)
    image[0x1F1] = 1
    struct.pack_into("<H", image, 0x1FE, 0xAA55)
    image[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", image, 0x206, 0x020C)
    image[0x211] = 1
    struct.pack_into("<I", image, 0x214, 0x100000)
    struct.pack_into("<I", image, 0x22C, 0x7FFFFFFF)
    struct.pack_into("<I", image, 0x238, 2047)
    return bytes(image)
