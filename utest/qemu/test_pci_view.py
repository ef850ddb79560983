"""Guest PCI addresses as a real QEMU reports them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from DtsVirtLibrary.errors import ConfigError, VmStateError
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.qemu.qmp.monitor import Monitor
from DtsVirtLibrary.qemu.running.pci import (
    guest_address,
    pci_functions,
    unnumbered_bridges,
    with_domain,
)
from DtsVirtLibrary.results import PciFunction
from utest.qemu.conftest import RunningQemu

PATIENT = 30.0

StartQemu = Callable[..., RunningQemu]

Q35 = (
    "-M q35"
    " -device virtio-rng-pci,id=rng0,addr=5,multifunction=on"
    " -device virtio-rng-pci,id=rng1,addr=5.1"
    " -device pcie-root-port,id=port1,chassis=1,addr=1e"
    " -device e1000e,id=behind_port,bus=port1"
    " -device pcie-root-port,id=port2,chassis=2,addr=1d"
    " -device pcie-pci-bridge,id=bridge,bus=port2"
    " -device e1000,id=deep,bus=bridge,addr=3"
    " -device pxb-pcie,id=expander,bus_nr=128,bus=pcie.0,addr=6"
    " -device pcie-root-port,id=port3,chassis=3,bus=expander"
    " -device e1000e,id=on_expander,bus=port3"
)
PC = (
    "-M pc -device pci-bridge,id=bridge,chassis_nr=1,addr=1e"
    " -device e1000,id=behind_bridge,bus=bridge,addr=2 -device e1000,id=last,addr=1f"
)


@pytest.fixture
async def monitor(start_qemu: StartQemu) -> AsyncIterator[Monitor]:
    # After `start_qemu`, so that it is closed before.
    monitor = Monitor("vm0")
    yield monitor
    await monitor.close()


async def numbered(monitor: Monitor) -> Any:
    """Return the PCI view after the firmware has numbered the buses."""

    async def ask() -> Any:
        while unnumbered_bridges(view := await monitor.execute("query-pci")):
            # No event tells that the firmware is done.
            await asyncio.sleep(0.01)
        return view

    return await asyncio.wait_for(ask(), PATIENT)


@pytest.mark.qemu
class TestRealQemu:
    async def test_q35(self, monitor: Monitor, start_qemu: StartQemu) -> None:
        await monitor.connect(start_qemu(*Q35.split()).monitor, Deadline(PATIENT))
        functions = pci_functions(
            await numbered(monitor), host_addresses={"deep": "04:10.0", "rng0": "0000:5E:00.1"}
        )
        addresses = {function.id: function.address for function in functions if function.id}
        assert addresses == {
            "rng0": "0000:00:05.0",
            "rng1": "0000:00:05.1",
            "expander": "0000:00:06.0",
            "port2": "0000:00:1d.0",
            "port1": "0000:00:1e.0",
            "bridge": "0000:01:00.0",
            "deep": "0000:02:03.0",
            "behind_port": "0000:03:00.0",
            "port3": "0000:80:00.0",
            "on_expander": "0000:81:00.0",
        }
        ordered = [function.address for function in functions]
        assert ordered == sorted(ordered)
        assert len(set(ordered)) == len(ordered) > len(addresses)
        assert guest_address(functions, "on_expander") == "0000:81:00.0"
        assert guest_address(functions, "0000:04:10.0") == "0000:02:03.0"
        assert guest_address(functions, "5e:00.1") == "0000:00:05.0"

    async def test_pc(self, monitor: Monitor, start_qemu: StartQemu) -> None:
        await monitor.connect(start_qemu(*PC.split()).monitor, Deadline(PATIENT))
        functions = {item.id: item for item in pci_functions(await numbered(monitor))}
        assert functions["behind_bridge"] == PciFunction(
            "0000:01:02.0", "behind_bridge", "8086:100e", "Ethernet controller"
        )
        assert functions["last"].address == "0000:00:1f.0"

    async def test_before_the_firmware_the_bridges_are_named(
        self, monitor: Monitor, start_qemu: StartQemu
    ) -> None:
        await monitor.connect(start_qemu("-S", *PC.split()).monitor, Deadline(PATIENT))
        view = await monitor.execute("query-pci")
        assert unnumbered_bridges(view) == ("bridge",)
        functions = pci_functions(view)
        assert guest_address(functions, "last") == "0000:00:1f.0"
        with pytest.raises(VmStateError) as caught:
            guest_address(functions, "behind_bridge", unnumbered=unnumbered_bridges(view))
        assert str(caught.value) == (
            "no PCI device of the guest has the id or host address 'behind_bridge'. "
            "Did you mean 'bridge'?\n"
            "The buses behind bridge have no number yet, and what is there has no address: "
            "the firmware has not run, or the guest has not seen a new bridge. "
            "Ask again when the guest is up.\n"
            "Known are: bridge (0000:00:1e.0), last (0000:00:1f.0)."
        )

    async def test_a_class_without_words_has_its_number(
        self, monitor: Monitor, start_qemu: StartQemu
    ) -> None:
        qemu = start_qemu("-S", "-device", "virtio-rng-pci,id=rng0")
        await monitor.connect(qemu.monitor, Deadline(PATIENT))
        functions = {item.id: item for item in pci_functions(await monitor.execute("query-pci"))}
        assert functions["rng0"].class_name == "Class 00ff"
        assert functions["rng0"].vendor_device == "1af4:1005"


def function(address: str, id: str = "", host: str | None = None) -> PciFunction:
    return PciFunction(address, id, "8086:100e", "Ethernet controller", host)


def test_an_unknown_device_gets_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match=r"'net1'\. Did you mean 'net0'\?") as caught:
        guest_address([function("0000:00:03.0", "net0")], "net1")
    assert "Known are: net0 (0000:00:03.0)." in str(caught.value)


def test_functions_without_an_id_have_no_name() -> None:
    with pytest.raises(ConfigError, match="Known are: none; give the device an id"):
        guest_address([function("0000:00:03.0")], "")


def test_an_id_goes_before_a_host_address() -> None:
    functions = [
        function("0000:00:03.0", "0000:01:00.0"),
        function("0000:00:04.0", "pt_0", host="0000:01:00.0"),
    ]
    assert guest_address(functions, "0000:01:00.0") == "0000:00:03.0"
    assert guest_address(reversed(functions), "01:00.0") == "0000:00:03.0"
    assert guest_address(functions, "pt_0") == "0000:00:04.0"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("04:10.0", "0000:04:10.0"),
        ("0000:04:10.0", "0000:04:10.0"),
        ("10000:5E:00.1", "10000:5e:00.1"),
    ],
)
def test_the_domain_is_added(address: str, expected: str) -> None:
    assert with_domain(address) == expected
