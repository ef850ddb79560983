"""Passwords that the configuration names and does not hold: ``env:NAME``, ``file:PATH``."""

from __future__ import annotations

from dataclasses import replace

from DtsVirtLibrary.config.values import VNC_PASSWORD_LENGTH
from DtsVirtLibrary.errors import ConfigError, SecurityError
from DtsVirtLibrary.host.protocol import FileKind, Host
from DtsVirtLibrary.spec import VmSpec
from DtsVirtLibrary.vm.conflicts import where

VARIABLE = "env:"
FILE = "file:"


async def with_passwords(host: Host, spec: VmSpec) -> VmSpec:
    """Return the specification with the passwords that it names.

    :raises ConfigError: the variable or the file of a password is not there, or empty.
    :raises SecurityError: others may read the file, or it belongs to somebody else.
    """
    login, vnc = spec.login, spec.vnc
    place = where(spec.name, login.origin)
    login = replace(login, password=await _password(host, login.password, f"{place}: login"))
    if vnc is not None:
        password = await _password(host, vnc.password, f"{where(spec.name, vnc.origin)}: vnc")
        if len(password or "") > VNC_PASSWORD_LENGTH:
            raise ConfigError(
                f"{where(spec.name, vnc.origin)}: vnc: password={vnc.password}: VNC takes "
                f"{VNC_PASSWORD_LENGTH} characters, and that one has more."
            )
        vnc = replace(vnc, password=password)
    return replace(spec, login=login, vnc=vnc)


async def _password(host: Host, text: str | None, place: str) -> str | None:
    if text is not None and text.startswith(VARIABLE):
        name = text.removeprefix(VARIABLE)
        found = await host.environment(name)
        if not found:
            raise ConfigError(
                f"{place}: password={text}: there is no environment variable '{name}', or it is "
                "empty. Set it for the run."
            )
        return found
    if text is not None and text.startswith(FILE):
        return await _first_line(host, text.removeprefix(FILE), f"{place}: password={text}")
    return text


async def _first_line(host: Host, path: str, place: str) -> str:
    status = await host.status(path)
    if status is None or status.kind is not FileKind.FILE:
        raise ConfigError(
            f"{place}: there is no such file (looked at {await host.real_path(path)})."
        )
    if status.uid != await host.user_id() or status.mode & 0o077:
        raise SecurityError(
            f"{place}: the file must be yours and for nobody else to read; it belongs to user "
            f"{status.uid} and has mode {status.mode & 0o777:04o}. Set it right: chmod 600 {path}."
        )
    lines = (await host.read_text(path)).splitlines()
    if not lines or not lines[0]:
        raise ConfigError(f"{place}: the first line of the file is empty.")
    return lines[0]
