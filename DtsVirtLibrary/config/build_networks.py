"""Network cards from the entries of ``net``: pairs by opt_vlan, and the control card."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from DtsVirtLibrary.config.addresses import SSH_PORT
from DtsVirtLibrary.config.check import Checked
from DtsVirtLibrary.config.identifiers import Identifiers, explicit_id
from DtsVirtLibrary.config.problems import problem, shown
from DtsVirtLibrary.spec import (
    NOTHING,
    Backend,
    BridgeBackend,
    HostForward,
    Nic,
    TapBackend,
    UserBackend,
)

VIRTIO = "virtio-net-pci"
MODELS = {"virtio": VIRTIO}
DEFAULT_BRIDGE = "br0"
# The kernel's limit for the name of an interface.
LONGEST_INTERFACE = 15


def build_networks(
    entries: Sequence[Checked], default_model: str, identifiers: Identifiers, complete: bool
) -> tuple[Nic, ...]:
    """Return the cards in the order of their nic entries, the control card marked.

    Without entries there is the control card alone. Networks that were added to a VM
    without a `net` of its own stand beside that card, unless they bring a user network.

    :param default_model: model of the control card that is there by default.
    :param complete: refuse a card or back end without its counterpart, else leave it out.
    """
    kinds = [entry["type"] for entry in entries]
    if "none" in kinds:
        _expect_alone(entries)
        return ()
    nics = _mark_control(_pair(entries, complete))
    if all(entry.added for entry in entries) and "user" not in kinds:
        nics = [_default_control(default_model), *nics]
    return tuple(_with_id(nic, identifiers) for nic in nics)


def build_card(card: Checked, back_end: Checked) -> Nic:
    """Return one more card beside those that there are, with its back end."""
    (nic,) = _pair([card, back_end], complete=True)
    return nic


def tap_interface(name: str | None, entry: Checked) -> str | None:
    """Return the name of a tap interface, None if the library is to name it."""
    return None if name is None else _interface(name, entry)


def _interface(name: str, entry: Checked) -> str:
    """Return the name of an interface; ConfigError if the kernel takes no such name."""
    if len(name.encode()) > LONGEST_INTERFACE or "/" in name or name.split() != [name]:
        text = f"interface {shown(name)} is not allowed: 1 to 15 bytes without blanks and '/'"
        raise problem(entry.origin, None, text)
    return name


def _default_control(model: str) -> Nic:
    return Nic(driver=model, backend=UserBackend(forwards=(HostForward(),)), control=True)


def _pair(entries: Sequence[Checked], complete: bool) -> list[Nic]:
    cards = _by_vlan([entry for entry in entries if entry["type"] == "nic"], "nic")
    backends = _by_vlan([entry for entry in entries if entry["type"] != "nic"], "back end")
    if complete:
        _expect_counterparts(cards, backends, "back end (type=user, tap or bridge)")
        _expect_counterparts(backends, cards, "nic (type=nic)")
    return [
        _nic(card, _backend(backends[vlan])) for vlan, card in cards.items() if vlan in backends
    ]


def _nic(entry: Checked, backend: Backend) -> Nic:
    model = entry["opt_model"]
    return Nic(
        driver=MODELS.get(model, model),
        backend=backend,
        id=explicit_id(entry),
        mac=entry["opt_macaddr"],
        address=entry["opt_addr"],
        vectors=entry["opt_vectors"],
        settings=entry["opt_settings"] or NOTHING,
        origin=entry.origin,
    )


def _backend(entry: Checked) -> Backend:
    if entry["type"] == "user":
        return UserBackend(entry["opt_hostfwd"] or (), entry["opt_restrict"], entry.origin)
    if entry["type"] == "bridge":
        return BridgeBackend(_interface(entry["opt_br"] or DEFAULT_BRIDGE, entry), entry.origin)
    script = _script(entry["opt_script"])
    bridge = entry["opt_br"] or (None if script else DEFAULT_BRIDGE)
    return TapBackend(
        interface=tap_interface(entry["opt_ifname"], entry),
        bridge=_interface(bridge, entry) if bridge else None,
        script=script,
        downscript=_script(entry["opt_downscript"]),
        vhost=entry["opt_vhost"],
        origin=entry.origin,
    )


def _script(text: str | None) -> str | None:
    return None if text == "no" else text


def _mark_control(nics: list[Nic]) -> list[Nic]:
    """Mark the first card on a user network and see that SSH can come in by it."""
    for index, nic in enumerate(nics):
        if isinstance(nic.backend, UserBackend):
            nics[index] = replace(nic, control=True, backend=_with_ssh(nic.backend))
            break
    return nics


def _with_ssh(backend: UserBackend) -> UserBackend:
    if any(_leads_to_ssh(forward) for forward in backend.forwards):
        return backend
    return replace(backend, forwards=(*backend.forwards, HostForward()))


def _leads_to_ssh(forward: HostForward) -> bool:
    return forward.protocol == "tcp" and forward.guest_port == SSH_PORT


def _with_id(nic: Nic, identifiers: Identifiers) -> Nic:
    if nic.control or nic.id:
        return nic
    return replace(nic, id=identifiers.next("nic"))


def _by_vlan(entries: Iterable[Checked], what: str) -> dict[int, Checked]:
    by_vlan: dict[int, Checked] = {}
    for entry in entries:
        vlan = entry["opt_vlan"]
        if vlan in by_vlan:
            raise problem(
                entry.origin,
                "net",
                f"a second {what} with opt_vlan={vlan}",
                (
                    f"The first: {by_vlan[vlan].origin}",
                    "Each nic and its back end have an opt_vlan of their own (0 if not given).",
                    "To connect several cards to one another, put their taps into one bridge.",
                ),
            )
        by_vlan[vlan] = entry
    return by_vlan


def _expect_counterparts(
    entries: Mapping[int, Checked], others: Mapping[int, Checked], wanted: str
) -> None:
    for vlan, entry in entries.items():
        if vlan not in others:
            there = ", ".join(f"opt_vlan={other} ({others[other].origin})" for other in others)
            raise problem(
                entry.origin,
                f"net {entry['type']}",
                f"no {wanted} has opt_vlan={vlan}",
                (f"There is: {there}" if there else "There is none.",),
            )


def _expect_alone(entries: Sequence[Checked]) -> None:
    if len(entries) > 1:
        raise problem(entries[1].origin, "net", "type=none stands alone, but another entry follows")
