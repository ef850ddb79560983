"""A program on a terminal of ours: it has it as its own, and we see its end."""

from __future__ import annotations

import os
import select

import pytest

from DtsVirtLibrary.errors import CommandError, HostError
from DtsVirtLibrary.host import terminal as terminal_module
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.host.protocol import Spawn
from DtsVirtLibrary.host.terminal import Terminal
from utest.host.supervised import QUIET, within

SHOW = "ps -o tty= -p $$; tty; stty size"


def read_all(terminal: Terminal) -> str:
    """Read until nobody has the other end any more."""
    data = b""
    while True:
        select.select([terminal], [], [], 30)
        piece = terminal.read()
        if piece is None:
            return data.decode()
        data += piece


async def test_terminal_is_all_three_and_controls(host: LocalHost) -> None:
    terminal = Terminal()
    process = await host.spawn(
        Spawn(["sh", "-c", SHOW], QUIET, QUIET, terminal=terminal.hand_over())
    )
    assert await within(process.wait()) == 0
    controlling, own, size = read_all(terminal).split("\r\n")[:3]
    assert f"/dev/{controlling.strip()}" == own
    assert size == "50 1000"
    terminal.close()


async def test_our_copy_of_its_end_is_closed(host: LocalHost) -> None:
    terminal = Terminal()
    theirs = terminal.hand_over()
    await host.spawn(Spawn(["true"], QUIET, QUIET, terminal=theirs))
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(theirs)
    terminal.close()


async def test_our_copy_is_closed_if_it_does_not_start(host: LocalHost) -> None:
    terminal = Terminal()
    theirs = terminal.hand_over()
    with pytest.raises(CommandError):
        await host.spawn(Spawn(["/nothing/here"], QUIET, QUIET, terminal=theirs))
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(theirs)
    terminal.close()


async def test_what_is_typed_arrives(host: LocalHost) -> None:
    terminal = Terminal()
    argv = ["sh", "-c", "read -r line; echo got $line"]
    process = await host.spawn(Spawn(argv, QUIET, QUIET, terminal=terminal.hand_over()))
    terminal.write(b"this\n")
    await within(process.wait())
    assert "got this" in read_all(terminal)
    terminal.close()
    terminal.close()
    terminal.write(b"nothing happens\n")


def test_program_that_never_reads_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal_module, "WRITE_TIMEOUT", 0.1)
    terminal = Terminal()
    with pytest.raises(HostError, match="has read nothing of its terminal"):
        terminal.write(b"line\n" * 100_000)
    terminal.close()


def test_nothing_new_is_not_the_end() -> None:
    terminal = Terminal()
    assert terminal.read() == b""
    os.close(terminal.hand_over())
    assert terminal.read() is None
    terminal.close()
