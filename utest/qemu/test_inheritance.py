"""What a clone knows from its template: once, and only as long as the guest is that one."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest

from DtsVirtLibrary.qemu.qmp.monitor import Monitor
from DtsVirtLibrary.qemu.templates.inheritance import Inheritance
from DtsVirtLibrary.qemu.templates.manifest import GuestAsSaved
from DtsVirtLibrary.results import GuestInterface, MonitorEvent

SAVED = GuestAsSaved((GuestInterface("lo", None),), True, True, ("ssh-ed25519 A",))


class Events:
    """A monitor that has only events."""

    def on_event(self, function: Callable[[MonitorEvent], None]) -> None:
        self.happens = lambda name: function(MonitorEvent(name, {}, 0.0))


@pytest.fixture
def events() -> Events:
    return Events()


def inherited(events: Events, *, others: bool = False, fresh: bool = False) -> Inheritance:
    inheritance = Inheritance(cast(Monitor, events))
    inheritance.take(SAVED, with_others=others, fresh_identity=fresh)
    return inheritance


def test_each_answer_serves_once(events: Events) -> None:
    known = inherited(events)
    for _ in range(2):
        assert known.serves_ssh
    assert (known.interfaces(), known.interfaces()) == (SAVED.interfaces, ())
    assert (known.listens(), known.listens()) == (True, False)
    assert (known.host_keys(), known.host_keys()) == ({"ssh-ed25519 A"}, frozenset())


def test_a_guest_that_boots_anew_has_nothing_from_it(events: Events) -> None:
    known = inherited(events)
    events.happens("STOP")
    assert known.serves_ssh
    events.happens("RESET")
    assert not known.serves_ssh
    assert not known.interfaces()
    assert not known.listens()
    assert not known.host_keys()


def test_one_with_other_cards_is_asked_for_its_interfaces(events: Events) -> None:
    known = inherited(events, others=True)
    assert not known.interfaces()
    assert known.host_keys()


def test_one_with_keys_of_its_own_is_asked_for_them(events: Events) -> None:
    known = inherited(events, fresh=True)
    assert not known.host_keys()
    assert not known.serves_ssh
    assert known.interfaces()
