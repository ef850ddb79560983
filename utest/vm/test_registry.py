"""The names of VMs, and stopping several."""

from __future__ import annotations

import pytest

from DtsVirtLibrary.errors import CleanupError, ConfigError
from DtsVirtLibrary.results import Readiness, StopStage
from DtsVirtLibrary.vm import stopping
from DtsVirtLibrary.vm.context import MachineContext
from DtsVirtLibrary.vm.registry import Registry
from utest.fakes.hypervisor import FakeHypervisor
from utest.vm.conftest import parameters


@pytest.mark.parametrize("name", ["vm0", "a", "A.b_c-1", "0"])
def test_names_that_can_be_had(registry: Registry, name: str) -> None:
    assert registry.create(name, parameters()).name == name


@pytest.mark.parametrize("name", ["", "a/b", "../x", "a b", ".hidden", "-x", "ä", "x" * 64, "a\nb"])
def test_names_that_cannot(registry: Registry, name: str) -> None:
    with pytest.raises(ConfigError, match="name"):
        registry.create(name, parameters())
    assert list(registry) == []


def test_a_name_is_taken_while_its_vm_waits_to_be_started(registry: Registry) -> None:
    registry.create("vm0", parameters())
    with pytest.raises(ConfigError, match="There is a VM 'vm0' already; it is created"):
        registry.create("vm0", parameters())


async def test_a_name_is_taken_while_its_vm_runs(registry: Registry) -> None:
    await registry.create("vm0", parameters()).start(Readiness.AGENT, 60)
    with pytest.raises(ConfigError, match="There is a VM 'vm0' already; it is running"):
        registry.create("vm0", parameters())


def test_names_differ_by_more_than_case(registry: Registry) -> None:
    registry.create("vm0", parameters())
    with pytest.raises(ConfigError, match="case alone makes no other"):
        registry.create("VM0", parameters())


async def test_another_import_of_the_library_cannot_take_the_name_of_a_running_vm(
    registry: Registry, context: MachineContext
) -> None:
    other = Registry(context)
    machine = registry.create("vm0", parameters())
    other.create("vm0", parameters())
    await machine.start(Readiness.AGENT, 60)
    other.forget(other.get("vm0"))
    with pytest.raises(ConfigError, match="There is a VM 'vm0' already; it is running"):
        other.create("vm0", parameters())


async def test_a_name_is_free_again_once_its_vm_has_ended(registry: Registry) -> None:
    first = registry.create("vm0", parameters())
    await first.start(Readiness.AGENT, 60)
    await first.stop(1)
    second = registry.create("vm0", parameters())
    assert registry.get("vm0") is second
    assert list(registry) == [second]


async def test_a_name_is_free_again_once_its_vm_crashed(
    registry: Registry, hypervisor: FakeHypervisor
) -> None:
    machine = registry.create("vm0", parameters())
    await machine.start(Readiness.AGENT, 60)
    hypervisor.launched[0].end(-11)
    await machine.wait_until_stopped(60)
    assert registry.create("vm0", parameters()) is not machine


def test_an_unknown_name_is_told_with_the_nearest_and_all(registry: Registry) -> None:
    registry.create("router", parameters())
    registry.create("server", parameters())
    with pytest.raises(
        ConfigError, match=r"no VM 'rooter'. Did you mean 'router'\? VMs: router, server. Create"
    ):
        registry.get("rooter")


def test_an_unknown_name_where_there_are_none(registry: Registry) -> None:
    with pytest.raises(ConfigError, match="VMs: none"):
        registry.get("vm0")


async def test_forgetting_frees_the_name_of_what_does_not_run(registry: Registry) -> None:
    idle, busy = (registry.create(name, parameters()) for name in ("idle", "busy"))
    await busy.start(Readiness.AGENT, 60)
    for machine in (idle, busy):
        registry.forget(machine)
    assert list(registry) == [busy]


async def test_stopping_all_tells_the_stage_of_each(registry: Registry) -> None:
    machines = [registry.create(name, parameters()) for name in ("vm0", "vm1")]
    await machines[0].start(Readiness.AGENT, 60)
    assert registry.running() == machines[:1]
    assert await registry.stop(machines, 60) == {
        "vm0": StopStage.AGENT,
        "vm1": StopStage.ALREADY,
    }
    assert registry.running() == []


async def test_one_that_cannot_be_stopped_does_not_keep_the_others_from_it(
    registry: Registry, hypervisor: FakeHypervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "SIGNAL_SECONDS", 0.01)
    monkeypatch.setattr(stopping, "QUIT_SECONDS", 0.01)
    machines = [registry.create(name, parameters()) for name in ("stuck", "vm1")]
    for machine in machines:
        await machine.start(Readiness.AGENT, 60)
    hypervisor.launched[0].ends_by.clear()
    with pytest.raises(CleanupError, match="stuck"):
        await registry.stop(machines, 0.01)
    assert registry.running() == machines[:1]
    hypervisor.launched[0].end(-9)
    await machines[0].stop(0)


def test_a_wrong_parameter_creates_nothing(registry: Registry) -> None:
    with pytest.raises(ConfigError, match="number"):
        registry.create("vm0", parameters(cpu="number=0"))
    assert list(registry) == []
