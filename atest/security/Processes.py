"""What the kernel tells of a process: its rights, and what it has from its parents."""

from __future__ import annotations

import os
import re
from pathlib import Path

from robot.api.deco import keyword, library

# Where descriptors of QEMU may lead, besides its own directory; the last is a template's.
OWN = r"socket:|anon_inode:|/memfd:|/dev/(null|kvm|zero)$|pipe:|/.*/memory$"


@library(scope="GLOBAL", auto_keywords=False)
class Processes:
    """Looks into /proc."""

    @keyword
    def get_process_status(self, pid: int) -> dict[str, str]:
        """Returns the lines of /proc/PID/status by their names."""
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return {name: text.strip() for name, _, text in (line.partition(":") for line in lines)}

    @keyword
    def get_directory_of_vm(self, pid: int) -> str:
        """Returns the private directory of a QEMU."""
        command = Path(f"/proc/{pid}/cmdline").read_text()
        found = re.search(r"path=([^,\0]*)/serial\.", command)
        assert found is not None, command
        return found[1]

    @keyword
    def get_names_in_environment(self, pid: int) -> list[str]:
        """Returns the names of a process's variables, sorted."""
        items = Path(f"/proc/{pid}/environ").read_text().split("\0")
        return sorted(item.partition("=")[0] for item in items if item)

    @keyword
    def get_foreign_descriptors(self, pid: int, directory: str) -> list[str]:
        """Returns where descriptors lead that a QEMU should not have: of this run, or elsewhere."""
        theirs = _descriptors(pid)
        assert len(theirs) > 5, theirs
        ours = {target for target in _descriptors(os.getpid()) if target.startswith("pipe:")}
        allowed = re.compile(f"{OWN}|{re.escape(directory)}/")
        return [target for target in theirs if target in ours or not allowed.match(target)]

    @keyword
    def get_flags_of_memory(self, pid: int, mebibytes: int) -> list[str]:
        """Returns the kernel's marks of the process's one mapping of that size."""
        parts = Path(f"/proc/{pid}/smaps").read_text().split("VmFlags:")
        size = re.compile(rf"^Size: +{int(mebibytes) * 1024} kB", re.MULTILINE)
        (index,) = (number for number, part in enumerate(parts) if size.search(part))
        return parts[index + 1].splitlines()[0].split()

    @keyword
    def get_modes_for_others(self, directory: str) -> list[str]:
        """Returns the rights that group and others have on a directory and all in it."""
        paths = [Path(directory), *Path(directory).rglob("*")]
        assert len(paths) > 2, paths
        return sorted({oct(path.lstat().st_mode & 0o077) for path in paths})


def _descriptors(pid: int) -> list[str]:
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(os.readlink(link))
        except OSError:
            continue  # the one by which it was listed
    return found
