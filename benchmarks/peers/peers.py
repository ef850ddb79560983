"""Who the peers are, how each is installed, and what it cannot do."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

JOBS = Path(__file__).resolve().parent / "jobs"
COLD_ONLY = "has no start from a saved state"


@dataclass(frozen=True)
class Peer:
    """A peer.

    :ivar package: what pip installs; None for what comes from Debian's source of QEMU.
    :ivar answers_by: how it learns that the guest is ready.
    :ivar remark: what a reader should know of the comparison.
    :ivar shell: what its commands take for /bin/sh; None for the machine's own.
    """

    name: str
    script: str
    package: str | None
    answers_by: str
    remark: str
    shell: str | None = None

    @property
    def path(self) -> Path:
        """Its job."""
        return JOBS / self.script


PEERS = (
    Peer(
        "labgrid 26.0.1, QEMUDriver + ShellDriver",
        "labgrid_shell.py",
        "labgrid==26.0.1",
        "console",
        f"{COLD_ONLY}; needs no network and no agent in the guest, but a shell on its console",
    ),
    Peer(
        "labgrid 26.0.1, QEMUDriver + SSHDriver",
        "labgrid_ssh.py",
        "labgrid==26.0.1",
        "SSH",
        f"{COLD_ONLY}; as in its example of networking: by the console it learns the guest's "
        "address, then it forwards a port to that",
    ),
    Peer(
        "QEMU 7.2's Python, QEMUMachine + QemuGuestAgentClient",
        "qemu_machine.py",
        None,
        "guest agent",
        f"{COLD_ONLY} of its own (QMP can do it by hand); waits for no guest, so the job has its "
        "agent client ask once and wait",
    ),
    Peer(
        "avocado-vt 113.0, qemu_vm.VM",
        "avocado_vm.py",
        "avocado-framework-plugin-vt==113.0",
        "SSH",
        f"{COLD_ONLY} shared between VMs (it can save and load one VM); used by its class, "
        "without the runner around it; with bash as /bin/sh as on Fedora, since with Debian's "
        "dash a question of its to QEMU ends only by its limit of 10 s; its first try of SSH is a "
        "patient one from the start, which QEMU's user network answers late",
        "/bin/bash",
    ),
)


def install(peer: Peer, place: Path) -> str:
    """Install a peer in an environment of its own below `place`; return its Python.

    :raises RuntimeError: it cannot be had.
    """
    if peer.package is None:
        return sys.executable
    environment = place / peer.package.replace("==", "-")
    python = str(environment / "bin/python")
    if not (environment / "ready").exists():
        _run([sys.executable, "-m", "venv", "--clear", str(environment)])
        _run([python, "-m", "pip", "install", "--quiet", "--no-input", peer.package])
        (environment / "ready").touch()
    return python


def fetch_qemu_python(place: Path) -> str:
    """Take QEMU's Python packages out of Debian's source of it; return their directory.

    :raises RuntimeError: it cannot be had.
    """
    target = place / "qemu-source"
    if not (target / "ready").exists():
        _run([str(Path(__file__).with_name("fetch-qemu-python")), str(target)])
        (target / "ready").touch()
    return str(target / "python")


def place_of_peers() -> Path:
    """Return the directory that all of it lies in, outside the tree."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(os.environ.get("DTSVIRT_CACHE") or f"{home}/dtsvirt", "peers")


def _run(argv: list[str]) -> None:
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        said = lines[-1] if lines else f"exit code {done.returncode}"
        raise RuntimeError(f"'{' '.join(argv[:4])} ...' failed: {said}")
