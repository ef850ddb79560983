"""Quoting: what is quoted is read back as it was, by this project's grammar and by a shell.

An input is a list of values, parted by 0xFF, which no UTF-8 text holds.
"""

from __future__ import annotations

import re
import shlex
from contextlib import suppress

from DtsVirtLibrary.config import entries_from_value
from DtsVirtLibrary.config.grammar import quote
from DtsVirtLibrary.config.option_types import WORDS
from DtsVirtLibrary.config.values import parse_settings
from DtsVirtLibrary.errors import ConfigError
from DtsVirtLibrary.qemu.command_line.build import CommandLine, shell_text
from DtsVirtLibrary.qemu.command_line.options import text
from DtsVirtLibrary.spec import Origin

HERE = Origin("test")
CONTINUED = "\\\n"
PART = re.compile(r"""'[^']*'|"[^"]*"|\\\n|[^'"\\]+|\\""")


def values_of(data: bytes) -> list[str]:
    """Return the values of an input."""
    return [part.decode("utf-8", "replace") for part in data.split(b"\xff")]


def quote_and_read(data: bytes) -> None:
    """Quote the values in each way that there is and read them back."""
    values = values_of(data)
    for value in values:
        _in_the_grammar(value)
    _in_a_shell([value.replace("\0", "") for value in values])
    _as_settings(values)


def _in_the_grammar(value: str) -> None:
    # A value of the grammar ends with its line.
    one_line = "".join(value.replace("\0", "").splitlines())
    written = f"user={quote(one_line)},password={quote(one_line)};"
    (entry,) = entries_from_value("login", written, HERE)
    assert dict(entry.options) == {"user": one_line, "password": one_line}, written


def _in_a_shell(values: list[str]) -> None:
    options = [text("-append", value) for value in values]
    line = CommandLine("/usr/bin/qemu", tuple(options), directory="/run/it's")
    written = shell_text(line)
    # A backslash outside of quotes joins two lines; shlex does not know that.
    joined = "".join(part for part in PART.findall(written) if part != CONTINUED)
    assert shlex.split(joined) == ["mkdir", "-p", "-m", "700", "/run/it's", *line.argv], written
    joined = WORDS.join(["a", *values])
    assert WORDS.parse(joined) == ("a", *values), joined


def _as_settings(values: list[str]) -> None:
    given = {f"name{number}": value for number, value in enumerate(values)}
    with suppress(ConfigError):
        device = {"driver": "vhost-user", "opt_path": "s", "opt_settings": given}
        (entry,) = entries_from_value("device", device, HERE)
        written = entry.options["opt_settings"]
        assert isinstance(written, str)
        stripped = {name: value.strip() for name, value in given.items()}
        assert dict(parse_settings(written)) == stripped, written
