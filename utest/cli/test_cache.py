"""Where the cache directory is."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
from fake_host import FakeHost

from DtsVirtLibrary.cache import cache_directory
from DtsVirtLibrary.errors import HostError, SecurityError
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.host.protocol import FileKind, FileStatus, Host, HostPath


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"DTSVIRT_CACHE": "/big", "XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/big"),
        ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/dtsvirt"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/h"}, "/h/.cache/dtsvirt"),
        ({"DTSVIRT_CACHE": "", "XDG_CACHE_HOME": "", "HOME": "/h"}, "/h/.cache/dtsvirt"),
        ({}, "/root/.cache/dtsvirt"),
    ],
)
async def test_the_first_that_is_set_counts(variables: dict[str, str], expected: str) -> None:
    host = FakeHost(variables=variables)
    assert await cache_directory(cast(Host, host)) == expected


@pytest.mark.parametrize(
    ("place", "mode", "problem"),
    [
        ("cache", 0o777, "everybody may write to '{}/cache' (mode 0777)"),
        ("cache", 0o1777, "everybody may write to '{}/cache' (mode 1777)"),
        (".", 0o777, "everybody may write to '{}' (mode 0777)"),
    ],
)
async def test_a_cache_that_others_may_write_to_is_refused(
    place: str, mode: int, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / place).chmod(mode)
    monkeypatch.setenv("DTSVIRT_CACHE", str(tmp_path / "cache"))
    with pytest.raises(SecurityError) as caught:
        await cache_directory(LocalHost())
    assert problem.format(tmp_path) in str(caught.value)


class ForeignHost(FakeHost):
    """A host where /big belongs to user 4712."""

    async def status(self, path: HostPath, *, follow: bool = True) -> FileStatus | None:
        if str(path) == "/big":
            return FileStatus(FileKind.DIRECTORY, 1, 0o755, 4712, 1)
        return await super().status(path, follow=follow)


async def test_a_cache_of_another_user_is_refused() -> None:
    host = ForeignHost(variables={"DTSVIRT_CACHE": "/big/cache"}, uid=4711)
    with pytest.raises(SecurityError, match="not safe: '/big' belongs to user 4712, and kernels"):
        await cache_directory(cast(Host, host))


async def test_a_cache_in_a_directory_for_all_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").mkdir()
    tmp_path.chmod(0o1777)
    monkeypatch.setenv("DTSVIRT_CACHE", str(tmp_path / "cache/new"))
    assert await cache_directory(LocalHost()) == str(tmp_path / "cache/new")


async def test_a_user_without_a_home_is_told_what_to_set() -> None:
    host = FakeHost(variables={}, uid=4711)
    with pytest.raises(HostError, match="user 4711 has no home directory") as caught:
        await cache_directory(cast(Host, host))
    assert "DTSVIRT_CACHE" in str(caught.value)
