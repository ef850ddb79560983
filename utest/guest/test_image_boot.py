"""The real embedded guest, built from real packages, on a real QEMU."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import paramiko
import pytest

from DtsVirtLibrary.cache import cache_directory
from DtsVirtLibrary.guest.banner import wait_for_banner
from DtsVirtLibrary.guest.image import GUEST_APPEND, GuestImage, embedded_guest
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.loop import Deadline
from utest.guest.booting import BOOT_SECONDS, booted, ended

pytestmark = pytest.mark.qemu

MAC = "52:54:00:12:34:56"
OTHER_MAC = "52:54:00:12:34:57"


@pytest.fixture
async def host() -> AsyncIterator[LocalHost]:
    host = LocalHost()
    yield host
    await host.close()


@pytest.fixture
async def image(host: LocalHost) -> GuestImage:
    return await embedded_guest(host, await cache_directory(host), progress=print)


def kernel_of(image: GuestImage, append: str = "") -> list[str]:
    words = f"{GUEST_APPEND} authorized_key={image.authorized_key} {append}"
    return ["-kernel", image.kernel, "-initrd", image.initrd, "-append", words]


def empty_disk(path: Path) -> str:
    with path.open("wb") as file:
        file.truncate(1024 * 1024)
    return str(path)


async def test_everything_that_a_tester_needs_is_there(
    host: LocalHost, image: GuestImage, tmp_path: Path
) -> None:
    arguments = [
        *kernel_of(image, f"hostname=vm0 host_connect={MAC} hugepages=4"),
        *f"-M pc -device virtio-net-pci,netdev=control,mac={MAC},addr=5".split(),
        *f"-device e1000,mac={OTHER_MAC},addr=3".split(),
        *["-drive", f"file={empty_disk(tmp_path / 'ide.img')},format=raw,if=ide"],
        *["-drive", f"file={empty_disk(tmp_path / 'virtio.img')},format=raw,if=virtio"],
    ]
    async with booted(host, tmp_path, arguments) as guest:
        port = await guest.ssh_port()
        await wait_for_banner("guest", "127.0.0.1", port, deadline=Deadline(BOOT_SECONDS))
        await asyncio.to_thread(use_over_ssh, port, image)
        assert await guest.sh("uname -r; hostname") == f"{image.manifest.kernel}\nvm0\n"
        interfaces = {one.name: one for one in await guest.agent.interfaces()}
        assert interfaces["host_connect"].mac == MAC
        assert "10.0.2.15" in [one.address for one in interfaces["host_connect"].addresses]
        others = [one for name, one in interfaces.items() if name not in ("lo", "host_connect")]
        assert [(one.mac, one.addresses) for one in others] == [(OTHER_MAC, ())]
        assert await guest.sh("ls /sys/class/block | sort") == "sda\nvda\n"
        assert "hugetlbfs" in await guest.sh("grep /dev/hugepages /proc/mounts")
        assert "00:05.0 Class 0200: 1af4:1000" in await guest.sh("lspci")
        await guest.sh("ping -c 1 10.0.2.2; taskset 1 nproc; free; ip route; ethtool || true")
        # Whoever ended is waited for, if not at once.
        await wait_for(guest.sh, "! grep -q '^State:.Z' /proc/[0-9]*/status")

        await guest.monitor.execute("system_powerdown")

        assert await ended(guest) == 0
        shutdown = next(event for event in guest.monitor.events if event.name == "SHUTDOWN")
        assert shutdown.data["reason"] == "guest-shutdown"
        assert "dtsvirt guest: host_connect has 10.0.2.15" in guest.serial.read_text()


async def test_the_card_at_1f_is_the_control_card_and_a_reboot_is_the_same_again(
    host: LocalHost, image: GuestImage, tmp_path: Path
) -> None:
    arguments = [
        *kernel_of(image),
        *f"-M pc -device e1000,netdev=control,mac={MAC},addr=1f".split(),
        *f"-device virtio-net-pci,mac={OTHER_MAC},addr=3".split(),
    ]
    async with booted(host, tmp_path, arguments) as guest:
        boot = await guest.agent.boot_id()
        host_key = await wait_for(guest.sh, "cat /run/ssh_host_ed25519_key | md5sum")
        await guest.agent.shutdown("reboot")
        await guest.readiness.wait_for_boot(boot, Deadline(BOOT_SECONDS))
        address = "ip -4 addr show host_connect | grep -o 10.0.2.15/24"
        assert await wait_for(guest.sh, address) == "10.0.2.15/24\n"
        assert await guest.sh("cat /sys/class/net/host_connect/address") == f"{MAC}\n"
        assert await wait_for(guest.sh, "cat /run/ssh_host_ed25519_key | md5sum") != host_key

        await guest.agent.shutdown("powerdown")

        assert await ended(guest) == 0


async def test_q35_with_its_disk_and_card_and_a_card_plugged_in_later(
    host: LocalHost, image: GuestImage, tmp_path: Path
) -> None:
    arguments = [
        *kernel_of(image, f"host_connect={MAC}"),
        *f"-M q35 -device virtio-net-pci,netdev=control,mac={MAC}".split(),
        *["-device", "pcie-root-port,id=slot0,chassis=1"],
        *["-drive", f"file={empty_disk(tmp_path / 'sata.img')},format=raw,if=ide"],
    ]
    async with booted(host, tmp_path, arguments) as guest:
        assert await wait_for(guest.sh, "ls /sys/class/block | grep sda") == "sda\n"
        await guest.monitor.execute(
            "device_add", {"driver": "e1000e", "bus": "slot0", "mac": OTHER_MAC}
        )
        assert await wait_for(guest.sh, f"grep -l {OTHER_MAC} /sys/class/net/*/address")

        await guest.agent.shutdown("halt")
        await guest.monitor.execute("quit")

        assert await ended(guest) == 0


async def test_building_again_gives_the_same_bytes(
    host: LocalHost, image: GuestImage, tmp_path: Path
) -> None:
    again = await embedded_guest(host, str(tmp_path / "one"), progress=print)
    if again.manifest.content != image.manifest.content:
        # Debian has newer packages than those of the build that the cache holds.
        image = await embedded_guest(host, str(tmp_path / "other"), progress=print)

    assert again.manifest == image.manifest


async def wait_for(sh: Any, script: str) -> str:
    """Return what a script prints in the guest, once it succeeds."""
    text: str = await sh(f"until {script}; do usleep 50000; done 2>/dev/null")
    return text


def use_over_ssh(port: int, image: GuestImage) -> None:
    """Log in by key alone, run a command, use the shell and transfer a file."""
    for password in ("", "tester", "root"):
        with pytest.raises(paramiko.AuthenticationException), connected(port, password=password):
            pass
    with connected(port, key_filename=image.key) as client:
        _, output, _ = client.exec_command(
            "insmod --help 2>/dev/null; id -un", timeout=BOOT_SECONDS
        )
        assert output.read() == b"root\n"
        check_shell(client)
        check_transfer(client)


@contextmanager
def connected(port: int, **credentials: Any) -> Iterator[paramiko.SSHClient]:
    with paramiko.SSHClient() as client:
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        client.connect(
            "127.0.0.1",
            port,
            "root",
            **credentials,
            allow_agent=False,
            look_for_keys=False,
            banner_timeout=BOOT_SECONDS,
            auth_timeout=BOOT_SECONDS,
            channel_timeout=BOOT_SECONDS,
        )
        yield client


def check_shell(client: paramiko.SSHClient) -> None:
    shell = client.invoke_shell()
    shell.settimeout(BOOT_SECONDS)
    seen = b""
    while not seen.endswith(b"root@vm0:~# "):
        data = shell.recv(1024)
        assert data, seen
        seen += data


def check_transfer(client: paramiko.SSHClient) -> None:
    data = bytes(range(256)) * 40
    with client.open_sftp() as sftp:
        sftp.putfo(BytesIO(data), "/tmp/data")
        back = BytesIO()
        sftp.getfo("/tmp/data", back)
    assert back.getvalue() == data
