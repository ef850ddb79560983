"""Options that are not the tester's to give, and options that QEMU has no longer."""

from __future__ import annotations

import re

from DtsVirtLibrary.qemu.command_line.plan import Plan
from DtsVirtLibrary.qemu.command_line.properties import check_driver
from DtsVirtLibrary.qemu.command_line.raw_options import RawOption

Version = tuple[int, int]

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
    "runas": "give the parameter run_as",
    "name": "the VM's name is that of its section",
    "accel": "give the parameter enable_kvm, or the library's argument accelerator",
    "enable-kvm": "give the parameter enable_kvm, or the library's argument accelerator",
    "machine": "give the parameter machine",
    "M": "give the parameter machine",
    "cpu": "give the parameter cpu (model)",
    "smp": "give the parameter cpu (number)",
    "m": "give the parameter mem (size)",
    "incoming": "give the parameter migration",
    # Where no hugetlbfs is mounted, it would make a file of the memory's size.
    "mem-path": "give the parameter mem with hugepage=yes, which finds the hugetlbfs",
    "mem-prealloc": "give the parameter mem with hugepage=yes, which does that",
}
# Options that QEMU has no longer: since which version, and what does the same.
_REMOVED: dict[str, tuple[Version, str]] = {
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
# Parts of options that are gone, likewise: the option, what its value then holds, ...
_REMOVED_VALUES: tuple[tuple[str, str, Version, str], ...] = (
    (
        "net",
        r"(^|,)vlan=",
        (3, 0),
        "the parameter net, whose entries with the same opt_vlan are connected",
    ),
    ("net", r"^(dump|channel)\b", (2, 12), "-object filter-dump, or a -chardev"),
    ("net", r"^(nic|user|tap).*,name=", (5, 1), "id in the place of name"),
    ("drive", r"(^|,)serial=", (3, 0), "if=none, and serial with the -device"),
    ("drive", r"(^|,)addr=", (3, 0), "if=none, and addr with the -device"),
    ("numa", r"(^|,)mem=", (5, 2), "memdev, with a memory-backend-ram -object"),
)


def check_option(plan: Plan, option: RawOption) -> None:
    """Check one raw option.

    :raises ConfigError: it is none, would break the library's hold, or is gone from QEMU.
    """
    if not option.name:
        # Two dashes and nothing behind them have no value either.
        word = option.values[0] if option.values else "--"
        raise plan.refusal(None, f"usercmd: '{word}' is no option; one begins with a dash")
    if option.name in _HELD:
        raise plan.refusal(
            None, f"usercmd: option '-{option.name}' is not taken: {_HELD[option.name]}"
        )
    if option.name in _REMOVED:
        _refuse_removed(plan, f"-{option.name}", *_REMOVED[option.name])
    for name, pattern, since, successor in _REMOVED_VALUES:
        if option.name == name and any(re.search(pattern, value) for value in option.values):
            _refuse_removed(plan, f"-{name} {option.values[0]}", since, successor)
    if option.name == "device" and not option.first.startswith("{"):
        check_driver(plan, option.first.removeprefix("driver="), None)


def _refuse_removed(plan: Plan, words: str, since: Version, successor: str) -> None:
    if plan.binary.version < since:
        return
    raise plan.refusal(
        None,
        f"usercmd: QEMU {plan.binary.version_text} does not take '{words}' (removed in "
        f"{since[0]}.{since[1]}). Use {successor}.",
    )
