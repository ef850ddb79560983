"""Runs that a signal ends: guests are not asked to shut down, for nobody waits that long."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from robot.running.signalhandler import STOP_SIGNAL_MONITOR

from DtsVirtLibrary.accelerators import Accelerator
from DtsVirtLibrary.keywords.context import LibraryContext
from DtsVirtLibrary.keywords.settings import ClosingScope, Settings

PATIENCE = timedelta(seconds=7)
SETTINGS = Settings(
    accelerator=Accelerator.TCG,
    qemu=None,
    start_timeout=None,
    stop_timeout=PATIENCE,
    agent_timeout=PATIENCE,
    monitor_timeout=PATIENCE,
    artifacts=None,
    closing=ClosingScope.AUTO,
)


@pytest.mark.parametrize(("signals", "patience"), [(0, PATIENCE), (1, timedelta(0))])
def test_patience_with_guests_at_the_end_of_a_test(
    monkeypatch: pytest.MonkeyPatch, signals: int, patience: timedelta
) -> None:
    stops: list[tuple[list[str], timedelta]] = []

    def stop(machines: Iterable[Any], timeout: timedelta) -> None:
        stops.append(([machine.name for machine in machines], timeout))

    monkeypatch.setattr(STOP_SIGNAL_MONITOR, "_signal_count", signals)
    context = LibraryContext(SETTINGS)
    monkeypatch.setattr(context, "stop_machines", stop)
    registry = [SimpleNamespace(name="vm0"), SimpleNamespace(name="vm1")]
    configs = SimpleNamespace(forget=lambda depth: None)
    context._parts = SimpleNamespace(registry=registry, configs=configs)  # type: ignore[assignment]
    context.enter_scope("s1-t1", is_test=True)
    context.scopes.started("vm1")
    context.leave_scope("s1-t1")
    assert stops == [(["vm1"], patience)]
