"""No value changes the shape of a command line, and a shell reads it as it is."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from DtsVirtLibrary.errors import ConfigError
from DtsVirtLibrary.qemu.command_line.build import CommandLine, command_line, shell_text
from DtsVirtLibrary.qemu.command_line.host_facts import HostFacts
from DtsVirtLibrary.qemu.command_line.options import text
from DtsVirtLibrary.qemu.command_line.placement import Descriptor, Placement
from DtsVirtLibrary.spec import Boot, Disk, Nic, OtherDevice, TapBackend, VhostUserBackend, VmSpec
from reliability.fuzz.options import MAKERS, write_and_read
from utest.qemu.test_cmdline_golden import FACTS
from utest.qemu.test_options import parsed

# Far above what any example takes, so that no slow machine fails.
PATIENT = settings(
    deadline=10_000, derandomize=True, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
PLACEMENT = Placement("/run/vm0", Descriptor(10), Descriptor(11))
# What means something to QEMU's options, its human monitor, JSON, or a shell.
MARKS = [",", ",,", "=", "id=x", ",addr=1f", "-S", "--", " ", "\n", "\t", "%", "%s", '"', "'", "\\"]
MARKS += ["$HOME", "$(id)", "`id`", ";", "|", "&", "*", "~", "#", "!", "{", "}", "[", "]", "ä", "€"]
HOSTILE = (
    st.lists(
        st.one_of(
            st.sampled_from(MARKS),
            st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=3),
        ),
        min_size=1,
        max_size=8,
    )
    .map("".join)
    .filter(bool)
)

# Each puts a value where QEMU takes any text.
PLACES: dict[str, Callable[[str], VmSpec]] = {
    "disk": lambda value: VmSpec("vm0", disks=(Disk(f"/d/{value}"),)),
    "overlay": lambda value: VmSpec("vm0", disks=(Disk(f"/d/{value}", overlay=True),)),
    "kernel": lambda value: VmSpec("vm0", boot=Boot(kernel=value, initrd=value, append=value)),
    "guest": lambda value: VmSpec("vm0", boot=Boot(guest="default", append=value)),
    "firmware": lambda value: VmSpec("vm0", boot=Boot(pflash=(f"/d/{value}",))),
    "pid file": lambda value: VmSpec("vm0", pid_file=value),
    "monitor": lambda value: VmSpec("vm0", monitor_path=value),
    "serial number": lambda value: VmSpec(
        "vm0", devices=(OtherDevice("nvme", {"serial": value}, id="d"),)
    ),
    "script": lambda value: VmSpec(
        "vm0", devices=(Nic("e1000", TapBackend("t0", script=f"/d/{value}")),)
    ),
    "socket": lambda value: VmSpec(
        "vm0", devices=(Nic("virtio-net-pci", VhostUserBackend(value)),)
    ),
}


def read(spec: VmSpec) -> list[list[str]]:
    """Return the options of a VM as QEMU reads them, and the commands that go before it."""
    line = made(spec)
    options = [
        [option.name, *(option.words[1:] if option.pairs is None else parsed(option.words[1]))]
        for option in line.options
    ]
    return options + [list(words) for words in line.preparations]


def made(spec: VmSpec) -> CommandLine:
    return command_line(spec, FACTS["7.2"], HostFacts(), PLACEMENT)


@pytest.mark.fault(13)
@pytest.mark.parametrize("place", PLACES)
@PATIENT
@given(value=HOSTILE)
@example(value=",id=x,addr=1f")
@example(value="-daemonize")
@example(value="\n-S")
def test_a_value_arrives_as_it_is_and_changes_nothing_else(place: str, value: str) -> None:
    plain = read(PLACES[place]("plain"))
    expected = [[word.replace("plain", value) for word in words] for words in plain]
    assert expected != plain
    assert read(PLACES[place](value)) == expected


@pytest.mark.fault(13)
@PATIENT
@given(st.lists(HOSTILE, min_size=1, max_size=4), st.integers(0, len(MAKERS) - 1))
def test_what_qemu_reads_is_what_was_meant(values: Sequence[str], place: int) -> None:
    write_and_read(bytes([place]) + b"\xff".join(value.encode() for value in values))


@PATIENT
@given(st.lists(HOSTILE, min_size=1, max_size=5))
def test_a_shell_reads_every_word_as_it_is(values: list[str]) -> None:
    assert in_a_shell([text("-append", value).words for value in values]) == [
        word for value in values for word in ("-append", value)
    ]


def in_a_shell(options: Sequence[tuple[str, ...]]) -> list[str]:
    """Return the words that a real shell makes of the text for pasting."""
    line = CommandLine("show", tuple(text(name, value) for name, value in options), directory="/")
    script = 'show() { printf "%s\\0" "$@"; }\n' + shell_text(line)
    done = subprocess.run(["sh", "-c", script], stdout=subprocess.PIPE, check=True)
    return done.stdout.decode().split("\0")[:-1]


def test_the_values_of_the_places_are_cycled() -> None:
    word = cycle(["a", "b"]).__next__
    assert MAKERS[0](word).boot == Boot(kernel="a", initrd="b", append="a")


def test_a_name_that_is_no_key_is_refused() -> None:
    spec = VmSpec("vm0", devices=(OtherDevice("nvme", {"serial,id=x": "1"}, id="d"),))
    with pytest.raises(ConfigError):
        made(spec)


def test_the_directory_of_the_start_may_have_any_name(tmp_path: Path) -> None:
    directory = tmp_path / "it's, a $HOME\n`id`"
    line = CommandLine("true", (), directory=str(directory))
    subprocess.run(["sh", "-ec", shell_text(line)], check=True)
    assert directory.stat().st_mode & 0o777 == 0o700
