"""Configuration files: each VM in them is read, or refused with a ConfigError."""

from __future__ import annotations

from contextlib import suppress

# The product imports it when the first YAML file is read, too late to be instrumented.
import DtsVirtLibrary.config.yaml_file  # noqa: F401
from DtsVirtLibrary.config import ConfigFile, Parameters, build_spec, load_file
from DtsVirtLibrary.errors import ConfigError


def read_cfg(data: bytes) -> None:
    """Read a .cfg file and build every VM of it."""
    _read("a.cfg", data)


def read_yaml(data: bytes) -> None:
    """Read a YAML file and build every VM of it."""
    _read("a.yaml", data)


def _read(path: str, data: bytes) -> None:
    try:
        file = load_file(path, data)
    except ConfigError as error:
        _check(path, error)
        return
    # A document that is one VM has no names.
    for name in file.names or ("vm0",):
        try:
            _build(file, name)
        except ConfigError as error:
            _check(path, error)
    with suppress(ConfigError):
        _ = file.defaults


def _build(file: ConfigFile, name: str) -> None:
    parameters: Parameters = file.section(name)
    build_spec("vm0", parameters)


def _check(path: str, error: ConfigError) -> None:
    text = str(error)
    text.encode()
    assert text.startswith(path), text
