"""Where the cache directory is."""

from __future__ import annotations

from typing import cast

import pytest
from fake_host import FakeHost

from DtsVirtLibrary.cache import cache_directory
from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.host.protocol import Host


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


async def test_a_user_without_a_home_is_told_what_to_set() -> None:
    host = FakeHost(variables={}, uid=4711)
    with pytest.raises(HostError, match="user 4711 has no home directory") as caught:
        await cache_directory(cast(Host, host))
    assert "DTSVIRT_CACHE" in str(caught.value)
