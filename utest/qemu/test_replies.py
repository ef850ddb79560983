"""QEMU's answers are checked before they are read, and made fit for reports."""

from __future__ import annotations

from typing import Any

import pytest

from DtsVirtLibrary.errors import BackendError, MonitorError
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.qemu.foreign_json import DEPTH_LIMIT, Shape, checked_json, misfit
from DtsVirtLibrary.qemu.hotplug.facts import free_slot, require_shared_memory, wait_connected
from DtsVirtLibrary.qemu.qmp.monitor import Monitor
from DtsVirtLibrary.qemu.qmp.replies import PCI_BUSES, STATUS, ask


class Answering(Monitor):
    """A monitor with the same answer to everything."""

    def __init__(self, answer: Any) -> None:
        super().__init__("vm0")
        self.answer = answer

    async def execute(
        self, command: str, arguments: Any = None, *, timeout: float | None = None
    ) -> Any:
        return self.answer


async def test_an_answer_of_the_right_shape_is_handed_on() -> None:
    answer = {"status": "running", "running": True}
    assert await ask(Answering(answer), "query-status", STATUS) is answer


async def test_another_is_refused_with_what_does_not_fit() -> None:
    with pytest.raises(MonitorError) as caught:
        await ask(Answering({"status": 5}), "query-status", STATUS)
    assert str(caught.value) == (
        "VM 'vm0': what QEMU sent for query-status is not an answer: it.status is not of type "
        "str: 5"
    )


@pytest.mark.parametrize(
    ("value", "shape", "found"),
    [
        (5, int, None),
        (True, int, "it is not of type int: True"),
        (1, bool, "it is not of type bool: 1"),
        (None, str, "it is not of type str: None"),
        ([], [int], None),
        ([1, "x"], [int], "it[1] is not of type int: 'x'"),
        ("ab", [str], "it is not of type list: 'ab'"),
        ({"a": 1, "b": 2}, {"a": int}, None),
        ({}, {"a": int}, "it has no 'a'"),
        ([], {"a": int}, "it is not of type object: []"),
        ({}, {"a?": int}, None),
        ({"a": None}, {"a?": int}, "it.a is not of type int: None"),
        ([{"a": [{"b": "x"}]}], [{"a": [{"b": int}]}], "it[0].a[0].b is not of type int: 'x'"),
    ],
)
def test_shapes(value: object, shape: Shape, found: str | None) -> None:
    assert misfit(value, shape) == found


def test_what_does_not_fit_is_shown_short_and_printable() -> None:
    found = misfit("\x1b[31m" + "x" * 10_000, int)
    assert found is not None
    assert found.isprintable()
    assert len(found) < 300


def test_a_bridge_is_checked_like_a_bus() -> None:
    behind = {"bus": 1, "slot": "2"}
    device = {
        "bus": 0,
        "slot": 1,
        "function": 0,
        "qdev_id": "",
        "id": {"vendor": 1, "device": 2},
        "class_info": {"class": 3},
    }
    bridge = {**device, "pci_bridge": {"bus": {"secondary": 1}, "devices": [behind]}}
    assert misfit([{"bus": 0, "devices": [device]}], PCI_BUSES) is None
    found = misfit([{"bus": 0, "devices": [bridge]}], PCI_BUSES)
    assert found == "it[0].devices[0].pci_bridge.devices[0].slot is not of type int: '2'"


@pytest.mark.parametrize("answer", [None, 5, "x", {}, [5], [{}], [[]], [{"bus": "0"}]])
async def test_no_answer_ends_in_an_error_of_another_kind(answer: Any) -> None:
    with pytest.raises(MonitorError, match="is not an answer"):
        await free_slot(Answering(answer), "vm0")
    with pytest.raises(MonitorError, match="is not an answer"):
        await require_shared_memory(Answering(answer), "vm0")


async def test_a_character_device_that_qemu_does_not_list_is_waited_for() -> None:
    with pytest.raises(BackendError, match="no vhost-user back end has connected"):
        await wait_connected(Answering([]), "vm0", "chr0", "/a.sock", Deadline(0.0))


def test_lone_surrogates_are_replaced_in_values_and_names() -> None:
    assert checked_json({"\ud800": ["\udfff", 1, None]}) == {"\ufffd": ["\ufffd", 1, None]}


def test_depth_is_limited() -> None:
    value: Any = 1
    for _ in range(DEPTH_LIMIT):
        value = [value]
    assert checked_json(value) == value
    with pytest.raises(ValueError, match="nested more than 64 deep"):
        checked_json([value])
