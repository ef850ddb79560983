"""Hot plug into real QEMUs without a guest's operating system.

Where a guest would have to let go of a device, the machine is reset instead: that ejects
what QEMU was asked to unplug.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from DtsVirtLibrary.errors import (
    BackendError,
    ConfigError,
    ImageError,
    MonitorCommandError,
    VmStateError,
    WaitTimeout,
)
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.qemu import names
from DtsVirtLibrary.qemu.hotplug import plugging
from DtsVirtLibrary.qemu.hypervisor import QemuHypervisor
from DtsVirtLibrary.qemu.instance import QemuInstance
from DtsVirtLibrary.qemu.start.facts import GuestFiles, QemuSettings
from DtsVirtLibrary.spec import (
    Accelerator,
    CryptoDevice,
    Disk,
    HostForward,
    Memory,
    Nic,
    OtherDevice,
    TapBackend,
    UserBackend,
    VhostUserBackend,
    VmSpec,
)
from DtsVirtLibrary.timeline import Timeline
from utest.host.acting import need_root
from utest.qemu.vhost_user_peer import VhostUserPeer

pytestmark = pytest.mark.qemu

SCRIPTS = Path(__file__).parents[2] / "scripts"
SECONDS = 30.0
Start = Callable[[VmSpec], Awaitable[QemuInstance]]
MACHINES = ("pc", "q35")
both_machines = pytest.mark.parametrize("machine", MACHINES)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module", params=["installed", "10"])
def binary(request: pytest.FixtureRequest) -> str | None:
    """Return None for the installed QEMU, then the path of QEMU 10."""
    if request.param == "installed":
        return None
    fetched = subprocess.run(
        [SCRIPTS / "fetch-qemu-10"], stdout=subprocess.PIPE, text=True, check=True
    )
    return fetched.stdout.strip()


@pytest.fixture
async def start(
    binary: str | None, cache: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Start]:
    monkeypatch.setenv("DTSVIRT_CACHE", cache)
    async with AsyncExitStack() as stack:
        host = LocalHost()
        stack.push_async_callback(host.close)
        hypervisor = QemuHypervisor(host, QemuSettings(binary), _no_guest)

        async def launch(spec: VmSpec) -> QemuInstance:
            instance = await hypervisor.launch(spec, Deadline(SECONDS), Timeline(), _keep_nothing)
            stack.push_async_callback(_end, instance)
            return instance

        yield launch


async def _no_guest(flavour: str) -> GuestFiles:
    raise AssertionError(f"nobody asked for the guest '{flavour}'")


async def _keep_nothing(files: Mapping[str, bytes]) -> None:
    """Take the files of a failed start that nobody reads here."""


async def _end(instance: QemuInstance) -> None:
    if instance.exit_code is None:
        await instance.quit()
        await instance.wait_closed()
    await instance.release()


class ResetAfterUnplug:
    """A monitor that resets the machine whenever QEMU was asked to unplug something."""

    def __init__(self, monitor: Any) -> None:
        self._monitor = monitor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._monitor, name)

    async def execute(
        self, command: str, arguments: Any = None, *, timeout: float | None = None
    ) -> Any:
        reply = await self._monitor.execute(command, arguments, timeout=timeout)
        if command == "device_del":
            await self._monitor.execute("system_reset", timeout=timeout)
        return reply


class HeldUntilStopped(ResetAfterUnplug):
    """A monitor whose QEMU holds on to the back end until the virtual processors stopped once."""

    held = True

    async def execute(
        self, command: str, arguments: Any = None, *, timeout: float | None = None
    ) -> Any:
        if command == "stop":
            self.held = False
        if command == "blockdev-del" and self.held:
            raise MonitorCommandError("QEMU refused blockdev-del: Node extra is in use")
        return await super().execute(command, arguments, timeout=timeout)


def vm(machine: str = "pc", **more: Any) -> VmSpec:
    return VmSpec(
        "vm0",
        machine=machine,
        accelerator=Accelerator.TCG,
        memory=Memory(64),
        guest_agent=False,
        **more,
    )


def card(number: int = 1, **more: Any) -> Nic:
    return Nic("virtio-net-pci", mac=f"52:54:00:00:00:{number:02x}", **more)


def vhost_user(path: Path, number: int = 1, *, server: bool = False) -> Nic:
    return card(number, backend=VhostUserBackend(str(path), server=server))


async def ask(instance: QemuInstance, command: str, **arguments: Any) -> Any:
    return await instance.execute(command, arguments, timeout=SECONDS)


async def everything(instance: QemuInstance) -> dict[str, set[str]]:
    """Return the ids of all devices, back ends, block nodes and character devices."""
    devices = await ask(instance, "qom-list", path="/machine/peripheral")
    objects = await ask(instance, "qom-list", path="/objects")
    networks = (await instance.human("info network", timeout=SECONDS)).splitlines()
    return {
        "devices": {item["name"] for item in devices if item["name"] != "type"},
        "objects": {item["name"] for item in objects if item["name"] != "type"},
        "networks": {line.strip(" \\").split(":")[0] for line in networks},
        "nodes": {item["node-name"] for item in await ask(instance, "query-named-block-nodes")},
        "chardevs": {item["label"] for item in await ask(instance, "query-chardev")},
    }


async def bus_of(instance: QemuInstance, device: str) -> str:
    path = await ask(
        instance, "qom-get", path=f"/machine/peripheral/{device}", property="parent_bus"
    )
    return str(path).rpartition("/")[2]


async def unplugged(
    instance: QemuInstance, device: str, through: type[ResetAfterUnplug] = ResetAfterUnplug
) -> None:
    """Unplug with a guest that lets go."""
    monitor: Any = instance.monitor
    instance.monitor = through(monitor)  # type: ignore[assignment]
    try:
        await plugging.unplug(instance, device, Deadline(SECONDS))
    finally:
        instance.monitor = monitor


@both_machines
async def test_card_comes_and_goes(machine: str, start: Start) -> None:
    instance = await start(vm(machine))
    before = await everything(instance)
    backend = UserBackend(forwards=(HostForward(),), restrict=True)
    for _ in range(3):
        assert await plugging.plug(instance, card(backend=backend)) == "plug0"
        now = await everything(instance)
        assert now["devices"] - before["devices"] == {"plug0"}
        assert await bus_of(instance, "plug0") == ("hotplug0" if machine == "q35" else "pci.0")
        await unplugged(instance, "plug0")
        assert await everything(instance) == before


async def test_card_takes_the_lowest_free_slot_of_pc(start: Start) -> None:
    control = card(9, backend=UserBackend(), control=True)
    instance = await start(vm(devices=(control, card(8, address="02"))))
    plugged = [await plugging.plug(instance, card(n, backend=UserBackend())) for n in (1, 2)]
    addresses = [await instance.guest_pci_address(name) for name in plugged]
    assert addresses == ["0000:00:03.0", "0000:00:04.0"]
    assert await instance.guest_pci_address(names.CONTROL_NIC) == "0000:00:1f.0"


@both_machines
async def test_disk_comes_and_goes(machine: str, start: Start, tmp_path: Path) -> None:
    image = tmp_path / "with, comma.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "1M"], check=True)
    instance = await start(vm(machine))
    before = await everything(instance)
    for overlay in (False, True, False):
        disk = Disk(str(image), "qcow2", overlay=overlay, id="extra")
        assert await plugging.plug(instance, disk) == "extra"
        now = await everything(instance)
        assert now["devices"] - before["devices"] == {"extra"}
        assert now["nodes"] - before["nodes"] >= {"extra", "extra-file"}
        await unplugged(instance, "extra")
        assert await everything(instance) == before


async def test_spinning_processors_do_not_hold_a_disk_for_ever(
    start: Start, tmp_path: Path
) -> None:
    image = tmp_path / "disk.raw"
    image.write_bytes(bytes(1 << 20))
    instance = await start(vm())
    before = await everything(instance)
    await plugging.plug(instance, Disk(str(image), "raw", id="extra"))
    await unplugged(instance, "extra", HeldUntilStopped)
    assert await everything(instance) == before
    assert await instance.status() == "running"


async def test_other_devices_and_their_properties(start: Start) -> None:
    instance = await start(vm("q35"))
    before = await everything(instance)
    rng = OtherDevice("virtio-rng-pci", {"rng": names.RNG, "max-bytes": "4096"})
    assert await plugging.plug(instance, rng) == "plug0"
    assert (
        await ask(instance, "qom-get", path="/machine/peripheral/plug0", property="max-bytes")
        == 4096
    )
    assert await plugging.plug(instance, CryptoDevice("crypto7")) == "crypto7"
    await unplugged(instance, "plug0")
    await unplugged(instance, "crypto7")
    assert await everything(instance) == before


async def test_mac_and_properties_reach_the_card(start: Start) -> None:
    instance = await start(vm())
    nic = card(9, id="nic9", backend=UserBackend(), settings={"mq": "on", "host_mtu": "1400"})
    await plugging.plug(instance, nic)
    found = {
        name: await ask(instance, "qom-get", path="/machine/peripheral/nic9", property=name)
        for name in ("mac", "mq", "host_mtu", "netdev")
    }
    assert found == {"mac": "52:54:00:00:00:09", "mq": True, "host_mtu": 1400, "netdev": "nic9-net"}


async def test_address_that_was_asked_for_is_kept(start: Start) -> None:
    instance = await start(vm())
    await plugging.plug(instance, card(id="fixed", address="0b", backend=UserBackend()))
    assert (
        await ask(instance, "qom-get", path="/machine/peripheral/fixed", property="legacy-addr")
        == "0b.0"
    )
    with pytest.raises(ConfigError, match="0b"):
        await plugging.plug(instance, card(2, id="second", address="0b", backend=UserBackend()))


async def test_q35_has_four_places(start: Start) -> None:
    instance = await start(vm("q35"))
    for number in range(4):
        await plugging.plug(instance, card(number))
    buses = {await bus_of(instance, f"plug{number}") for number in range(4)}
    assert buses == set(names.HOTPLUG_PORTS)
    with pytest.raises(VmStateError, match=r"all 4 places .* are taken; unplug one"):
        await plugging.plug(instance, card(4))
    await unplugged(instance, "plug2")
    await plugging.plug(instance, card(4, id="again"))
    assert await bus_of(instance, "again") == "hotplug2"


async def test_root_bus_of_q35_is_no_place(start: Start) -> None:
    instance = await start(vm("q35"))
    before = await everything(instance)
    with pytest.raises(VmStateError, match=r"(?s)does not support hotplugging.*Leave bus and addr"):
        await plugging.plug(instance, card(bus="pcie.0", address="05", backend=UserBackend()))
    assert await everything(instance) == before


@pytest.mark.parametrize("server", [False, True])
async def test_vhost_user_card(server: bool, start: Start, tmp_path: Path) -> None:
    first, second = VhostUserPeer(tmp_path / "a.sock"), VhostUserPeer(tmp_path / "b.sock")
    try:
        first.listen()
        second.call() if server else second.listen()
        instance = await start(vm(devices=(vhost_user(tmp_path / "a.sock", 1),)))
        before = await everything(instance)
        await plugging.plug(instance, vhost_user(tmp_path / "b.sock", 2, server=server))
        now = await everything(instance)
        assert now["chardevs"] - before["chardevs"] == {"plug0-chardev"}
        await unplugged(instance, "plug0")
        assert await everything(instance) == before
    finally:
        first.close()
        second.close()


async def test_vhost_user_without_back_end(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugging, "CONNECT_SECONDS", 0.2)
    peer = VhostUserPeer(tmp_path / "a.sock")
    peer.listen()
    try:
        instance = await start(vm(devices=(vhost_user(tmp_path / "a.sock", 1),)))
        before = await everything(instance)
        with pytest.raises(BackendError, match=r"(?s)cannot reach .*none\.sock.*Start the"):
            await plugging.plug(instance, vhost_user(tmp_path / "none.sock", 2))
        assert await everything(instance) == before
        with pytest.raises(BackendError, match=r"no vhost-user back end has connected .* within"):
            await plugging.plug(instance, vhost_user(tmp_path / "none.sock", 2, server=True))
        assert await everything(instance) == before
    finally:
        peer.close()


async def test_vhost_user_back_end_that_is_silent(start: Start, tmp_path: Path) -> None:
    peer = VhostUserPeer(tmp_path / "a.sock")
    peer.listen()
    try:
        instance = await start(vm(devices=(vhost_user(tmp_path / "a.sock", 1),)))
        instance.monitor.answer_seconds = 0.5
        with socket.socket(socket.AF_UNIX) as silent:
            silent.bind(bytes(tmp_path / "silent.sock"))
            silent.listen(1)
            with pytest.raises(BackendError, match=r"took the connection but did not answer"):
                await plugging.plug(instance, vhost_user(tmp_path / "silent.sock", 2))
        # The back end is gone, so QEMU hears again.
        instance.monitor.answer_seconds = SECONDS
        assert await instance.status() == "running"
        assert "plug0-net" not in (await everything(instance))["networks"]
    finally:
        peer.close()


async def test_cancelled_plug_leaves_nothing(start: Start, tmp_path: Path) -> None:
    peer = VhostUserPeer(tmp_path / "a.sock")
    peer.listen()
    try:
        instance = await start(vm(devices=(vhost_user(tmp_path / "a.sock", 1),)))
        before = await everything(instance)
        nic = vhost_user(tmp_path / "nobody.sock", 2, server=True)
        task = asyncio.create_task(plugging.plug(instance, nic))
        while not (tmp_path / "nobody.sock").exists():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await everything(instance) == before
    finally:
        peer.close()


async def test_vhost_user_needs_shared_memory(start: Start, tmp_path: Path) -> None:
    instance = await start(vm())
    with pytest.raises(VmStateError, match="started without shared memory"):
        await plugging.plug(instance, vhost_user(tmp_path / "a.sock"))


async def test_step_that_fails_takes_back_those_before(start: Start) -> None:
    instance = await start(vm())
    before = await everything(instance)
    nic = card(id="odd", backend=UserBackend(), settings={"speed": "-5"})
    with pytest.raises(MonitorCommandError, match="speed"):
        await plugging.plug(instance, nic)
    assert await everything(instance) == before
    assert await plugging.plug(instance, card(id="odd", backend=UserBackend())) == "odd"


async def test_bad_input_reaches_no_qemu(start: Start, tmp_path: Path) -> None:
    instance = await start(vm(devices=(card(1, id="nic1"),)))
    before = await everything(instance)
    for device, error, text in (
        (card(2, id="nic1"), ConfigError, "has a device 'nic1' already"),
        (card(1), ConfigError, "same MAC"),
        (card(2, settings={"mqq": "on"}), ConfigError, "Did you mean 'mq'"),
        (OtherDevice("virtio-rgn-pci"), ConfigError, "virtio-rng-pci"),
        (Disk(str(tmp_path / "none.raw")), ImageError, "does not exist"),
        (Disk(str(tmp_path / "none.raw"), interface="ide"), VmStateError, "interface 'ide'"),
        (
            Disk(str(tmp_path / "none.raw"), interface="scsi"),
            VmStateError,
            "without a SCSI",
        ),
    ):
        with pytest.raises(error, match=text):
            await plugging.plug(instance, device)
    assert await everything(instance) == before


async def test_device_of_the_command_line_can_go(start: Start) -> None:
    instance = await start(vm(devices=(card(1, id="nic1", backend=UserBackend()),)))
    await unplugged(instance, "nic1")
    now = await everything(instance)
    assert "nic1" not in now["devices"]
    assert "nic1-net" not in now["networks"]


async def test_guest_that_does_not_let_go(start: Start) -> None:
    instance = await start(vm())
    await plugging.plug(instance, card(backend=UserBackend()))
    with pytest.raises(WaitTimeout, match=r"did not let go of 'plug0' within 0\.\d s.*acpiphp"):
        await plugging.unplug(instance, "plug0", Deadline(0.2))
    await instance.pause()
    with pytest.raises(WaitTimeout, match=r"The VM is paused; only a running guest"):
        await plugging.unplug(instance, "plug0", Deadline(0.2))
    await instance.resume()
    # The guest lets go after all, when nobody waits any more.
    await instance.reset()
    while "plug0" in (await everything(instance))["devices"]:
        await asyncio.sleep(0.01)
    await plugging.unplug(instance, "plug0", Deadline(SECONDS))
    assert "plug0-net" not in (await everything(instance))["networks"]


async def test_what_cannot_be_unplugged(start: Start) -> None:
    instance = await start(vm(devices=(card(1, id="nic1"),)))
    with pytest.raises(ConfigError, match=r"no device 'nic2'\. Did you mean 'nic1'"):
        await plugging.unplug(instance, "nic2", Deadline(SECONDS))
    with pytest.raises(ConfigError, match="'rng-device0' belongs to the library and stays"):
        await plugging.unplug(instance, names.RNG_DEVICE, Deadline(SECONDS))
    q35 = await start(vm("q35", devices=(card(1, id="nic1"),)))
    with pytest.raises(VmStateError, match=r"'nic1' cannot be unplugged: .*hotplugging"):
        await plugging.unplug(q35, "nic1", Deadline(SECONDS))


async def test_tap_is_made_and_removed_with_its_card(start: Start) -> None:
    need_root()
    instance = await start(vm())
    before = set(os.listdir("/sys/class/net"))
    for _ in range(2):
        await plugging.plug(instance, card(backend=TapBackend()))
        path = "/machine/peripheral/plug0"
        assert await ask(instance, "qom-get", path=path, property="netdev") == "plug0-net"
        text = await instance.human("info network", timeout=SECONDS)
        tap = text.split("ifname=")[1].split(",")[0]
        assert Path("/sys/class/net", tap).exists()
        await unplugged(instance, "plug0")
        assert not Path("/sys/class/net", tap).exists()
    await plugging.plug(instance, card(backend=TapBackend()))
    text = await instance.human("info network", timeout=SECONDS)
    tap = text.split("ifname=")[1].split(",")[0]
    assert tap not in before
    await _end(instance)
    assert not Path("/sys/class/net", tap).exists()


def test_this_machine_has_what_the_tests_need() -> None:
    assert shutil.which("qemu-img"), "qemu-img is missing: apt-get install qemu-utils"
