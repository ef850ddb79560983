"""Writes docs/parameters.md from the table: ``python -m DtsVirtLibrary.config.document``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from DtsVirtLibrary.config.channel_parameters import RETIRED_PARAMETERS
from DtsVirtLibrary.config.definitions import Option, OptionSet, Parameter, Variant
from DtsVirtLibrary.config.parameters import PARAMETERS

COLUMNS = (
    "parameter",
    "option",
    "meaning",
    "type",
    "default",
    "QEMU arguments",
    "tried with QEMU",
    "status",
    "remarks",
)

PREFACE = """\
# Parameters

Everything that a VM can be told, in a `.cfg` file, in YAML, as a named argument of `Create VM`
and by `Set VM Parameter`, `Add VM Device`, `Add VM Net` and `Add VM Disk`. This page is made from
the table that the library itself checks against (`python -m DtsVirtLibrary.config.document`).

Status: *seed* is in the description of the framework of 2015, *later* came to DTS afterwards,
*new* belongs to this library. The QEMU arguments are those of today. The tests in `utest/qemu/`
start the versions named beside them with these arguments; *text only* means that the arguments
are compared with reviewed text, because starting them needs what the machine had not.

## How a value is written

```ini
[vm0]                                  # the section is the VM
cpu = model=host,number=2,cpupin=24 25
mem =
    size=4096,hugepage=yes;            # indented lines belong to the parameter above
disk = file=/images/vm0.qcow2; file=/images/data.img,opt_format=raw
device =
    driver=vhost-user,opt_path=./vhost-net0,opt_settings="csum=off,gso=off";
    driver=vhost-user,opt_path=./vhost-net1;
```

- `,` separates the options of an entry, `;` separates entries. A line that another one follows
  ends with one of them. Only where the next line begins with the option that the entry begins
  with may it be left out.
- Blanks around names and values are trimmed, empty options and entries are dropped.
- A value that holds a comma, a semicolon, ` #` or a quote at its beginning is put in double or
  single quotes. Between them every character stands for itself; the quote itself is written twice
  or after a backslash, a backslash before another one or before the quote is written twice. A
  quote in the middle of a value is an ordinary character.
- In a value without quotes `%%` is `%`. A single `%` stands for itself; `%(name)s` is refused.
- A line that begins with `#` or `;` is a comment, and so is `#` after `;` or `,` up to the end of
  the line. ` #` elsewhere in a value without quotes is refused, because old files meant neither.
- An option that begins with `opt_` may be written without that: `mac` is `opt_mac`.
- A parameter with a main option takes its value alone: `mem = 4096` is `mem = size=4096`.
- yes, on, true and 1 mean the same, and so do no, off, false and 0.
- Names of parameters may be in capital letters, those of options not. An option, a parameter or a
  section that stands there twice is refused, and so is everything unknown.

In YAML and from Python and Robot Framework an entry is a mapping option -> value, or a text as
above; a parameter that may be repeated takes a list of them. Everything in YAML is text, so
`off`, `22:22` and `0000:04:00.0` need no quotes. Truth values become on and off, lists are joined
(`cpupin: [24, 25]`), `opt_settings` takes a mapping. Values in a mapping stand for themselves:
quotes and `%` have no meaning there.

## Files

- A file in YAML (`.yaml`, `.yml`) maps VMs to parameters; if its first level holds parameters, it
  is one VM, whatever its name. Every other file is a `.cfg`.
- `[DEFAULT]` gives its parameters to every VM of the file that has none of that name.
- `[KVM]` of a global file does the same for every VM; a VM's own parameter replaces it whole.
- `[suite]`, `[test_...]`, `[mount_info]`, `[scene]`, `[LIBVIRT]` and `[XEN]` are no VMs and are
  not read.
- Devices, networks and disks that a keyword added stay when a file is loaded later, and stand
  after those of the file.
"""

REFUSED = """\
## Not carried over

DTS had these; a file that holds one is refused with the reason.
"""


def document() -> str:
    """Return docs/parameters.md."""
    parts = [PREFACE, *(_parameter(parameter) for parameter in PARAMETERS), _refused()]
    return "\n".join(parts)


def _parameter(parameter: Parameter) -> str:
    rows = list(_rows(parameter.name, parameter))
    for variant in parameter.variants:
        name = f"{parameter.name} {parameter.selector}={variant.name}"
        rows += [_variant_row(name, variant), *_rows(name, variant)]
    if other := parameter.other:
        name = f"{parameter.name}, {other.name}"
        rows += [_variant_row(name, other), *_rows(name, other)]
    return "\n".join(
        [f"## {parameter.name}", "", _introduction(parameter), "", *_table(COLUMNS, rows), ""]
    )


def _introduction(parameter: Parameter) -> str:
    sentences = [parameter.doc]
    if parameter.repeatable:
        sentences.append("May have several entries.")
    if parameter.main:
        sentences.append(f"Main option: `{parameter.main}`.")
    if parameter.remark:
        sentences.append(f"{_capitalized(parameter.remark)}.")
    return " ".join(sentences)


def _rows(name: str, options: OptionSet) -> Iterator[tuple[str, ...]]:
    for option in options.options:
        if not option.refused:
            yield _option_row(name, option)
    if options.extra:
        yield (name, "any other", options.extra, "text", "", "", "", "new", "")


def _variant_row(name: str, variant: Variant) -> tuple[str, ...]:
    status = variant.status.value
    tried = _tried(variant)
    return (name, "", variant.doc, "", "", variant.qemu, tried, status, variant.remark)


def _option_row(name: str, option: Option) -> tuple[str, ...]:
    others = ", ".join(f"`{alias}`" for alias in option.aliases)
    remarks = [
        "must be given" if option.required else "",
        f"also {others}" if others else "",
        option.remark,
    ]
    return (
        name,
        f"`{option.name}`",
        option.doc,
        option.type.name.replace("|", "\\|"),
        option.default or "",
        option.qemu,
        _tried(option),
        option.status.value,
        "; ".join(remark for remark in remarks if remark),
    )


def _tried(item: Option | Variant) -> str:
    """Return the versions tried, nothing for what makes no argument."""
    return "" if item.qemu.startswith("none") or not item.qemu else item.tried


def _refused() -> str:
    rows = [(parameter.name, "", parameter.refused) for parameter in RETIRED_PARAMETERS]
    for parameter in PARAMETERS:
        rows += [
            (parameter.name, f"`{option.name}`", option.refused)
            for options in parameter.option_sets
            for option in options.options
            if option.refused
        ]
    return "\n".join([REFUSED, *_table(("parameter", "option", "why"), rows), ""])


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    names = list(columns)
    yield f"| {' | '.join(names)} |"
    yield f"|{'---|' * len(names)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _capitalized(text: str) -> str:
    return text[:1].upper() + text[1:]


if __name__ == "__main__":
    print(document(), end="")
