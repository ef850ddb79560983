"""Lets another user of the host try to get at a VM, and tells what came of it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import paramiko  # type: ignore[import-untyped]
from robot.api import logger
from robot.api.deco import keyword, library

sys.path.insert(0, str(Path(__file__).parents[1] / "resources"))
from InnerRuns import DATA, ROOT, InnerRun

SCRIPT = Path(__file__).with_name("intruder.py")
# Of the system, so that every user may run it.
PYTHON = "/usr/bin/python3"
LISTENING = "0A"
SECONDS = 60
GUESSES = ("", "root", "tester", "password", "toor", "vm0", "dtsvirt", "guest", "debian", "admin")


@library(scope="SUITE", auto_keywords=False, listener="SELF")
class Intruders:
    """The attempts of :mod:`intruder`, as another user; guesses at ports; runs of other users."""

    ROBOT_LISTENER_API_VERSION = 3

    def __init__(self) -> None:
        self._homes: list[Path] = []
        self._runs: list[InnerRun] = []

    def end_suite(self, data: object, result: object) -> None:
        """End the runs of other users that a failed test left, and remove their homes."""
        for run in self._runs:
            run._process.kill()
            run._process.wait()
            run.runtime.rmdir()
        self._runs.clear()
        for home in self._homes:
            if home.is_symlink():
                home.unlink()
            else:
                shutil.rmtree(home, ignore_errors=True)
        self._homes.clear()

    @keyword
    def files_of_vm(self, pid: int, *directories: str) -> dict[str, list[str]]:
        """Returns all that a VM has on the host: what is in the directories, its processes."""
        found: dict[str, list[str]] = {"directories": [], "files": [], "sockets": []}
        for directory in directories:
            for path in [Path(directory), *Path(directory).rglob("*")]:
                _sort_in(path, found)
        supervisor = _parent(int(pid))
        found["processes"] = [str(number) for number in (pid, supervisor, _parent(supervisor))]
        found["secrets"] = []
        return found

    @keyword
    def try_as_user(
        self, user: int, facts: dict[str, list[str]], *secrets: str, gentle: bool = False
    ) -> dict[str, str]:
        """Tries everything as a user and returns what worked, by its name.

        Fails if nothing was tried. ``gentle`` leaves out what would end the VM.
        """
        given = {**facts, "secrets": list(secrets), "gentle": gentle}
        rights = ["--reuid", str(user), "--regid", str(user), "--clear-groups"]
        completed = subprocess.run(
            ["setpriv", *rights, "--", PYTHON, "-I", "-"],
            input=_program(given),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            cwd="/",
            env={},
        )
        if completed.returncode != 0:
            raise AssertionError(f"The intruder failed: {completed.stderr}")
        told = json.loads(completed.stdout)
        logger.info("\n".join(f"{told['worked'].get(name, '-')}: {name}" for name in told["tried"]))
        if len(told["tried"]) < 50:
            raise AssertionError(f"Only these were tried: {told['tried']}")
        return dict(told["worked"])

    @keyword
    def start_run_as_user(
        self, user: int, kernel: str, variable: str, *suites: str
    ) -> tuple[InnerRun, Path]:
        """Starts suites of ``_data`` in a run of an ordinary user; returns it and its home.

        The embedded guest, which is found by its ``kernel``, is in the home already.
        """
        home = Path(tempfile.mkdtemp(prefix="home", dir="/tmp"))
        self._homes.append(home)
        recipe = Path(kernel).parent.parent
        shutil.copytree(recipe, home / ".cache/dtsvirt/guest" / recipe.parent.name / recipe.name)
        (home / "runtime").mkdir(mode=0o700)
        (home / "out").mkdir()
        for path in [home, *home.rglob("*")]:
            os.chown(path, int(user), int(user))
        needed = [sys.prefix, sys.base_prefix, str(ROOT), *os.environ.get("PYTHONPATH", "").split()]
        opened = ["unshare", "--mount", sys.executable, str(SCRIPT.with_name("as_user.py"))]
        robot = [sys.executable, "-m", "robot", "--loglevel", "DEBUG", "--variable", variable]
        robot += ["--outputdir", str(home / "out"), *(str(DATA / suite) for suite in suites)]
        environment = {
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(home / "runtime"),
            "DTSVIRT_CACHE": "",
            # Another place than the usual one could be another user's.
            "DTSVIRT_TEMPLATES": "",
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "yes",
        }
        argv = [*opened, str(user), *needed, "--", *robot]
        self._runs.append(InnerRun(argv, home / "out", environment))
        return self._runs[-1], home

    @keyword
    def plant_traps(self, user: int, owner: int) -> str:
        """Puts a link of another user where templates of ``owner`` can be expected.

        Returns the directory that it leads to, in which everybody may write.
        """
        link = Path(f"/dev/shm/dtsvirt-{owner}")
        victim = Path(tempfile.mkdtemp(prefix="victim", dir="/tmp"))
        (victim / "precious").write_text("precious")
        victim.chmod(0o777)
        link.symlink_to(victim)
        os.lchown(link, int(user), int(user))
        self._homes += [link, victim]
        return str(victim)

    @keyword
    def guess_passwords(self, host: str, port: int, *more: str) -> list[str]:
        """Returns the passwords that root is let in by over SSH, of those that come to mind."""
        return [word for word in (*GUESSES, *more) if _lets_in(host, int(port), word)]

    @keyword
    def get_vnc_security_types(self, host: str, port: int) -> list[int]:
        """Returns how a VNC server wants its viewers to prove themselves; 1 is not at all."""
        with socket.create_connection((host, int(port)), timeout=SECONDS) as server:
            server.sendall(server.recv(12))
            number = server.recv(1)[0]
            return list(server.recv(number))

    @keyword
    def get_abstract_sockets(self, pid: int) -> list[str]:
        """Returns the names without a file by which a process has UNIX sockets: for everybody."""
        inodes = _sockets(int(pid))
        rows = [line.split() for line in Path(f"/proc/{pid}/net/unix").read_text().splitlines()]
        return [row[7] for row in rows if len(row) > 7 and row[6] in inodes and row[7][0] == "@"]

    @keyword
    def get_listening_addresses(self, pid: int) -> list[str]:
        """Returns where a process listens for TCP and UDP, as the kernel writes it."""
        inodes = _sockets(int(pid))
        rows = [
            line.split()
            for name in ("tcp", "tcp6", "udp", "udp6")
            for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]
        ]
        return [row[1] for row in rows if row[9] in inodes and row[3] in (LISTENING, "07")]


def _sockets(pid: int) -> set[str]:
    """Return the inodes of a process's sockets, and the names of its other descriptors."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            inodes.add(os.readlink(descriptor).removeprefix("socket:[").rstrip("]"))
    return inodes


def _program(facts: dict[str, object]) -> str:
    """Return the script with its facts: another user may not read the file itself."""
    text = SCRIPT.read_text(encoding="utf-8")
    given = json.dumps(json.dumps(facts))
    return text.replace("json.load(sys.stdin)", f"json.loads({given})")


def _sort_in(path: Path, found: dict[str, list[str]]) -> None:
    kind = path.lstat().st_mode
    if stat.S_ISDIR(kind):
        found["directories"].append(str(path))
    elif stat.S_ISSOCK(kind):
        found["sockets"].append(str(path))
    else:
        found["files"].append(str(path))


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _lets_in(host: str, port: int, password: str) -> bool:
    transport = paramiko.Transport((host, port))
    try:
        transport.banner_timeout = transport.auth_timeout = SECONDS
        transport.start_client(timeout=SECONDS)
        ways: Iterable[str] = ()
        with contextlib.suppress(paramiko.AuthenticationException):
            if password:
                ways = transport.auth_password("root", password)
            else:
                ways = transport.auth_none("root")
        return transport.is_authenticated() and not ways
    finally:
        transport.close()
