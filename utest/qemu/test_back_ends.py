"""Back ends that QEMU waits for, or fails with, are told from what it writes to stderr."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.qemu.start.back_ends import (
    FAILURES,
    failed_back_end,
    waits_for,
    watch_back_ends,
)
from DtsVirtLibrary.spec import Nic, UserBackend, VhostUserBackend, VmSpec

SPEC = VmSpec(
    "vm0",
    devices=(
        Nic(id="nic0", backend=VhostUserBackend("/s/0")),
        Nic(id="nic1", backend=VhostUserBackend("/s/1", server=True)),
        Nic(id="nic2", backend=UserBackend()),
    ),
)
# As QEMU 7.2 and 10.0 write them, again and again.
ROUND = (
    "qemu: -netdev vhost-user,id=nic0-net,chardev=nic0-chardev: "
    "Failed to read msg header. Read -1 instead of 12. Original request 1.\n"
    "qemu: -netdev vhost-user,id=nic0-net,chardev=nic0-chardev: "
    "vhost_backend_init failed: Protocol error\n"
    "qemu: -netdev vhost-user,id=nic0-net,chardev=nic0-chardev: "
    "failed to init vhost_net for queue 0\n"
)
WORDS = (
    "VM 'vm0': the vhost-user back end behind the socket '/s/0' does not talk to QEMU as one: "
    "Failed to read msg header. Read -1 instead of 12. Original request 1."
)


@pytest.fixture
def host() -> LocalHost:
    return LocalHost()


@pytest.fixture
def stderr(tmp_path: Path) -> Path:
    return tmp_path / "stderr.log"


def test_those_that_are_waited_for_are_named_with_their_part() -> None:
    assert waits_for(SPEC) == (
        " It waits for the vhost-user back end behind '/s/0'."
        " It listens on '/s/1' until the vhost-user back end connects."
    )
    assert waits_for(VmSpec("vm0")) == ""


@pytest.mark.fault(39, 40)
async def test_the_one_that_failed_is_named(host: LocalHost, stderr: Path) -> None:
    assert await failed_back_end(host, SPEC, str(stderr)) is None
    stderr.write_text(ROUND)
    error = await failed_back_end(host, SPEC, str(stderr))
    assert error is not None
    assert error.summary.startswith(WORDS)


async def test_a_few_failures_are_not_the_end(host: LocalHost, stderr: Path) -> None:
    stderr.write_text(ROUND * (FAILURES - 1))
    watch = asyncio.ensure_future(watch_back_ends(host, SPEC, str(stderr)))
    done, _ = await asyncio.wait({watch}, timeout=0.3)
    assert not done
    stderr.write_text(ROUND * FAILURES)
    assert (await asyncio.wait_for(watch, 30)).summary.startswith(WORDS)


async def test_other_words_are_no_failure_of_a_back_end(host: LocalHost, stderr: Path) -> None:
    stderr.write_text("qemu: warning: something Failed to please\n" * 100)
    assert await failed_back_end(host, SPEC, str(stderr)) is None
