"""Raw arguments of the tester: looked through, so that none breaks the library's hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from DtsVirtLibrary.qemu.options import Option, text
from DtsVirtLibrary.qemu.plan import Plan
from DtsVirtLibrary.qemu.properties import check_driver

# Options that would take QEMU out of the library's hands, and what to write instead.
_HELD = {
    "daemonize": "the library keeps QEMU in the foreground, to end it in every case; leave it out",
    "pidfile": "give the parameter pid_file",
    "qmp": "the library owns the QMP monitor; give the parameter monitor for one of your own",
    "qmp-pretty": "the library owns the QMP monitor; give the parameter monitor",
    "S": "the library starts the CPUs itself; use Start VM and Pause VM",
    "preconfig": "the library starts the machine itself; leave it out",
    "nographic": "standard input and output are not a terminal; the serial console is in a log",
    "no-shutdown": "Stop VM waits for the end of QEMU; leave it out",
    "runas": "run the tests as that user",
    "name": "the VM's name is that of its section",
    "accel": "give the parameter enable_kvm, or the library's argument accelerator",
    "enable-kvm": "give the parameter enable_kvm, or the library's argument accelerator",
    "machine": "give the parameter machine",
    "M": "give the parameter machine",
    "cpu": "give the parameter cpu (model)",
    "smp": "give the parameter cpu (number)",
    "m": "give the parameter mem (size)",
    "incoming": "give the parameter migration",
}
# Options that QEMU has no longer: since which version, and what does the same.
_REMOVED: dict[str, tuple[tuple[int, int], str]] = {
    "nodefconfig": ((3, 1), "nothing: it is the default here"),
    "balloon": ((3, 1), "-device virtio-balloon-pci"),
    "redir": ((3, 1), "a net of type user with opt_hostfwd"),
    "tftp": ((3, 1), "-netdev user,id=...,tftp=DIRECTORY"),
    "bootp": ((3, 1), "-netdev user,id=...,bootfile=FILE"),
    "smb": ((3, 1), "-netdev user,id=...,smb=DIRECTORY"),
    "localtime": ((3, 1), "-rtc base=localtime"),
    "startdate": ((3, 1), "-rtc base=DATE"),
    "no-kvm": ((5, 2), "the parameter enable_kvm with enable=no"),
    "realtime": ((6, 0), "-overcommit mem-lock=on"),
    "tb-size": ((6, 0), "-accel tcg,tb-size=SIZE"),
    "show-cursor": ((6, 0), "-display sdl,show-cursor=on"),
    "sdl": ((7, 1), "-display sdl"),
    "curses": ((7, 1), "-display curses"),
    "soundhw": ((7, 1), "-device with the sound card, and -audiodev"),
    "writeconfig": ((7, 1), "a file written by hand for -readconfig"),
    "watchdog": ((7, 2), "-device with the watchdog"),
    "no-hpet": ((9, 0), "the machine option hpet=off"),
    "no-acpi": ((9, 0), "the machine option acpi=off"),
    "chroot": ((9, 0), "-run-with chroot=DIRECTORY"),
    "singlestep": ((9, 0), "-accel tcg,one-insn-per-tb=on"),
}
_MADE = ("device", "netdev", "object", "chardev", "blockdev", "drive")
_ID = re.compile(r"(?:^|,)(?:id|node-name)=([^,]+)")


@dataclass(frozen=True)
class RawOption:
    """An option as the tester wrote it: its name without dashes, and its values."""

    name: str
    values: tuple[str, ...] = ()


def raw_options(words: Sequence[str]) -> list[RawOption]:
    """Part the words into options; a word with a dash in front begins one."""
    options: list[RawOption] = []
    for word in words:
        if len(word) > 1 and word.startswith("-"):
            options.append(RawOption(word.removeprefix("-").removeprefix("-")))
        elif options:
            options[-1] = RawOption(options[-1].name, (*options[-1].values, word))
        else:
            options.append(RawOption("", (word,)))
    return options


def made_ids(words: Sequence[str], *kinds: str) -> list[str]:
    """Return the ids that the words give to devices, back ends and the like."""
    return [
        match
        for option in raw_options(words)
        if option.name in (kinds or _MADE)
        for value in option.values
        for match in _ID.findall(value)
    ]


def has_raw_option(words: Sequence[str], name: str) -> bool:
    """Tell whether the words hold an option of this name."""
    return any(option.name == name for option in raw_options(words))


def user_options(plan: Plan) -> Iterator[Option]:
    """Yield the tester's options, old spellings translated.

    :raises ConfigError: an option is not the tester's to give, or QEMU has it no longer.
    """
    for option in raw_options(plan.spec.user_commands):
        _check(plan, option)
        if not option.values:
            yield Option(f"-{option.name}")
        elif len(option.values) == 1:
            yield text(f"-{option.name}", _translated(plan, option.name, option.values[0]))
        else:
            raise plan.refusal(
                None,
                f"usercmd: option '-{option.name}' has the values {', '.join(option.values)}, "
                "and an option of QEMU takes one. Quote a value that holds blanks.",
            )


def _check(plan: Plan, option: RawOption) -> None:
    if not option.name:
        raise plan.refusal(
            None, f"usercmd: '{option.values[0]}' is no option; one begins with a dash"
        )
    if option.name in _HELD:
        raise plan.refusal(
            None, f"usercmd: option '-{option.name}' is not taken: {_HELD[option.name]}"
        )
    removed = _REMOVED.get(option.name)
    if removed is not None and plan.binary.version >= removed[0]:
        since = ".".join(str(part) for part in removed[0])
        raise plan.refusal(
            None,
            f"usercmd: QEMU {plan.binary.version_text} has no option '-{option.name}' (removed in "
            f"{since}). Use {removed[1]}.",
        )
    if option.name == "net" and any("vlan=" in value for value in option.values):
        raise plan.refusal(
            None,
            "usercmd: '-net' has no vlan since QEMU 3.0. Use the parameter net, whose entries "
            "with the same opt_vlan are connected, or -netdev and -device.",
        )
    if option.name == "device" and option.values and not option.values[0].startswith("{"):
        check_driver(plan, _driver(option.values[0]), None)


def _driver(value: str) -> str:
    return value.split(",")[0].removeprefix("driver=")


def _translated(plan: Plan, name: str, value: str) -> str:
    """Write short forms of old QEMUs out, and reconnect as this binary has it."""
    if value.startswith("{"):
        return value
    if name not in ("chardev", "monitor", "serial", "netdev", "parallel", "mon"):
        return value
    words = [_translated_word(plan, word) for word in value.split(",")]
    translated = ",".join(words)
    if translated != value:
        plan.note(f"usercmd: '-{name} {value}' is written {translated}")
    return translated


def _translated_word(plan: Plan, word: str) -> str:
    short = {"server": "server=on", "nowait": "wait=off", "vhostforce": "vhostforce=on"}
    if word in short:
        return short[word]
    key, _, number = word.partition("=")
    lacks = not plan.binary.has_option("chardev", "reconnect")
    if key == "reconnect" and number.isdigit() and lacks:
        return f"reconnect-ms={int(number) * 1000}"
    return word
