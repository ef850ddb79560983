"""``dtsvirt template``: what is stored, and removing it."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from DtsVirtLibrary.cli.main import main
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.qemu.templates.store import PLACE_VARIABLE, TemplateStore
from utest.qemu.test_template import saved

KEYS = ("0123456789abcdef01234567", "89abcdef0123456789abcdef")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "templates"
    monkeypatch.setenv(PLACE_VARIABLE, str(directory))
    return directory


def save_templates() -> None:
    async def save() -> None:
        host = LocalHost()
        for key in KEYS:
            await saved(TemplateStore(host), key, 2_000_000)
        await host.close()

    asyncio.run(save())


def test_each_is_listed_with_size_age_and_place(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_templates()
    assert main(["template", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 * len(KEYS)
    key = lines[0][:24]
    assert key in KEYS
    assert re.fullmatch(
        rf"{key}: words \(QEMU 7\.2\.22, 2 MB, saved \d{{4}}-\d\d-\d\d \d\d:\d\d\)", lines[0]
    )
    assert lines[1] == f"  {place}/{key}"


def test_those_that_are_named_are_removed(capsys: pytest.CaptureFixture[str]) -> None:
    save_templates()
    assert main(["template", "remove", KEYS[0], "beef"]) == 1
    assert capsys.readouterr().out == "there is no template beef; see: dtsvirt template list\n"
    assert main(["template", "clean"]) == 0
    assert capsys.readouterr().out == "removed 1 templates\n"
    assert main(["template", "list"]) == 0
    assert capsys.readouterr().out == "no templates\n"


def test_a_key_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["template", "remove"])
    assert ended.value.code == 2
    assert "dtsvirt template remove [-h] KEY [KEY ...]" in capsys.readouterr().err
