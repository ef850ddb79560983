"""What a host lacks is told before anything is started."""

from __future__ import annotations

import pytest

from DtsVirtLibrary.errors import ConfigError
from DtsVirtLibrary.qemu.command_line.build import command_line
from DtsVirtLibrary.qemu.command_line.host_facts import HostFacts
from DtsVirtLibrary.spec import Nic, TapBackend, VmSpec
from utest.qemu.cases import vm
from utest.qemu.test_cmdline_golden import FACTS
from utest.qemu.test_cmdline_refusals import PLACEMENT


def card(backend: TapBackend) -> VmSpec:
    return vm(Nic(id="nic0", driver="e1000", mac="00:00:00:00:00:01", backend=backend))


@pytest.mark.fault(45)
@pytest.mark.parametrize("version", ["7.2", "10.0"])
def test_the_kernel_has_no_vhost_net(version: str) -> None:
    spec = card(TapBackend(vhost=True))
    with pytest.raises(ConfigError) as caught:
        command_line(spec, FACTS[version], HostFacts(), PLACEMENT)
    assert "card 'nic0' asks for vhost=on, and there is no /dev/vhost-net" in str(caught.value)
    assert "modprobe vhost_net" in str(caught.value)
    line = command_line(spec, FACTS[version], HostFacts(vhost_net=True), PLACEMENT)
    assert any("vhost=on" in word for word in line.argv)


@pytest.mark.fault(46)
def test_the_kernel_takes_no_such_name() -> None:
    command_line(card(TapBackend(interface="a" * 15)), FACTS["7.2"], HostFacts(), PLACEMENT)
    with pytest.raises(ConfigError, match="has 16 bytes, and Linux takes at most 15"):
        command_line(card(TapBackend(interface="a" * 16)), FACTS["7.2"], HostFacts(), PLACEMENT)
