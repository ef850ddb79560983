"""Hosts for tests, whose private directories lie in one that is removed after the test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from DtsVirtLibrary.host.local import LocalHost
from utest.host.supervised import within


@pytest.fixture(autouse=True)
def base(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The user's runtime directory of this test: ours alone, with a short path."""
    path = Path(tempfile.mkdtemp(dir="/tmp"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(path))
    yield path
    shutil.rmtree(path)


@pytest.fixture
async def host() -> AsyncIterator[LocalHost]:
    """A local host that is closed after the test."""
    local = LocalHost()
    yield local
    await within(local.close())
