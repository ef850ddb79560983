"""A machine of fakes on which scripts/setup runs: every program it calls can be chosen."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COPIED = (
    "scripts/setup",
    "setup.py",
    "pyproject.toml",
    "constraints.txt",
    "DtsVirtLibrary/cli/debian-packages.txt",
)
REAL_TOOLS = """
    awk bash cat chmod cp cut dirname env flock grep id mkdir mv rm sed sha256sum tail tee
    touch wc xargs
""".split()  # noqa: SIM905

# `-m venv DIR` makes a virtual environment of fakes, whose `-m pip` installs a fake dtsvirt.
PYTHON = """
case "$*" in
*"-m venv "*)
    mkdir -p "${@: -1}/bin"
    cp "$0" "${@: -1}/bin/python"
    echo "command = python -m venv $PWD/${@: -1}" >"${@: -1}/pyvenv.cfg" ;;
*"-m pip install"*)
    echo "Collecting robotframework"
    [ ! -e "$FAKES/pip-fails" ] || { echo "NewConnectionError: no route"; exit 1; }
    here=$(cd "$(dirname "$0")" && pwd)
    printf '#!/bin/bash\\n# made in %s\\n' "$here" >"$here/dtsvirt"
    cat "$FAKES/dtsvirt-body" >>"$here/dtsvirt"
    chmod +x "$here/dtsvirt" ;;
--version) echo "Python 3.11.2" ;;
esac
"""


@dataclass
class Machine:
    """A temporary project directory and a PATH of chosen programs."""

    project: Path
    fakes: Path
    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    def program(self, name: str, body: str) -> None:
        """Put a program on PATH: a bash script that notes its call, then does `body`."""
        path = self.fakes / name
        path.unlink(missing_ok=True)
        path.write_text(f'#!/bin/bash\necho "{name} $*" >>"$FAKES/calls"\n{body}\n')
        path.chmod(0o755)

    def remove(self, name: str) -> None:
        """Take a program from PATH."""
        (self.fakes / name).unlink()

    def setup(self, purpose: str = "demo") -> subprocess.CompletedProcess[str]:
        """Run scripts/setup with nothing but the fakes on PATH."""
        (self.fakes / "calls").write_text("")
        environment = {
            "PATH": str(self.fakes),
            "HOME": str(self.home),
            "FAKES": str(self.fakes),
            "PYTHON": str(self.fakes / "python-fake"),
            **self.environment,
        }
        return subprocess.run(
            ["/bin/bash", "scripts/setup", purpose], cwd=self.project, env=environment,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    @property
    def calls(self) -> list[str]:
        """The fakes' calls of the last run, in order."""
        return (self.fakes / "calls").read_text().splitlines()

    def called(self, start: str) -> bool:
        """Whether a program was called with this beginning of a command line."""
        return any(call.startswith(start) for call in self.calls)

    @property
    def untouched(self) -> bool:
        """Whether neither an environment nor a piece of one is there."""
        return not any((self.project / name).exists() for name in (".venv", ".venv.new"))


def build_machine(tmp_path: Path) -> Machine:
    """Return a machine on which set-up succeeds: root, apt, space, all packages missing."""
    machine = Machine(tmp_path / "project", tmp_path / "fakes", tmp_path / "home")
    for directory in (machine.project, machine.fakes, machine.home):
        directory.mkdir()
    for name in COPIED:
        (machine.project / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, machine.project / name)
    for tool in REAL_TOOLS:
        found = shutil.which(tool, path=os.defpath)
        assert found, f"{tool} is needed by this test"
        (machine.fakes / tool).symlink_to(found)
    machine.program("uname", "echo Linux x86_64")
    machine.program("id", "[ $1 = -u ] && echo 0 || echo root")
    machine.program("df", 'echo header; echo "/dev/vda 99999 1 50000 1% /"')
    machine.program("dpkg-query", "exit 1")
    machine.program(
        "apt-get",
        '[ "$1" = update ] || case "$*" in\n'
        '*--simulate*) for name in qemu-a qemu-b; do echo "Inst $name (1.0)"; done ;;\n'
        "*--download-only*) ;;\n"
        '*) echo "Setting up qemu-a" ;;\nesac',
    )
    machine.program("python-fake", PYTHON)
    (machine.fakes / "dtsvirt-body").write_text('echo "guest $*" >&2\n')
    return machine
