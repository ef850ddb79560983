"""The files that a run keeps of its VMs, under the output directory of the runner."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from DtsVirtLibrary.host.protocol import Host
from DtsVirtLibrary.timeline import Timeline


class StartArtifacts:
    """The files of one start of one VM: ``vms/<vm>/start-<n>/``."""

    def __init__(self, runner: Host, directory: Path) -> None:
        self._runner = runner
        self.directory = directory
        self.kept: list[str] = []
        self._pictures = 0

    async def keep(self, files: Mapping[str, bytes]) -> None:
        """Write the files, replacing what an earlier moment of the same start left."""
        await self._runner.make_directory(self.directory)
        for name, data in files.items():
            await self._runner.write_bytes(self.directory / name, data, mode=0o644)
            if name not in self.kept:
                self.kept.append(name)

    def next_picture(self) -> Path:
        """Return the path of the next screenshot."""
        self._pictures += 1
        return self.directory / f"screen-{self._pictures}.png"


def stages_file(timeline: Timeline) -> dict[str, bytes]:
    """Return the file that tells when each stage of a start was reached, by name."""
    lines = [f"{stage.at:.3f} s {stage.name}\n" for stage in timeline.stages]
    return {"stages.txt": "".join(lines).encode()}


# Counted for the whole run: the library may be imported twice, with other arguments.
_starts: Counter[Path] = Counter()


class ArtifactStore:
    """Hands out a directory for every start.

    :param runner: the machine that the runner runs on.
    :param root: directory that holds one directory for each VM.
    """

    def __init__(self, runner: Host, root: Path) -> None:
        self._runner = runner
        self.root = root

    def new_start(self, vm: str) -> StartArtifacts:
        """Return the artifacts of the VM's next start."""
        directory = self.root / vm
        _starts[directory] += 1
        return StartArtifacts(self._runner, directory / f"start-{_starts[directory]}")
