"""A picture of a VM's display, among its artifacts."""

from __future__ import annotations

from pathlib import Path

from DtsVirtLibrary.host.protocol import Host
from DtsVirtLibrary.vm.machine import Machine


async def capture_screenshot(
    machine: Machine, runner: Host, file: Path | None
) -> tuple[Path, bytes]:
    """Save the display's picture and return its path and the PNG's bytes."""
    picture = await machine.use("Capture VM Screenshot", lambda instance: instance.screenshot())
    assert machine.artifacts is not None
    path = machine.artifacts.next_picture() if file is None else file
    await runner.make_directory(path.parent)
    await runner.write_bytes(path, picture, mode=0o644)
    return path, picture
