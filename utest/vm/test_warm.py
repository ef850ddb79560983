"""Starting warm: by a clone, by making the template first, or cold with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from DtsVirtLibrary.errors import ImageInUse, TemplateError, VmStateError
from DtsVirtLibrary.results import Readiness, VmStatus
from DtsVirtLibrary.vm.context import MachineContext
from DtsVirtLibrary.vm.machine import Machine
from DtsVirtLibrary.vm.registry import Registry
from DtsVirtLibrary.vm.templates import make_template, remove_template, save_running
from utest.fakes.hypervisor import FakeHypervisor
from utest.vm.conftest import parameters


async def warm(machine: Machine, readiness: Readiness = Readiness.SSH) -> list[str]:
    """Start warm and return the names of the stages."""
    session = await machine.start(readiness, 60, warm=True)
    return [stage.name for stage in session.stages]


async def test_a_template_is_cloned(machine: Machine, hypervisor: FakeHypervisor) -> None:
    hypervisor.has_template = True
    assert (await warm(machine))[0] == "state restored"
    (clone,) = hypervisor.launched
    assert "freshen" in clone.calls
    assert not any("save_template" in call for call in clone.calls)
    assert machine.status is VmStatus.RUNNING


async def test_the_first_start_makes_the_template_and_is_a_clone(
    machine: Machine, hypervisor: FakeHypervisor
) -> None:
    stages = await warm(machine)
    source, clone = hypervisor.launched
    assert source.calls.index("agent interfaces") < source.calls.index(
        "save_template serves_ssh=False"
    )
    assert source.exit_code == -9
    assert clone.exit_code is None
    assert stages[0] == "state restored"
    assert stages.count("process started") == 1
    assert any("its template was made in" in note for note in machine.notes)
    assert machine.status is VmStatus.RUNNING


async def test_what_source_and_clone_have_in_common_is_noted_once(
    machine: Machine, hypervisor: FakeHypervisor
) -> None:
    hypervisor.notes = ("VM 'vm0': runs on TCG",)
    await warm(machine)
    assert len(hypervisor.launched) == 2
    assert machine.notes.count("VM 'vm0': runs on TCG") == 1


async def test_a_vm_that_cannot_be_saved_runs_on(
    machine: Machine, hypervisor: FakeHypervisor
) -> None:
    hypervisor.save_failure = TemplateError("a device forbids it")
    await warm(machine)
    (source,) = hypervisor.launched
    assert source.exit_code is None
    assert "VM 'vm0': stays as it booted: a device forbids it" in machine.notes


async def test_a_template_that_cannot_serve_leads_to_a_new_one(
    machine: Machine, hypervisor: FakeHypervisor
) -> None:
    hypervisor.template_failure = TemplateError("it was broken")
    hypervisor.source_failure = TemplateError("no room")
    stages = await warm(machine)
    assert stages[0] == "process started"
    assert "QMP answered" not in stages
    assert machine.notes[:2] == ["VM 'vm0': it was broken", "VM 'vm0': boots cold: no room"]


async def test_clones_read_one_image_and_a_cold_vm_has_it_alone(
    registry: Registry, hypervisor: FakeHypervisor, tmp_path: Path
) -> None:
    hypervisor.has_template = True
    image = tmp_path / "disk.img"
    image.write_bytes(bytes(512))
    values = parameters(disk=f"file={image}", guest="default")
    clones = [registry.create(name, values) for name in ("vm0", "vm1")]
    for clone in clones:
        await clone.start(Readiness.AGENT, 60, warm=True)
    cold = registry.create("vm2", values)
    with pytest.raises(ImageInUse, match=f"disk image '{image}' is in use"):
        await cold.start(Readiness.AGENT, 60)
    hypervisor.template_failure = hypervisor.source_failure = TemplateError("no room")
    with pytest.raises(ImageInUse, match=f"disk image '{image}' is in use"):
        await cold.start(Readiness.AGENT, 60, warm=True)
    for clone in clones:
        await clone.kill()
    await cold.start(Readiness.AGENT, 60, warm=True)
    other = registry.create("vm3", values)
    with pytest.raises(ImageInUse, match=f"disk image '{image}' is in use"):
        await other.start(Readiness.AGENT, 60, warm=True)


async def test_cold_is_the_default(machine: Machine, hypervisor: FakeHypervisor) -> None:
    hypervisor.has_template = True
    session = await machine.start(Readiness.AGENT, 60)
    assert session.stages[0].name == "process started"


async def test_the_configuration_asks_for_it(
    context: MachineContext, hypervisor: FakeHypervisor
) -> None:
    hypervisor.has_template = True
    machine = Machine("vm0", parameters(warm="enable=yes"), context)
    assert (await machine.start(Readiness.AGENT, 60)).stages[0].name == "state restored"
    await machine.kill()
    assert (await machine.start(Readiness.AGENT, 60, warm=False)).stages[0].name != "state restored"


async def test_the_keyword_has_the_last_word_on_the_identity(
    context: MachineContext, hypervisor: FakeHypervisor
) -> None:
    hypervisor.has_template = True
    machine = Machine("vm0", parameters(warm="enable=yes,fresh_identity=yes"), context)
    for asked, expected in ((None, True), (False, False)):
        await machine.start(Readiness.AGENT, 60, fresh_identity=asked)
        assert hypervisor.launched[-1].spec.fresh_identity is expected
        await machine.kill()


async def test_clones_have_the_cards_of_user_networks_alike(
    registry: Registry, hypervisor: FakeHypervisor
) -> None:
    hypervisor.has_template = True
    macs = set()
    for name in ("vm0", "vm1"):
        machine = registry.create(name, parameters())
        await machine.start(Readiness.AGENT, 60, warm=True)
        nic = machine.specification().control_nic
        assert nic is not None
        macs.add(nic.mac)
    assert len(macs) == 1
    cold = registry.create("vm2", parameters())
    nic = cold.specification().control_nic
    assert nic is not None
    assert nic.mac not in macs


async def test_the_cards_that_others_see_differ_between_clones(
    registry: Registry, hypervisor: FakeHypervisor
) -> None:
    hypervisor.has_template = True
    macs = set()
    for name in ("vm0", "vm1"):
        net = [
            "type=nic,opt_vlan=0",
            "type=user,opt_vlan=0",
            "type=nic,opt_vlan=1",
            "type=bridge,opt_vlan=1",
        ]
        machine = registry.create(name, parameters(net=net))
        await machine.start(Readiness.AGENT, 60, warm=True)
        macs.add(hypervisor.launched[-1].spec.nics[-1].mac)
    assert len(macs) == 2


async def test_a_template_is_made_ahead(machine: Machine, hypervisor: FakeHypervisor) -> None:
    await make_template(machine, 60)
    assert [instance.exit_code for instance in hypervisor.launched] == [-9, -9]
    assert hypervisor.has_template
    assert machine.status is VmStatus.STOPPED
    assert await remove_template(machine, hypervisor)
    assert not await remove_template(machine, hypervisor)


async def test_a_template_that_cannot_be_made_ahead_fails(
    machine: Machine, hypervisor: FakeHypervisor
) -> None:
    hypervisor.save_failure = TemplateError("a device forbids it")
    with pytest.raises(TemplateError, match="a device forbids it"):
        await make_template(machine, 60)
    assert hypervisor.launched[0].exit_code == -9
    assert machine.status is VmStatus.STOPPED


async def test_a_running_vm_is_saved_as_it_is(machine: Machine, hypervisor: FakeHypervisor) -> None:
    hypervisor.has_template = True
    await machine.start(Readiness.AGENT, 60, warm=True)
    await save_running(machine, hypervisor, 60)
    (clone,) = hypervisor.launched
    assert clone.calls[-1] == f"save_running {clone.spec.nics[0].mac}"
    assert machine.status is VmStatus.RUNNING


async def test_only_a_running_vm_is_saved_as_it_is(
    machine: Machine, hypervisor: FakeHypervisor
) -> None:
    with pytest.raises(VmStateError, match="'Save VM Template' needs it running"):
        await save_running(machine, hypervisor, 60)


async def test_a_running_vm_is_not_booted_for_a_template(machine: Machine) -> None:
    await machine.start(Readiness.AGENT, 60)
    with pytest.raises(VmStateError, match="is already running"):
        await make_template(machine, 60)
