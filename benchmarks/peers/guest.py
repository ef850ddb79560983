"""The guest that all of them boot: the embedded one, with what single peers need in addition.

labgrid's shell driver needs a shell on the console, avocado-vt logs in with a password only.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from DtsVirtLibrary.guest.image.cpio import archive, file

# Root's password is "tester".
SHADOW = (
    "root:$6$peers$7CarL3d3bNx00nVYYJ0J2C30ilWJQjPLLsRKDcyEokYGpesuWf/54a6.wo.68XEm4NkiPQIU"
    "/Ye1mJADyI.WK.:19000:0:99999:7:::\n"
    "sshd:*:19000:0:99999:7:::\n"
    "nobody:*:19000:0:99999:7:::\n"
)
CONSOLE = "ttyS0::respawn:-/bin/bash\n"


def write_initramfs(embedded: Path, target: Path) -> None:
    """Write the embedded guest's initramfs with a password and a shell on the console."""
    files = resources.files("DtsVirtLibrary.guest.image") / "files"
    inittab = files.joinpath("inittab").read_text("utf-8") + CONSOLE
    addition = archive(
        {
            "etc/shadow": file(SHADOW.encode(), 0o600),
            "etc/inittab": file(inittab.encode()),
        }
    )
    target.write_bytes(embedded.read_bytes() + addition)
