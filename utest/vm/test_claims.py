"""What another run has is refused, with who has it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from DtsVirtLibrary.errors import BackendError, DtsVirtError, HostError, ImageInUse, PortInUse
from DtsVirtLibrary.host.identity import own_identity
from DtsVirtLibrary.host.ledger import driver_of
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.host.named_locks import NamedLocks
from DtsVirtLibrary.spec import (
    Disk,
    HostForward,
    HostPciDevice,
    Nic,
    Origin,
    Serial,
    TapBackend,
    UserBackend,
    VhostUserBackend,
    VmSpec,
    Vnc,
)
from DtsVirtLibrary.vm.claims import Claims

NOTHING = VmSpec("a")


@pytest.fixture
async def runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Claims, Claims]]:
    """The VM of one run, and that of another one of the same user."""
    monkeypatch.setenv("DTSVIRT_CACHE", str(tmp_path / "cache"))
    hosts = LocalHost(), LocalHost()
    yield Claims(hosts[0], "a", "Mine"), Claims(hosts[1], "b", "Top.Theirs")
    for host in hosts:
        await host.close()


def card(backend: UserBackend | TapBackend | VhostUserBackend) -> VmSpec:
    return VmSpec("a", devices=(Nic(backend=backend),))


TAP = card(TapBackend("tap7"))
IMAGE = Disk("/i/x.img", origin=Origin("a.cfg", 7))


@pytest.mark.parametrize(
    ("spec", "error", "what"),
    [
        pytest.param(
            card(UserBackend((HostForward(host_port=2222),))),
            PortInUse,
            "VM 'a': tcp port 2222 of the host",
            marks=pytest.mark.fault(25),
        ),
        pytest.param(
            VmSpec("a", vnc=Vnc(3)),
            PortInUse,
            "VM 'a': VNC display 3",
            marks=pytest.mark.fault(28),
        ),
        (
            VmSpec("a", serial=Serial("telnet", 4444)),
            PortInUse,
            "VM 'a': tcp port 4444 of the host",
        ),
        (TAP, HostError, "VM 'a': tap interface 'tap7'"),
        (card(VhostUserBackend("/s", server=True)), BackendError, "VM 'a': socket '/s'"),
        (VmSpec("a", monitor_path="/m"), HostError, "VM 'a': socket '/m'"),
        (
            VmSpec("a", devices=(HostPciDevice("0000:07:10.0", "pt_0"),)),
            HostError,
            "VM 'a': PCI function 0000:07:10.0 of the host",
        ),
        pytest.param(
            VmSpec("a", disks=(IMAGE,)),
            ImageInUse,
            "a.cfg:7: VM 'a': disk image '/i/x.img'",
            marks=pytest.mark.fault(15),
        ),
    ],
)
async def test_what_another_run_has_is_refused(
    runs: tuple[Claims, Claims], spec: VmSpec, error: type[DtsVirtError], what: str
) -> None:
    mine, theirs = runs
    await theirs.take(spec)
    with pytest.raises(error) as caught:
        await mine.take(spec)
    text = str(caught.value)
    holder = f"VM 'b': process {os.getpid()} of user "
    assert text.startswith(f"{what} is in use by {holder}"), text
    assert "suite 'Top.Theirs', since 20" in text
    await theirs.retain(None)
    await mine.take(spec)


async def test_what_is_only_read_is_shared(runs: tuple[Claims, Claims]) -> None:
    reading = VmSpec("a", disks=(Disk("/i/x.img", overlay=True),))
    for run in runs:
        await run.take(reading)
    await runs[0].retain(None)
    with pytest.raises(ImageInUse):
        await runs[0].take(VmSpec("a", disks=(IMAGE,)))


async def test_all_is_taken_or_nothing(runs: tuple[Claims, Claims]) -> None:
    mine, theirs = runs
    await theirs.take(VmSpec("b", disks=(Disk("/i/x.img"),)))
    both = VmSpec("a", devices=TAP.devices, disks=(Disk("/i/x.img"),))
    with pytest.raises(ImageInUse):
        await mine.take(both)
    await theirs.take(TAP)


async def test_what_is_unplugged_is_given_back(runs: tuple[Claims, Claims]) -> None:
    mine, theirs = runs
    await mine.take(VmSpec("a", devices=TAP.devices, disks=(IMAGE,)))
    await mine.retain(VmSpec("a", disks=(IMAGE,)))
    await theirs.take(TAP)
    with pytest.raises(ImageInUse):
        await theirs.take(VmSpec("b", disks=(IMAGE,)))


async def test_a_text_of_somebody_else_is_no_holder(
    runs: tuple[Claims, Claims], tmp_path: Path
) -> None:
    mine, theirs = runs
    await theirs.take(TAP)
    (lock,) = (tmp_path / "cache/locks").iterdir()
    lock.write_text("[]")
    with pytest.raises(HostError, match=r"tap interface 'tap7' is in use by somebody\. Name"):
        await mine.take(TAP)


async def test_a_vm_that_names_nothing_takes_nothing(
    runs: tuple[Claims, Claims], tmp_path: Path
) -> None:
    await runs[0].take(NOTHING)
    assert not (tmp_path / "cache").exists()


async def test_a_function_that_another_run_has_bound_is_refused(
    runs: tuple[Claims, Claims], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = LocalHost()

    async def cache() -> str:
        return str(tmp_path / "cache")

    keywords = NamedLocks(host, cache, "keywords", lambda: "Theirs")
    spec = VmSpec("a", devices=(HostPciDevice("0000:07:10.0", "pt_0"),))
    assert await keywords.take(driver_of("0000:07:10.0")) is None
    await runs[0].take(spec)
    await runs[0].retain(None)
    await keywords.free(driver_of("0000:07:10.0"))
    another = replace(own_identity(), pid=1)
    monkeypatch.setattr("DtsVirtLibrary.host.named_locks.own_identity", lambda: another)
    assert await keywords.take(driver_of("0000:07:10.0")) is None
    monkeypatch.undo()
    monkeypatch.setenv("DTSVIRT_CACHE", str(tmp_path / "cache"))
    with pytest.raises(HostError, match=r"VM 'a': PCI function 0000:07:10\.0 .* by keywords: proc"):
        await runs[0].take(spec)
    await host.close()
