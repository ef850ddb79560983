"""Whether KVM can be used: the reasons that cannot be provoked on one machine are faked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import pytest_asyncio

from DtsVirtLibrary.errors import AcceleratorError, CommandError
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.host.protocol import Completed, FileKind, FileStatus
from DtsVirtLibrary.qemu.binary.accelerator import AcceleratorFacts, choose, probe_accelerator
from DtsVirtLibrary.spec import Accelerator

CAPABLE = "processor\t: 0\nflags\t\t: fpu vme vmx sse\n"
TAKEN = Completed((), 0, '{"QMP": {}}\n{"return": {}}\n{"return": {}}\n', "")
USABLE = AcceleratorFacts(True)
USELESS = AcceleratorFacts(False, "there is no /dev/kvm.")


class FakeHost:
    """A host where each of the four things that are looked at can be amiss."""

    name = "dut1"

    def __init__(
        self,
        *,
        device: bool = True,
        cpuinfo: str = CAPABLE,
        allowed: bool = True,
        trial: Completed | CommandError = TAKEN,
    ) -> None:
        self._device = device
        self._cpuinfo = cpuinfo
        self._allowed = allowed
        self._trial = trial
        self.commands: list[tuple[str, ...]] = []

    async def status(self, path: str) -> FileStatus | None:
        assert path == "/dev/kvm"
        return FileStatus(FileKind.CHARACTER_DEVICE, 0, 0o660, 0, 0) if self._device else None

    async def read_text(self, path: str) -> str:
        assert path == "/proc/cpuinfo"
        return self._cpuinfo

    async def user_id(self) -> int:
        return 1000

    async def run(self, argv: Sequence[str], **_: Any) -> Completed:
        self.commands.append(tuple(argv))
        if argv[0] == "sh":
            return Completed(tuple(argv), 0 if self._allowed else 1, "", "")
        if isinstance(self._trial, CommandError):
            raise self._trial
        return self._trial


async def reason(host: FakeHost) -> str:
    """Return why KVM cannot be used on a host."""
    facts = await probe_accelerator(host, "/usr/bin/qemu")  # type: ignore[arg-type]
    assert not facts.kvm
    return facts.reason


@pytest.mark.parametrize("flag", ["vmx", "svm"])
async def test_kvm_that_works(flag: str) -> None:
    host = FakeHost(cpuinfo=f"flags : fpu {flag}\n")
    assert await probe_accelerator(host, "/q") == USABLE  # type: ignore[arg-type]
    assert host.commands[-1][0] == "/q"
    assert "kvm" in host.commands[-1]


@pytest.mark.fault(29)
async def test_no_device() -> None:
    text = await reason(FakeHost(device=False))
    assert text.startswith("there is no /dev/kvm on dut1.")
    assert "kvm_intel or kvm_amd" in text


async def test_device_on_a_processor_without_virtualization() -> None:
    text = await reason(FakeHost(cpuinfo="flags\t: fpu vme sse\nvmx flags\t: ept\n"))
    assert "no vmx or svm among the flags in /proc/cpuinfo" in text
    assert "nested" in text


@pytest.mark.fault(29)
async def test_no_rights() -> None:
    text = await reason(FakeHost(allowed=False))
    assert "user id 1000 may not read and write /dev/kvm on dut1" in text
    assert "usermod -aG kvm USER" in text


async def test_qemu_that_ends_when_it_uses_kvm() -> None:
    words = "warning\nqemu: kvm_init_vcpu failed: MSR 0x10a\n"
    text = await reason(FakeHost(trial=Completed((), -6, '{"QMP": {}}\n', words)))
    assert text.endswith("kvm_init_vcpu failed: MSR 0x10a")


async def test_greeting_alone_is_no_answer() -> None:
    text = await reason(FakeHost(trial=Completed((), 0, '{"QMP": {}}\n', "")))
    assert "does not start with '-accel kvm -cpu host': exit code 0" in text


async def test_trial_that_takes_too_long() -> None:
    text = await reason(FakeHost(trial=CommandError("it took 20 s")))
    assert "the trial of /usr/bin/qemu with KVM failed: it took 20 s" in text


@pytest_asyncio.fixture
async def host() -> AsyncIterator[LocalHost]:
    """Yield this machine."""
    local = LocalHost()
    yield local
    await local.close()


@pytest.mark.qemu
async def test_this_machine_gives_an_answer_and_a_reason(host: LocalHost) -> None:
    facts = await probe_accelerator(host, "qemu-system-x86_64")
    assert facts.kvm == (facts.reason == "")


@pytest.mark.parametrize(
    ("wanted", "facts", "chosen"),
    [
        (Accelerator.AUTO, USABLE, "kvm"),
        (Accelerator.AUTO, USELESS, "tcg"),
        (Accelerator.KVM, USABLE, "kvm"),
        (Accelerator.TCG, USABLE, "tcg"),
        (Accelerator.TCG, USELESS, "tcg"),
    ],
)
def test_choice(wanted: Accelerator, facts: AcceleratorFacts, chosen: str) -> None:
    assert choose(wanted, facts) == chosen


@pytest.mark.fault(29)
def test_kvm_that_is_demanded_and_useless_is_an_error() -> None:
    with pytest.raises(AcceleratorError) as caught:
        choose(Accelerator.KVM, USELESS)
    assert "KVM was demanded and cannot be used: there is no /dev/kvm." in str(caught.value)
    assert "'auto' or 'tcg'" in str(caught.value)
