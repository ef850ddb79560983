"""Command lines: no value can become an option, or a key of one.

An input is a list of values, parted by 0xFF, which stand where a tester's text may stand.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

from DtsVirtLibrary.errors import ConfigError
from DtsVirtLibrary.qemu.binary.facts import from_json
from DtsVirtLibrary.qemu.command_line.build import CommandLine, HostFacts, command_line
from DtsVirtLibrary.qemu.command_line.options import Option
from DtsVirtLibrary.qemu.command_line.placement import Descriptor, Placement
from DtsVirtLibrary.qemu.hotplug.qmp_options import add_command, remove_command
from DtsVirtLibrary.spec import (
    NOTHING,
    Boot,
    Cpu,
    CryptoDevice,
    Device,
    Disk,
    HostForward,
    HostPciDevice,
    Incoming,
    Nic,
    OtherDevice,
    TapBackend,
    UserBackend,
    VhostUserBackend,
    VmSpec,
    Vnc,
)
from reliability.fuzz.quoting import values_of

FACTS = Path(__file__).parents[2] / "utest" / "qemu" / "facts"
OLDER, NEWER = (from_json((FACTS / f"qemu-{name}.json").read_text()) for name in ("7.2", "10.0"))
# Since 10.2 a character device has only reconnect-ms.
CHARDEV = {"chardev": NEWER.options["chardev"] - {"reconnect"}}
BINARIES = (OLDER, NEWER, replace(NEWER, options={**NEWER.options, **CHARDEV}))
PLACES = Placement("/run/it's, a", Descriptor(10), Descriptor(11), append="quiet")
HOST = HostFacts(vhost_net=True, working_directory="/home/it's, a")
ALL = b"\xff"
Word = Callable[[], str]
PLUGGABLE = ("-device", "-netdev", "-object", "-blockdev")


def write_and_read(data: bytes) -> None:
    """Make the command line of a VM that holds the values, and read it as QEMU does.

    The first byte says which VM; 0xFF stands for each of them in turn.
    """
    binary, values = BINARIES[len(data) % len(BINARIES)], values_of(data[1:])
    makers = MAKERS if data[:1] in (b"", ALL) else [MAKERS[data[0] % len(MAKERS)]]
    for make in makers:
        with suppress(ConfigError):
            line = command_line(make(cycle(values).__next__), binary, HOST, PLACES)
            _check(line)
            for option in line.options:
                if option.name in PLUGGABLE and not _is_raw(option):
                    json.dumps([add_command(option, binary).arguments], allow_nan=False)
                    remove_command(option)


def _is_raw(option: Option) -> bool:
    return option.pairs is None


def _check(line: CommandLine) -> None:
    assert line.argv[0] == line.binary
    words = list(line.argv[1:])
    for option in line.options:
        _take(words, option)
    assert not words, words
    for word in line.argv:
        assert "\0" not in word, word


def _take(words: list[str], option: Option) -> None:
    """Take an option from the front of the words and compare its keys and values."""
    assert words.pop(0) == option.name
    if option.pairs is None:
        assert option.first is None or words.pop(0) == option.first
        return
    read = _parted(words.pop(0))
    expected = [] if option.first is None else [option.first]
    expected += [f"{key}={value}" for key, value in option.pairs]
    assert read == expected, (read, expected)


def _parted(text: str) -> list[str]:
    """Part an option at its commas as QEMU does: two of them stand for one."""
    parts = text.replace(",,", "\0").split(",")
    return [part.replace("\0", ",") for part in parts]


def _nic(*, settings: Mapping[str, str] = NOTHING, **parts: Any) -> VmSpec:
    return _with(Nic("virtio-net-pci", settings=settings, **parts))


def _with(device: Device) -> VmSpec:
    return VmSpec("vm0", devices=(device,))


def _forwarded(word: Word) -> UserBackend:
    return UserBackend((HostForward(host_address=word(), guest_address=word()),))


# Each puts values at some of the places that a tester's text may come to.
MAKERS: Sequence[Callable[[Word], VmSpec]] = (
    lambda word: VmSpec("vm0", boot=Boot(kernel=word(), initrd=word(), append=word())),
    lambda word: VmSpec("vm0", boot=Boot(guest=word(), append=word()), pid_file=word()),
    lambda word: VmSpec("vm0", boot=Boot(pflash=(word(), word())), monitor_path=word()),
    lambda word: VmSpec("vm0", disks=(Disk(word(), word()), Disk(word(), overlay=True))),
    lambda word: VmSpec("vm0", disks=(Disk(word(), interface="none", id=word()),)),
    lambda word: VmSpec("vm0", machine=word()),
    lambda word: VmSpec("vm0", machine_options={"kernel_irqchip": word(), "firmware": word()}),
    lambda word: VmSpec("vm0", cpu=Cpu(model=word())),
    lambda word: VmSpec("vm0", cpu=Cpu(model=f"max,{word()}")),
    lambda word: VmSpec("vm0", vnc=Vnc(address=word())),
    lambda word: VmSpec("vm0", incoming=Incoming(word())),
    lambda word: VmSpec("vm0", user_commands=(word(), word(), word(), word(), word())),
    lambda word: VmSpec("vm0", user_commands=("-device", word(), "-chardev", word())),
    lambda word: VmSpec("vm0", user_commands=("-netdev", word(), "-monitor", word())),
    lambda word: _nic(backend=_forwarded(word), control=True),
    lambda word: _nic(backend=UserBackend(), id=word(), mac=word()),
    lambda word: _nic(backend=TapBackend(word(), script=word(), downscript=word())),
    lambda word: _nic(backend=TapBackend(vhost=True), bus=word(), address=word()),
    lambda word: _nic(backend=VhostUserBackend(word(), queues=2, reconnect_seconds=3)),
    lambda word: _nic(backend=VhostUserBackend("s"), settings={"host_mtu": word(), "mq": word()}),
    lambda word: _nic(backend=UserBackend(), settings={word(): word()}),
    lambda word: _with(HostPciDevice(word(), "pt_0", address=word())),
    lambda word: _with(CryptoDevice("crypto0", path=word())),
    lambda word: _with(OtherDevice("nvme", {"serial": word(), "drive": word()})),
    lambda word: _with(OtherDevice(word(), {word(): word()}, id="d")),
    lambda word: _with(OtherDevice("virtio-balloon-pci", {"acpi-index": word()})),
    lambda word: _with(OtherDevice("virtio-mem-pci", {"block-size": word()})),
)
