"""Where the machine's own apt gets Debian from, for a system that is made beside it."""

from __future__ import annotations

from dataclasses import dataclass

from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.guest.image.packages import PROXY_VARIABLES
from DtsVirtLibrary.host.protocol import Host

QUERY_TIMEOUT = 60.0
OS_RELEASE = "/etc/os-release"
COMPONENT = "main"
# What the machine's apt is told about its way to the mirror holds for the new system's too.
TRANSPORT_OPTIONS = ("Acquire::http::", "Acquire::https::", "Acquire::ftp::", "Acquire::Check-")
TARGET_FIELDS = ("REPO_URI", "RELEASE", "COMPONENT", "ORIGIN")
NO_RELEASE_INFO = "--option=APT::Get::IndexTargets::ReleaseInfo=false"
UNKNOWN_ORIGIN = "$(ORIGIN)"


@dataclass(frozen=True)
class AptSources:
    """A release and how to get it.

    :ivar codename: ``bookworm``.
    :ivar lines: lines for sources.list.
    :ivar options: lines for apt.conf.
    """

    codename: str
    lines: tuple[str, ...]
    options: tuple[str, ...]


async def machine_sources(host: Host) -> AptSources:
    """Return the sources of the Debian release that `host` itself runs.

    :raises HostError: it is no Debian, or its apt knows no source of that release.
    """
    for program in ("apt-get", "apt-config"):
        if await host.which(program) is None:
            raise HostError(
                f"The guest on disk is installed from Debian packages, and {host.name} has no"
                f" {program}. Build it on a Debian machine and copy the image."
            )
    codename = parse_codename(await host.read_text(OS_RELEASE))
    # The second answer is for machines that have no package lists: it knows no origins.
    lines = await _targets(host, codename) or await _targets(host, codename, NO_RELEASE_INFO)
    if not lines:
        raise HostError(
            f"apt on {host.name} has no source of Debian's {codename}, from which the guest on"
            " disk is installed. Add it to /etc/apt/sources.list."
        )
    settings = await host.run(["apt-config", "dump"], timeout=QUERY_TIMEOUT)
    return AptSources(codename, lines, transport_options(settings.stdout))


async def _targets(host: Host, codename: str, *options: str) -> tuple[str, ...]:
    wanted = "|".join(f"$({name})" for name in TARGET_FIELDS)
    listed = await host.run(
        ["apt-get", *options, "indextargets", "--format", wanted, "Created-By: Packages"],
        timeout=QUERY_TIMEOUT,
    )
    return parse_targets(listed.stdout, codename)


async def proxies(host: Host) -> dict[str, str]:
    """Return the variables of the environment that name proxies."""
    names = (*PROXY_VARIABLES, *(name.upper() for name in PROXY_VARIABLES))
    values = {name: await host.environment(name) for name in names}
    return {name: value for name, value in values.items() if value}


def parse_codename(os_release: str) -> str:
    """Return the codename of the Debian that an os-release file describes.

    :raises HostError: it describes none.
    """
    values = dict(line.split("=", 1) for line in os_release.splitlines() if "=" in line)
    codename = values.get("VERSION_CODENAME", "").strip("\"'")
    if values.get("ID", "").strip("\"'") != "debian" or not codename:
        found = values.get("PRETTY_NAME", "unknown").strip("\"'")
        raise HostError(
            f"The guest on disk is built on Debian only; this is {found}. Build it on a Debian"
            " machine (a container will do) and copy the image."
        )
    return codename


def parse_targets(text: str, codename: str) -> tuple[str, ...]:
    """Return the lines for sources.list of Debian's own repositories of a release.

    The origin of a repository is known once its lists were fetched; one of another origin
    is left out, and one of a release that is not `codename` or an update of it.
    """
    releases = {codename, f"{codename}-updates", f"{codename}-security"}
    lines = []
    for line in text.splitlines():
        uri, release, component, origin = line.split("|")
        ours = origin in ("Debian", "", UNKNOWN_ORIGIN)
        if ours and component == COMPONENT and release in releases:
            lines.append(f"deb {uri} {release} {component}")
    return tuple(dict.fromkeys(lines))


def transport_options(dump: str) -> tuple[str, ...]:
    """Return those lines of ``apt-config dump`` that say how repositories are reached."""
    return tuple(
        line
        for line in dump.splitlines()
        if line.startswith(TRANSPORT_OPTIONS) and not line.endswith(' "";')
    )
