"""What the doctor says on good and bad machines."""

from __future__ import annotations

import json
from typing import cast

import pytest
from fake_host import (
    NODE_POOL,
    POOL,
    USER_CAPABILITIES,
    FakeHost,
    pool_files,
)

from DtsVirtLibrary.cli.doctor import examine
from DtsVirtLibrary.cli.findings import Finding, Status, as_json, as_text, ready
from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.host.protocol import Host

QEMU = "/usr/bin/qemu-system-x86_64"
TEN = {"qemu": {"major": 10, "minor": 0, "micro": 2}, "package": ""}
FIVE = {"qemu": {"major": 5, "minor": 2, "micro": 0}, "package": ""}


@pytest.fixture
def host() -> FakeHost:
    return FakeHost()


async def findings(host: FakeHost) -> dict[str, Finding]:
    return {f"{found.group}/{found.name}": found for found in await examine(cast(Host, host))}


async def finding(host: FakeHost, key: str) -> Finding:
    found = await findings(host)
    assert key in found, f"{key} is not among {sorted(found)}"
    return found[key]


async def test_a_good_machine_is_ready_and_nothing_is_missing(host: FakeHost) -> None:
    found = await findings(host)
    assert ready(found.values())
    assert [one for one in found.values() if one.status is Status.MISSING] == []
    assert found["QEMU/qemu-system-x86_64"].text == f"version 7.2.22 ({QEMU})"
    assert found["Accelerator/KVM"].status is Status.OK


async def test_missing_qemu_is_the_one_thing_that_blocks(host: FakeHost) -> None:
    host.versions.clear()
    host.programs.pop("qemu-system-x86_64")
    found = await findings(host)
    assert not ready(found.values())
    assert [one.name for one in found.values() if one.blocks] == ["qemu-system-x86_64"]
    assert "not installed" in found["QEMU/qemu-system-x86_64"].text
    assert "apt-get install" in found["QEMU/qemu-system-x86_64"].remedy
    assert "not tried" in found["Accelerator/KVM"].text


async def test_a_qemu_that_is_too_old_blocks(host: FakeHost) -> None:
    host.versions[QEMU] = FIVE
    found = await findings(host)
    assert not ready(found.values())
    assert "5.2.0" in found["QEMU/qemu-system-x86_64"].text


async def test_another_qemu_is_listed_with_its_version(host: FakeHost) -> None:
    fetched = "/home/ada/.cache/dtsvirt/qemu-10.0.2/qemu-system-x86_64"
    host.versions[fetched] = TEN
    found = await finding(host, f"QEMU/{fetched}")
    assert found.status is Status.OK
    assert "version 10.0.2" in found.text


async def test_another_qemu_that_is_broken_does_not_block(host: FakeHost) -> None:
    host.versions["/usr/libexec/qemu-kvm"] = FIVE
    found = await findings(host)
    assert found["QEMU//usr/libexec/qemu-kvm"].status is Status.NOTE
    assert ready(found.values())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda host: host.devices.discard("/dev/kvm"), "there is no /dev/kvm"),
        (lambda host: host.files.update({"/proc/cpuinfo": "flags : fpu\n"}), "no vmx or svm"),
        (lambda host: host.closed.add("/dev/kvm"), "group kvm"),
        (lambda host: setattr(host, "kvm_starts", False), "MSR 0x10a"),
    ],
)
async def test_kvm_that_cannot_be_used_is_a_note_with_the_reason(
    host: FakeHost, change: object, words: str
) -> None:
    assert callable(change)
    change(host)
    found = await findings(host)
    assert found["Accelerator/KVM"].status is Status.NOTE
    assert words in found["Accelerator/KVM"].text
    assert ready(found.values())


async def test_a_missing_debian_package_names_its_use_and_its_remedy(host: FakeHost) -> None:
    host.installed.pop("qemu-utils")
    found = await finding(host, "Debian packages/qemu-utils")
    assert found.status is Status.MISSING
    assert "qemu-img" in found.text
    assert found.remedy.endswith("apt-get install --no-install-recommends qemu-utils")


async def test_a_package_that_only_tests_need_is_a_note(host: FakeHost) -> None:
    host.installed.pop("iproute2")
    assert (await finding(host, "Debian packages/iproute2")).status is Status.NOTE


async def test_another_system_than_debian_is_a_note(host: FakeHost) -> None:
    host.programs.pop("dpkg-query")
    found = await findings(host)
    assert found["Debian packages/dpkg"].status is Status.NOTE
    assert ready(found.values())


async def test_python_packages_are_compared_with_their_floors(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = ["robotframework>=7.0", "no-such-package>=1.0", 'pytest; extra == "test"']
    monkeypatch.setattr("importlib.metadata.requires", lambda _: wanted)
    monkeypatch.setattr("importlib.metadata.version", versions({"robotframework": "6.9.1"}))
    found = await findings(host)
    assert "6.9.1 is too old; 7.0 or newer" in found["Python/robotframework"].text
    assert found["Python/no-such-package"].text == "not installed"
    assert "Python/pytest" not in found
    assert not ready(found.values())


def versions(known: dict[str, str]) -> object:
    from importlib.metadata import PackageNotFoundError

    def version(name: str) -> str:
        if name not in known:
            raise PackageNotFoundError(name)
        return known[name]

    return version


async def test_hugepages_are_told_by_size_and_node(host: FakeHost) -> None:
    found = await findings(host)
    assert found["Hugepages/2 MiB, whole host"].text == "64 reserved, 60 available"
    assert found["Hugepages/2 MiB, node 0"].status is Status.OK


async def test_no_reserved_hugepages_is_a_note_with_the_command(host: FakeHost) -> None:
    host.files.update({**pool_files(POOL, 0, 0), **pool_files(NODE_POOL, 0, 0)})
    found = await findings(host)
    whole = found["Hugepages/2 MiB, whole host"]
    assert whole.status is Status.NOTE
    assert f"echo NUMBER > {POOL}/nr_hugepages" in whole.remedy
    assert ready(found.values())


async def test_a_kernel_without_hugepages(host: FakeHost) -> None:
    host.files = {path: text for path, text in host.files.items() if "hugepages" not in path}
    assert (await finding(host, "Hugepages/hugepages")).status is Status.NOTE


async def test_an_ordinary_user_may_start_vms(host: FakeHost) -> None:
    host.uid = 1000
    host.files["/proc/self/status"] = USER_CAPABILITIES
    host.closed.update({"/dev/vhost-net", "/dev/vfio/vfio"})
    found = await findings(host)
    assert found["Rights/user"].text == "uid 1000"
    assert found["Rights/CAP_NET_ADMIN"].status is Status.NOTE
    assert "may not open it" in found["Rights//dev/vhost-net"].text
    assert ready(found.values())


async def test_missing_device_files_name_their_module(host: FakeHost) -> None:
    host.devices -= {"/dev/net/tun", "/dev/vhost-net", "/dev/vfio/vfio"}
    found = await findings(host)
    assert found["Rights//dev/net/tun"].remedy == "as root: modprobe tun"
    assert found["Rights//dev/vhost-net"].remedy == "as root: modprobe vhost_net"
    assert found["Rights//dev/vfio/vfio"].remedy == "as root: modprobe vfio-pci"


async def test_no_iommu_is_a_note(host: FakeHost) -> None:
    host.directories.pop("/sys/kernel/iommu_groups")
    found = await finding(host, "Rights/IOMMU")
    assert found.status is Status.NOTE
    assert "intel_iommu=on" in found.remedy


async def test_loopback_that_is_down_is_missing_with_the_remedy(host: FakeHost) -> None:
    host.files["/sys/class/net/lo/flags"] = "0x8\n"
    found = await findings(host)
    assert found["Network/lo"].status is Status.MISSING
    assert found["Network/lo"].remedy == "as root: ip link set lo up"
    assert ready(found.values())


async def test_no_room_in_the_runtime_directory_blocks(host: FakeHost) -> None:
    host.free = 10 * 1024 * 1024
    found = await findings(host)
    assert found["Space/runtime directory"].blocks
    assert "10 MiB free" in found["Space/runtime directory"].text
    assert found["Space/cache directory"].status is Status.NOTE


async def test_a_runtime_directory_of_somebody_else_blocks(host: FakeHost) -> None:
    host.private_error = "/run/user/0 belongs to uid 7"
    found = await findings(host)
    assert found["Space/runtime directory"].blocks
    assert "belongs to uid 7" in found["Space/runtime directory"].text


async def test_a_relative_cache_directory_is_refused_at_once(host: FakeHost) -> None:
    host.variables["DTSVIRT_CACHE"] = "here"
    with pytest.raises(HostError, match="must be an absolute path, not 'here'"):
        await examine(cast(Host, host))


async def test_text_has_a_remedy_under_each_line_and_a_verdict_at_the_end(host: FakeHost) -> None:
    host.versions.clear()
    host.programs.pop("qemu-system-x86_64")
    lines = as_text(list((await findings(host)).values())).splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("  missing  qemu-system-x86_64"))
    assert lines[at - 1] == "QEMU"
    assert lines[at + 1].lstrip().startswith("-> as root: apt-get install")
    assert lines[-1] == (
        "Virtual machines cannot be started here: qemu-system-x86_64 must be put right."
    )


async def test_json_has_the_documented_shape(host: FakeHost) -> None:
    found = list((await findings(host)).values())
    document = json.loads(as_json(found, host="fakehost", version="1.2"))
    assert set(document) == {"host", "version", "ready", "findings"}
    assert (document["host"], document["version"], document["ready"]) == ("fakehost", "1.2", True)
    assert len(document["findings"]) == len(found)
    for row in document["findings"]:
        assert set(row) == {"group", "name", "status", "text", "remedy", "required"}
        assert row["status"] in {"ok", "missing", "note"}
        assert isinstance(row["required"], bool)
