"""Values with every sign that could mean something arrive in QEMU as they are."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import pytest

from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.qemu.binary.facts import BinaryFacts
from DtsVirtLibrary.qemu.binary.probe import probe
from DtsVirtLibrary.qemu.command_line.build import command_line, shell_text
from DtsVirtLibrary.qemu.command_line.host_facts import HostFacts
from DtsVirtLibrary.qemu.command_line.placement import Placement, SocketPath
from DtsVirtLibrary.spec import Disk, OtherDevice, VmSpec
from utest.qemu.qmp_talk import talk

pytestmark = pytest.mark.qemu

NAMES = [
    "plain",
    "a,b",
    "a,,b",
    ",",
    "id=x,addr=1f",
    "a b",
    "%s%%",
    "'\"",
    "$(id)`id`",
    "{}",
    "ä\n€",
]


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> BinaryFacts:
    """Return the facts of the installed QEMU."""

    async def probed() -> BinaryFacts:
        host = LocalHost()
        try:
            return await probe(host, None, str(tmp_path_factory.mktemp("probe")))
        finally:
            await host.close()

    return asyncio.run(probed())


def placement(directory: Path) -> Placement:
    """Return places in a directory."""
    monitor, agent = directory / "qmp.sock", directory / "agent.sock"
    return Placement(str(directory), SocketPath(str(monitor)), SocketPath(str(agent)))


@pytest.mark.fault(13)
@pytest.mark.parametrize("name", NAMES)
def test_value_arrives_literally(name: str, binary: BinaryFacts, tmp_path: Path) -> None:
    image = tmp_path / name
    image.write_bytes(bytes(1024 * 1024))
    # The directory of the start is the tester's choice, too, when text is pasted.
    places = placement(tmp_path)
    spec = VmSpec(
        name="vm0",
        disks=(Disk(str(image), interface="none"),),
        devices=(OtherDevice("nvme", {"drive": "disk0", "serial": name[:20]}, id="d"),),
    )
    line = command_line(spec, binary, HostFacts(), places)
    questions = [
        ("query-named-block-nodes", {}),
        ("qom-get", {"path": "/machine/peripheral/d", "property": "serial"}),
    ]
    nodes, serial = ask(list(line.argv), tmp_path, questions)
    assert str(image) in {node["file"] for node in nodes if node["node-name"] == "disk0-file"}
    assert serial == name[:20]


def test_shell_text_can_be_pasted(binary: BinaryFacts, tmp_path: Path) -> None:
    directory = tmp_path / "it's, a $HOME"
    image = tmp_path / "a b,c.raw"
    image.write_bytes(bytes(1024 * 1024))
    spec = VmSpec(name="vm0", disks=(Disk(str(image)),))
    text = shell_text(command_line(spec, binary, HostFacts(), placement(directory)))
    nodes, status = ask(
        ["sh", "-c", text.replace("\n/", "\nexec /")],
        directory,
        [("query-named-block-nodes", {}), ("query-status", {})],
    )
    assert str(image) in {node["file"] for node in nodes}
    assert status["status"] == "running"
    assert directory.stat().st_mode & 0o777 == 0o700


def ask(argv: list[str], directory: Path, questions: list[tuple[str, dict[str, Any]]]) -> list[Any]:
    """Run a QEMU, ask it, make it quit, and return its answers."""
    process = subprocess.Popen(argv)
    try:
        answers = talk(process, directory / "qmp.sock", questions)
        assert process.wait(20) == 0
        return answers
    finally:
        process.kill()
        process.wait()
