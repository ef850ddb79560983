"""What the table of parameters is made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from DtsVirtLibrary.config.option_types import OptionType

PREFIX = "opt_"
# The QEMU versions that utest/qemu/ starts with the arguments of an option.
TRIED = "7.2, 10.0"
NEEDS_KVM = f"TCG: {TRIED}; KVM: text only"
NEEDS_VFIO = "text only: needs an IOMMU"
NEEDS_VHOST_NET = "text only: needs /dev/vhost-net"


class Status(Enum):
    """Where a parameter or option comes from."""

    SEED = "seed"  # the 2015 description of the framework
    LATER = "later"  # DTS added it afterwards
    NEW = "new"  # DTS never had it


@dataclass(frozen=True)
class Option:
    """An option of a parameter.

    :ivar default: text that is read as if it had been written; None for none.
    :ivar remark: what the documentation says besides, such as a default that depends.
    :ivar qemu: the QEMU arguments that it makes, for the documentation.
    :ivar empty: text that an option without a value stands for; None refuses it.
    :ivar secret: its value is never shown.
    :ivar refused: why this library does not take it, although DTS did.
    :ivar tried: QEMU versions that were started with it, or why none was.
    """

    name: str
    type: OptionType
    doc: str
    status: Status = Status.SEED
    default: str | None = None
    remark: str = ""
    qemu: str = ""
    required: bool = False
    aliases: tuple[str, ...] = ()
    empty: str | None = None
    secret: bool = False
    refused: str = ""
    tried: str = TRIED

    @property
    def spellings(self) -> tuple[str, ...]:
        """Every name it goes by: ``opt_mac`` is ``mac`` too."""
        names = (self.name, *self.aliases)
        return tuple(dict.fromkeys((*names, *(name.removeprefix(PREFIX) for name in names))))


@dataclass(frozen=True)
class OptionSet:
    """The options that go together.

    :ivar extra: what further options mean, for those that take any; empty refuses them.
    """

    options: tuple[Option, ...]
    extra: str = ""

    def find(self, spelling: str) -> Option | None:
        """Return the option that goes by this name, None for an unknown one."""
        return next((item for item in self.options if spelling in item.spellings), None)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the options, refused ones left out."""
        return tuple(option.name for option in self.options if not option.refused)

    @property
    def has_secrets(self) -> bool:
        """Whether the value of one of the options must never be shown."""
        return any(option.secret for option in self.options)


@dataclass(frozen=True)
class Variant(OptionSet):
    """One of the kinds a parameter's entries come in, such as ``type=tap`` of ``net``.

    :ivar name: value of the option that chooses it.
    :ivar tried: QEMU versions that were started with it, or why none was.
    """

    name: str = ""
    doc: str = ""
    status: Status = Status.SEED
    aliases: tuple[str, ...] = ()
    qemu: str = ""
    remark: str = ""
    tried: str = TRIED


@dataclass(frozen=True)
class Parameter(OptionSet):
    """A parameter of a VM.

    :ivar main: option that a value without a name belongs to: ``mem = 4096``.
    :ivar repeatable: it may have several entries.
    :ivar selector: option whose value chooses the variant; empty if there are none.
    :ivar other: variant of every value of the selector that is not in `variants`.
    :ivar refused: why this library does not take it, although DTS did.
    """

    name: str = ""
    doc: str = ""
    status: Status = Status.SEED
    main: str | None = None
    repeatable: bool = False
    selector: str = ""
    variants: tuple[Variant, ...] = ()
    other: Variant | None = None
    qemu: str = ""
    remark: str = ""
    refused: str = ""

    @property
    def option_sets(self) -> Iterator[OptionSet]:
        """Every set of options that an entry may have."""
        yield self
        yield from self.variants
        if self.other:
            yield self.other

    def find_anywhere(self, spelling: str) -> Option | None:
        """Return an option of any variant that goes by this name."""
        found = (options.find(spelling) for options in self.option_sets)
        return next((option for option in found if option), None)

    def variant(self, name: str) -> Variant | None:
        """Return the variant chosen by this value of the selector, None for an unknown one."""
        for variant in self.variants:
            if name in (variant.name, *variant.aliases):
                return variant
        return self.other
