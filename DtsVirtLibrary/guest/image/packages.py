"""Gets Debian packages through apt, as any user, and leaves the machine as it was.

apt verifies the chain of signatures down to each package; what then lies on the disk is
compared once more with the index. The machine's package lists are used where they are
there and good; else lists of our own are fetched into the working directory.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from DtsVirtLibrary.errors import Evidence, HostError
from DtsVirtLibrary.guest.workshop import Progress, megabytes
from DtsVirtLibrary.host.protocol import Completed, Host
from DtsVirtLibrary.printable import printable

QUERY_TIMEOUT = 60.0
UPDATE_TIMEOUT = 300.0
DOWNLOAD_TIMEOUT = 900.0
UNPACK_TIMEOUT = 300.0
LIBRARIES = "libs"
PROXY_VARIABLES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy")


@dataclass(frozen=True)
class Package:
    """One version of a package, as apt's verified index names it; `size` in bytes."""

    name: str
    version: str
    section: str
    size: int
    sha256: str
    depends: tuple[str, ...]


class PackageSource:
    """The packages that apt offers on a host.

    :param directory: working directory of our own; everything fetched goes below it.
    """

    def __init__(self, host: Host, directory: str, progress: Progress) -> None:
        self._host = host
        self._directory = directory
        self._progress = progress
        self._options: list[str] = ["-o", f"Dir::Cache={directory}/apt-cache"]

    async def prepare(self) -> None:
        """Check that apt is there.

        :raises HostError: it is not.
        """
        for program in ("apt-get", "apt-cache", "dpkg-deb"):
            if await self._host.which(program) is None:
                raise HostError(
                    f"The guest is built from Debian packages, and {self._host.name} has no"
                    f" {program}. Build it on a Debian machine (dtsvirt guest build) and copy its"
                    " cache directory, or give the VM a kernel or a disk image of your own."
                )
        await self._host.make_directory(f"{self._directory}/apt-cache/archives/partial")

    async def use_own_lists(self) -> list[str]:
        """Fetch package lists into the working directory, from the machine's sources.

        Return apt's complaints, the last three.

        :raises HostError: apt could not run; a source that fails is noticed later, when a
            package is missing.
        """
        state = f"{self._directory}/apt-state"
        await self._host.make_directory(f"{state}/lists/partial")
        await self._host.write_bytes(f"{state}/status", b"")
        self._options += ["-o", f"Dir::State={state}", "-o", f"Dir::State::status={state}/status"]
        self._progress("fetching package lists")
        completed = await self._apt(
            "apt-get",
            "update",
            "-o",
            "Acquire::Languages=none",
            timeout=UPDATE_TIMEOUT,
            check=False,
        )
        return printable(completed.stderr).splitlines()[-3:]

    async def show(self, names: Sequence[str]) -> list[Package]:
        """Return the version that apt would install of each package, in the order given.

        :raises HostError: a package is not known.
        """
        known = await self._known(names)
        missing = [name for name in names if name not in known]
        if missing:
            raise HostError(f"apt knows no package {', '.join(missing)}.")
        return [known[name] for name in names]

    async def with_libraries(self, names: Sequence[str]) -> list[Package]:
        """Return the packages and the library packages that they need, sorted by name.

        Programs that a package depends on (perl, dpkg) serve its installation only.

        :raises HostError: a package is not known.
        """
        kept = {package.name: package for package in await self.show(names)}
        asked = set(names)
        while wanted := sorted({name for one in kept.values() for name in one.depends} - asked):
            asked.update(wanted)
            known = await self._known(wanted)
            kept |= {name: one for name, one in known.items() if one.section == LIBRARIES}
        return [kept[name] for name in sorted(kept)]

    async def download(self, packages: Sequence[Package]) -> list[str]:
        """Download packages and return their files, in the order given.

        :raises HostError: one cannot be had, or is not what the index says.
        """
        directory = f"{self._directory}/packages"
        await self._host.make_directory(directory)
        total = sum(package.size for package in packages)
        self._progress(f"downloading {len(packages)} packages ({megabytes(total)})")
        await self._apt(
            "apt-get",
            "download",
            *(f"{package.name}={package.version}" for package in packages),
            timeout=DOWNLOAD_TIMEOUT,
            directory=directory,
        )
        names = await self._host.list_directory(directory)
        paths = []
        for package in packages:
            matches = [name for name in names if name.startswith(f"{package.name}_")]
            if len(matches) != 1:
                raise HostError(f"apt-get download left no file for {package.name}.")
            paths.append(f"{directory}/{matches[0]}")
        await self._verify(packages, paths)
        return paths

    async def unpack(self, paths: Iterable[str], root: str) -> None:
        """Unpack package files into `root`."""
        await self._host.make_directory(root)
        for path in paths:
            await self._host.run(["dpkg-deb", "-x", path, root], timeout=UNPACK_TIMEOUT)
            await self._host.remove(path)

    async def _known(self, names: Sequence[str]) -> dict[str, Package]:
        shown = await self._apt("apt-cache", "show", "--no-all-versions", *names, check=False)
        return {package.name: package for package in parse_index(shown.stdout)}

    async def _verify(self, packages: Sequence[Package], paths: Sequence[str]) -> None:
        completed = await self._host.run(["sha256sum", *paths], timeout=QUERY_TIMEOUT)
        digests = [line.split()[0].lstrip("\\") for line in completed.stdout.splitlines()]
        for package, path, digest in zip(packages, paths, digests, strict=True):
            status = await self._host.status(path)
            if digest != package.sha256 or status is None or status.size != package.size:
                raise HostError(
                    f"The downloaded {package.name} {package.version} is not what the package"
                    " index says; it was not used. Try again, or check the mirror or proxy.",
                    Evidence(facts=[f"SHA256 expected: {package.sha256}", f"found: {digest}"]),
                )

    async def _apt(
        self,
        program: str,
        *arguments: str,
        timeout: float = QUERY_TIMEOUT,
        directory: str | None = None,
        check: bool = True,
    ) -> Completed:
        environment = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
        for variable in (*PROXY_VARIABLES, *(name.upper() for name in PROXY_VARIABLES)):
            value = await self._host.environment(variable)
            if value:
                environment[variable] = value
        return await self._host.run(
            [program, *self._options, *arguments],
            timeout=timeout,
            directory=directory,
            environment=environment,
            check=check,
        )


def parse_index(text: str) -> list[Package]:
    """Return the packages in the stanzas of an apt index."""
    packages = []
    for stanza in text.split("\n\n"):
        fields = dict(
            line.split(": ", 1)
            for line in stanza.splitlines()
            if ": " in line and not line.startswith(" ")
        )
        if "Package" in fields and "SHA256" in fields:
            depends = [fields.get("Pre-Depends", ""), fields.get("Depends", "")]
            packages.append(
                Package(
                    name=fields["Package"],
                    version=fields["Version"],
                    section=fields.get("Section", "").rsplit("/", 1)[-1],
                    size=int(fields["Size"]),
                    sha256=fields["SHA256"],
                    depends=dependency_names(", ".join(filter(None, depends))),
                )
            )
    return packages


def dependency_names(text: str) -> tuple[str, ...]:
    """Return the names in a Depends field, of alternatives the first."""
    relations = (relation.split("|")[0].split("(")[0] for relation in text.split(","))
    return tuple(relation.strip().split(":")[0] for relation in relations if relation.strip())


def unavailable(host: Host, error: HostError, complaints: Sequence[str]) -> HostError:
    """Return the error for packages that could not be had, with what helps."""
    remedy = (
        "Needed: a Debian machine that reaches its package mirror. Try `apt-get update`; behind"
        " a proxy set http_proxy. Without network, copy the cache directory of a machine where"
        " `dtsvirt guest build` ran."
    )
    return HostError(
        f"The packages of the guest cannot be had on {host.name}: {error.summary}",
        Evidence(facts=[*error.evidence.facts, *complaints, remedy]),
    )
