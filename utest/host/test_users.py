"""Processes that run as another user, with files that this one may not open itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from DtsVirtLibrary.errors import CommandError
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.host.protocol import ProcessUser, Spawn
from utest.host.acting import need_root
from utest.host.supervised import QUIET, within

SOMEBODY = ProcessUser(47113, 47114, (47114, 47115))


async def test_a_process_has_the_rights_of_its_user_alone(host: LocalHost, tmp_path: Path) -> None:
    need_root()
    out = tmp_path / "out"
    process = await host.spawn(Spawn(["cat", "/proc/self/status"], out, QUIET, user=SOMEBODY))
    assert await within(process.wait()) == 0
    lines = dict(line.split(":", 1) for line in out.read_text().splitlines())
    assert set(lines["Uid"].split()) == {"47113"}
    assert set(lines["Gid"].split()) == {"47114"}
    assert lines["Groups"].split() == ["47114", "47115"]
    assert int(lines["CapEff"], 16) == int(lines["CapPrm"], 16) == 0


async def test_it_ends_with_the_runner_all_the_same(host: LocalHost) -> None:
    need_root()
    process = await host.spawn(Spawn(["sleep", "1000"], QUIET, QUIET, user=SOMEBODY))
    await host.close()
    assert await within(process.wait()) < 0


async def test_a_file_is_opened_before_the_rights_are_dropped(
    host: LocalHost, tmp_path: Path
) -> None:
    need_root()
    secret, out = tmp_path / "secret", tmp_path / "out"
    secret.write_text("for whom it is handed to")
    secret.chmod(0o600)
    spawn = Spawn(["sh", "-c", "cat <&7"], out, QUIET, files={7: secret}, user=SOMEBODY)
    process = await host.spawn(spawn)
    assert await within(process.wait()) == 0
    assert out.read_text() == "for whom it is handed to"


async def test_a_file_that_is_not_there_is_told(host: LocalHost, tmp_path: Path) -> None:
    spawn = Spawn(["true"], QUIET, QUIET, files={7: tmp_path / "none"})
    with pytest.raises(CommandError, match="a file that it inherits cannot be opened: No such"):
        await host.spawn(spawn)
