"""Passwords that a configuration names."""

from __future__ import annotations

from pathlib import Path

import pytest

from DtsVirtLibrary.errors import ConfigError, SecurityError
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.spec import Login, Origin, VmSpec, Vnc
from DtsVirtLibrary.vm.passwords import with_passwords

HOST = LocalHost()


def spec(password: str) -> VmSpec:
    return VmSpec("vm0", login=Login(password=password, origin=Origin("a.cfg", 3)))


async def test_a_password_stands_in_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUEST_PASSWORD", "it's = secret")
    found = await with_passwords(HOST, spec("env:GUEST_PASSWORD"))
    assert found.login.password == "it's = secret"
    assert "secret" not in repr(found)


@pytest.mark.parametrize("value", [None, ""])
async def test_a_variable_that_is_not_there_is_told(
    value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GUEST_PASSWORD", raising=False)
    if value is not None:
        monkeypatch.setenv("GUEST_PASSWORD", value)
    with pytest.raises(ConfigError) as caught:
        await with_passwords(HOST, spec("env:GUEST_PASSWORD"))
    assert str(caught.value).startswith(
        "a.cfg:3: VM 'vm0': login: password=env:GUEST_PASSWORD: there is no environment variable"
    )


async def test_a_password_is_the_first_line_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("secret \nother\n")
    path.chmod(0o600)
    assert (await with_passwords(HOST, spec(f"file:{path}"))).login.password == "secret "


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
async def test_a_file_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "password"
    path.write_text("secret\n")
    path.chmod(mode)
    with pytest.raises(SecurityError, match=f"has mode {mode:04o}. Set it right: chmod 600") as e:
        await with_passwords(HOST, spec(f"file:{path}"))
    assert "secret" not in str(e.value)


async def test_a_file_that_is_not_there_or_empty_is_told(tmp_path: Path) -> None:
    path = tmp_path / "password"
    with pytest.raises(ConfigError, match="there is no such file"):
        await with_passwords(HOST, spec(f"file:{path}"))
    path.write_text("\nsecret\n")
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="the first line of the file is empty"):
        await with_passwords(HOST, spec(f"file:{path}"))


async def test_a_display_has_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    named = VmSpec("vm0", vnc=Vnc(password="env:SCREEN"))
    monkeypatch.setenv("SCREEN", "12345678")
    found = (await with_passwords(HOST, named)).vnc
    assert found is not None
    assert found.password == "12345678"
    monkeypatch.setenv("SCREEN", "123456789")
    with pytest.raises(ConfigError, match="VNC takes 8 characters, and that one has more"):
        await with_passwords(HOST, named)


async def test_other_passwords_stay() -> None:
    assert await with_passwords(HOST, spec("tester")) == spec("tester")
