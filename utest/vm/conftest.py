"""VMs on a hypervisor without processes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from weakref import WeakSet

import pytest

from DtsVirtLibrary.config import Parameters, entries_from_value
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.spec import Origin
from DtsVirtLibrary.vm import registry as registry_of_run
from DtsVirtLibrary.vm.artifacts import ArtifactStore
from DtsVirtLibrary.vm.context import MachineContext
from DtsVirtLibrary.vm.machine import Machine
from DtsVirtLibrary.vm.registry import Registry
from utest.fakes.hypervisor import FakeHypervisor


def parameters(**values: object) -> Parameters:
    """Return parameters from values as a keyword takes them."""
    made = Parameters()
    for name, value in values.items():
        made.set(name, entries_from_value(name, value, Origin("test")))
    return made


@pytest.fixture
async def hypervisor() -> FakeHypervisor:
    return FakeHypervisor()


@pytest.fixture
async def context(hypervisor: FakeHypervisor, tmp_path: Path) -> AsyncIterator[MachineContext]:
    host = LocalHost()
    yield MachineContext(hypervisor, host, ArtifactStore(host, tmp_path / "vms"), "a seed")
    await host.close()


@pytest.fixture
async def registry(context: MachineContext, monkeypatch: pytest.MonkeyPatch) -> Registry:
    # A test is a run of its own.
    monkeypatch.setattr(registry_of_run, "_registries", WeakSet())
    return Registry(context)


@pytest.fixture
async def machine(context: MachineContext) -> Machine:
    return Machine("vm0", parameters(), context)
