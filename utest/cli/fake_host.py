"""A host of recorded answers, for what cannot be provoked on the machine of the tests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from DtsVirtLibrary.cli.package_checks import known_debian_packages
from DtsVirtLibrary.errors import HostError, SecurityError
from DtsVirtLibrary.host.protocol import Completed, FileKind, FileStatus, HostPath

GIBIBYTE = 1024**3
SEVEN = {"qemu": {"major": 7, "minor": 2, "micro": 22}, "package": "Debian 1:7.2"}
CPU_WITH_KVM = "processor : 0\nflags\t\t: fpu vmx sse\n"
POOL = "/sys/kernel/mm/hugepages/hugepages-2048kB"
NODE_POOL = "/sys/devices/system/node/node0/hugepages/hugepages-2048kB"
ROOT_CAPABILITIES = "Name:\tcat\nCapEff:\t000001ffffffffff\n"
USER_CAPABILITIES = "Name:\tcat\nCapEff:\t0000000000000000\n"


def pool_files(directory: str, total: int, free: int) -> dict[str, str]:
    """Return the files of a hugepage pool."""
    return {
        f"{directory}/nr_hugepages": f"{total}\n",
        f"{directory}/free_hugepages": f"{free}\n",
        f"{directory}/surplus_hugepages": "0\n",
        f"{directory}/resv_hugepages": "0\n",
        f"{directory}/nr_overcommit_hugepages": "0\n",
    }


@dataclass
class FakeHost:
    """A good machine; a test takes away what it is about.

    :ivar versions: QMP version answers by path of the QEMU binary.
    :ivar installed: Debian packages and their versions.
    :ivar closed: paths that this user may not open.
    """

    versions: dict[str, Any] = field(default_factory=lambda: {"/usr/bin/qemu-system-x86_64": SEVEN})
    programs: dict[str, str] = field(
        default_factory=lambda: {
            "qemu-system-x86_64": "/usr/bin/qemu-system-x86_64",
            "dpkg-query": "/usr/bin/dpkg-query",
        }
    )
    installed: dict[str, str] = field(
        default_factory=lambda: {package.name: "1.0" for package in known_debian_packages()}
    )
    variables: dict[str, str] = field(default_factory=lambda: {"HOME": "/home/ada"})
    files: dict[str, str] = field(
        default_factory=lambda: {
            "/proc/cpuinfo": CPU_WITH_KVM,
            "/proc/self/status": ROOT_CAPABILITIES,
            "/proc/meminfo": "MemTotal: 1 kB\nHugepagesize:    2048 kB\n",
            "/proc/mounts": "hugetlbfs /dev/hugepages hugetlbfs rw,pagesize=2M 0 0\n",
            "/sys/class/net/lo/flags": "0x9\n",
            "/etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
            **pool_files(POOL, 64, 60),
            **pool_files(NODE_POOL, 64, 60),
        }
    )
    devices: set[str] = field(
        default_factory=lambda: {"/dev/kvm", "/dev/net/tun", "/dev/vhost-net", "/dev/vfio/vfio"}
    )
    closed: set[str] = field(default_factory=set)
    directories: dict[str, list[str]] = field(
        default_factory=lambda: {"/sys/kernel/iommu_groups": ["0", "1"], "/home": ["ada"]}
    )
    uid: int = 0
    free: int = 50 * GIBIBYTE
    kvm_starts: bool = True
    private_error: str = ""
    name: str = "fakehost"

    async def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        stdin: bytes | None = None,
        environment: Mapping[str, str] | None = None,
        directory: HostPath | None = None,
        check: bool = True,
    ) -> Completed:
        program = argv[0]
        if program in self.versions:
            return self._qemu(argv, stdin or b"")
        if program == "dpkg-query":
            lines = [f"installed {name} {version}" for name, version in self.installed.items()]
            return Completed(tuple(argv), 1, "\n".join(lines) + "\n", "")
        if program == "test":
            return Completed(tuple(argv), int(argv[-1] in self.closed), "", "")
        if program == "sh":
            return Completed(tuple(argv), int(any(path in argv[2] for path in self.closed)), "", "")
        raise AssertionError(f"the fake host has no answer to {argv}")

    def _qemu(self, argv: Sequence[str], stdin: bytes) -> Completed:
        if "kvm" in argv and not self.kvm_starts:
            return Completed(tuple(argv), 1, "", "qemu: error: failed to set MSR 0x10a\n")
        lines = [json.dumps({"QMP": {"version": self.versions[argv[0]]}})]
        for line in stdin.decode().splitlines():
            command = json.loads(line)["execute"]
            answer = self.versions[argv[0]] if command == "query-version" else []
            lines.append(json.dumps({"return": answer}))
        return Completed(tuple(argv), 0, "\n".join(lines) + "\n", "")

    async def which(self, program: str) -> str | None:
        return program if program in self.versions else self.programs.get(program)

    async def environment(self, variable: str) -> str | None:
        return self.variables.get(variable)

    async def user_id(self) -> int:
        return self.uid

    async def status(self, path: HostPath, *, follow: bool = True) -> FileStatus | None:
        text = str(path)
        if text in self.devices:
            return FileStatus(FileKind.CHARACTER_DEVICE, 0, 0o660, 0, 1)
        if text in self.files or text in self.versions:
            return FileStatus(FileKind.FILE, 1, 0o755, 0, 1)
        if text == "/" or text in self._all_directories():
            return FileStatus(FileKind.DIRECTORY, 1, 0o755, 0, 1)
        return None

    async def real_path(self, path: HostPath) -> str:
        return str(path)

    def _all_directories(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {path: set(names) for path, names in self.directories.items()}
        for path in [*self.files, *self.devices, *self.versions]:
            while path != "/":
                parent, _, name = path.rpartition("/")
                found.setdefault(parent or "/", set()).add(name)
                path = parent or "/"
        return found

    async def list_directory(self, path: HostPath) -> list[str]:
        return sorted(self._all_directories().get(str(path), ()))

    async def read_text(self, path: HostPath) -> str:
        if str(path) not in self.files:
            raise HostError(f"{path} cannot be read")
        return self.files[str(path)]

    async def write_bytes(self, path: HostPath, data: bytes, *, mode: int = 0o600) -> None:
        self.files[str(path)] = data.decode()

    async def make_directory(self, path: HostPath, *, mode: int = 0o755) -> None:
        self.directories.setdefault(str(path), [])

    async def private_directory(self, purpose: str) -> str:
        if self.private_error:
            raise SecurityError(self.private_error)
        return "/run/user/0/dtsvirt-abc"

    async def remove(self, path: HostPath) -> None:
        self.files.pop(str(path), None)

    async def free_space(self, path: HostPath) -> int:
        return self.free
