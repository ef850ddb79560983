"""Where a new system is installed from: what the machine's apt says, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.guest.disk import sources
from DtsVirtLibrary.guest.disk.sources import parse_codename, parse_targets, transport_options
from DtsVirtLibrary.host.local import LocalHost

TARGETS = """\
http://mirror.example/debian/|bookworm|main|Debian
http://mirror.example/debian/|bookworm|contrib|Debian
http://mirror.example/debian/|bookworm-updates|main|Debian
http://mirror.example/security/|bookworm-security|main|Debian
http://mirror.example/debian/|bookworm-backports|main|Debian Backports
http://other.example/apt/|bookworm|main|Somebody Else
http://mirror.example/debian/|trixie|main|Debian
http://mirror.example/debian/|bookworm|main|Debian
"""


def test_only_debians_own_repositories_of_the_release_are_taken() -> None:
    assert parse_targets(TARGETS, "bookworm") == (
        "deb http://mirror.example/debian/ bookworm main",
        "deb http://mirror.example/debian/ bookworm-updates main",
        "deb http://mirror.example/security/ bookworm-security main",
    )


def test_a_machine_that_never_fetched_its_lists_does_not_know_origins() -> None:
    line = "http://mirror.example/debian/|bookworm|main|$(ORIGIN)\n"
    assert parse_targets(line, "bookworm") == ("deb http://mirror.example/debian/ bookworm main",)


async def test_a_machine_without_package_lists_still_says_where_debian_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lists").mkdir()
    config = tmp_path / "apt.conf"
    config.write_text(
        f'Dir::State::lists "{tmp_path}/lists";\n'
        f'Dir::Etc::sourcelist "{tmp_path}/sources.list";\n'
        'Dir::Etc::sourceparts "-";\n'
    )
    (tmp_path / "sources.list").write_text("deb http://mirror.example/debian bookworm main\n")
    # The builder's commands see little of this environment, so apt is told by a program of ours.
    apt = tmp_path / "apt-get"
    apt.write_text(f'#!/bin/sh\nAPT_CONFIG={config} exec /usr/bin/apt-get "$@"\n')
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    release = tmp_path / "os-release"
    release.write_text("ID=debian\nVERSION_CODENAME=bookworm\n")
    monkeypatch.setattr(sources, "OS_RELEASE", str(release))
    host = LocalHost()

    found = await sources.machine_sources(host)

    assert found.codename == "bookworm"
    assert found.lines == ("deb http://mirror.example/debian/ bookworm main",)
    await host.close()


def test_the_way_to_the_mirror_is_kept() -> None:
    dump = (
        'APT::Architecture "amd64";\n'
        'Acquire::http "";\n'
        'Acquire::http::Proxy "http://proxy.example:3128";\n'
        'Acquire::https::CaInfo "";\n'
        'Acquire::Check-Valid-Until "false";\n'
        'Acquire::Languages:: "none";\n'
    )
    assert transport_options(dump) == (
        'Acquire::http::Proxy "http://proxy.example:3128";',
        'Acquire::Check-Valid-Until "false";',
    )


def test_the_release_is_that_of_the_machine() -> None:
    assert parse_codename('ID=debian\nVERSION_CODENAME=bookworm\nNAME="Debian"\n') == "bookworm"


@pytest.mark.parametrize(
    "os_release",
    ['ID=fedora\nPRETTY_NAME="Fedora 40"\n', 'ID=debian\nPRETTY_NAME="Fedora 40"\n'],
)
def test_another_system_is_told_what_to_do(os_release: str) -> None:
    with pytest.raises(HostError, match=r"this is Fedora 40\. Build it on a Debian machine"):
        parse_codename(os_release)
