"""What VMs that start together need, and how each is started."""

from __future__ import annotations

import pytest

from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.host.admission import Need
from DtsVirtLibrary.results import Readiness
from DtsVirtLibrary.vm.batch import Order, need_of, start_all
from DtsVirtLibrary.vm.context import MachineContext
from DtsVirtLibrary.vm.machine import Machine
from DtsVirtLibrary.vm.registry import Registry
from utest.fakes.hypervisor import FakeHypervisor
from utest.vm.conftest import parameters


@pytest.mark.parametrize(
    ("warm", "values", "expected"),
    [
        (False, {"mem": "size=512"}, Need(512)),
        (True, {"mem": "size=512"}, Need(128)),
        (None, {"mem": "size=512", "warm": "enable=yes"}, Need(128)),
        (True, {"mem": "size=512,hugepage=yes"}, Need(0, ((None, 512),))),
    ],
)
def test_a_clone_needs_less_and_hugepages_are_counted_apart(
    registry: Registry, warm: bool | None, values: dict[str, str], expected: Need
) -> None:
    machine = registry.create("vm0", parameters(**values))
    assert need_of([(machine.specification(), warm)]) == expected


async def test_each_is_started_as_it_was_ordered(
    context: MachineContext, hypervisor: FakeHypervisor
) -> None:
    hypervisor.has_template = True
    machines = [Machine(name, parameters(), context) for name in ("vm0", "vm1")]
    orders = [Order(machines[0], 60, True, True), Order(machines[1], 60, None)]
    errors = await start_all(context.host, orders, Readiness.AGENT, 60, pytest.fail)
    assert errors == [None, None]
    by_name = {instance.spec.name: instance for instance in hypervisor.launched}
    assert by_name["vm0"].spec.fresh_identity
    assert not by_name["vm1"].spec.fresh_identity
    assert "freshen" in by_name["vm0"].calls
    assert "process started" in [stage.name for stage in machines[1].timeline.stages]


async def test_one_that_fails_leaves_the_others(
    registry: Registry, context: MachineContext
) -> None:
    machines = [registry.create(name, parameters()) for name in ("vm0", "vm1")]
    await machines[0].start(Readiness.AGENT, 60)
    orders = [Order(machine, 60, None) for machine in machines]
    errors = await start_all(context.host, orders, Readiness.AGENT, 60, pytest.fail)
    assert "VM 'vm0' is already running" in str(errors[0])
    assert errors[1] is None


async def test_a_host_without_room_is_told_with_the_names_of_the_vms(
    context: MachineContext, hypervisor: FakeHypervisor
) -> None:
    machines = [Machine(name, parameters(mem="16T"), context) for name in ("vm0", "vm1")]
    orders = [Order(machine, 60, None) for machine in machines]
    with pytest.raises(HostError, match=r"^VM 'vm0', 'vm1': "):
        await start_all(context.host, orders, Readiness.AGENT, 60, pytest.fail)
    assert hypervisor.launched == []
