"""The probe, on the installed QEMU and on what is no QEMU."""

from __future__ import annotations

import json
import stat
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from DtsVirtLibrary.errors import HypervisorMissing
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.host.protocol import Completed, FileKind, FileStatus
from DtsVirtLibrary.qemu.binary.facts import BinaryFacts, from_json, to_json
from DtsVirtLibrary.qemu.binary.probe import probe


@pytest_asyncio.fixture
async def host() -> AsyncIterator[LocalHost]:
    """Yield this machine."""
    local = LocalHost()
    yield local
    await local.close()


class DyingQemuHost(LocalHost):
    """A host whose QEMU ends when it is asked for some types, and loses its last answers."""

    def __init__(self, *, lost: int) -> None:
        super().__init__()
        self._lost = lost
        self._deadly = {"type7", "type39"}
        self._types = [*(f"type{number}" for number in range(40)), "virtio-gpu-gl-pci"]

    async def which(self, program: str) -> str:
        return program

    async def status(self, path: object, *, follow: bool = True) -> FileStatus:
        return FileStatus(FileKind.FILE, 1, 0o755, 0, 1)

    async def run(self, argv: Sequence[str], **options: Any) -> Completed:
        lines = [json.dumps(greeting(9, 0))]
        for line in options["stdin"].decode().splitlines():
            question = json.loads(line)
            if question["arguments"].get("typename") in self._deadly:
                kept = lines[: max(2, len(lines) - self._lost)]
                return Completed(tuple(argv), -6, "\n".join(kept), "missing object type")
            lines.append(json.dumps({"return": self._answer(**question)}))
        return Completed(tuple(argv), 0, "\n".join(lines), "")

    def _answer(self, execute: str, arguments: dict[str, Any]) -> object:
        if execute == "query-version":
            return {"qemu": {"major": 9, "minor": 0, "micro": 0}, "package": ""}
        if execute == "query-machines":
            return [{"name": "pc-i440fx", "alias": "pc", "cpu-max": 255}]
        if execute == "qom-list-types":
            return [{"name": name} for name in self._types]
        if "typename" in arguments:
            return [{"name": f"of-{arguments['typename']}", "type": "bool"}]
        return []


def program(path: Path, text: str) -> str:
    """Write an executable script."""
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def talking(greeting: dict[str, object]) -> str:
    """Return a script that greets like QEMU, and says nothing more."""
    return f"#!/bin/sh\ncat <<'EOF'\n{json.dumps(greeting)}\nEOF\n"


def greeting(major: int, minor: int) -> dict[str, object]:
    """Return QMP's greeting by a QEMU of this version."""
    return {"QMP": {"version": {"qemu": {"major": major, "minor": minor, "micro": 0}}}}


@pytest.mark.qemu
async def test_installed_qemu_tells_what_it_can(host: LocalHost, tmp_path: Path) -> None:
    facts = await probe(host, None, tmp_path)
    assert facts.path.startswith("/")
    assert facts.version >= (6, 2, 0)
    assert facts.version_text.count(".") == 2
    assert facts.default_machine == "pc"
    pc, q35 = facts.machine("pc"), facts.machine("q35")
    assert pc
    assert pc.name.startswith("pc-i440fx-")
    assert facts.machine(pc.name) == pc
    assert q35
    assert q35.cpu_max >= 255
    assert facts.machine("nosuch") is None
    assert {"pc", "q35", pc.name} <= set(facts.machine_names())
    assert facts.machine_properties["q35"]["smm"] == "OnOffAuto"
    card = facts.devices["virtio-net-pci"]
    assert card
    assert card["mq"] == "bool"
    assert card["vectors"] == "uint32"
    assert "virtio-backend" not in card
    assert "virtio-net-pci" in facts.pci_devices
    assert "virtserialport" not in facts.pci_devices
    assert "max-x86_64-cpu" not in facts.devices
    assert "memory-backend-memfd" in facts.objects
    assert {"max", "host", "qemu64"} <= facts.cpu_models
    assert facts.has_option("sandbox", "spawn")
    assert not facts.has_option("sandbox", "nosuch")
    assert not facts.has_option("nosuch")


@pytest.mark.qemu
async def test_second_probe_comes_from_the_cache(host: LocalHost, tmp_path: Path) -> None:
    first = await probe(host, None, tmp_path / "new" / "cache")
    (kept,) = (tmp_path / "new" / "cache").iterdir()
    changed = json.loads(kept.read_text()) | {"package": "from the cache"}
    kept.write_text(json.dumps(changed))
    second = await probe(host, first.path, tmp_path / "new" / "cache")
    assert second.package == "from the cache"
    assert second.devices == first.devices


@pytest.mark.qemu
@pytest.mark.parametrize("text", ["", "{", "[]", '{"format":1}', '{"format":0,"path":"/x"}'])
async def test_broken_cache_is_replaced(host: LocalHost, tmp_path: Path, text: str) -> None:
    first = await probe(host, None, tmp_path)
    (kept,) = tmp_path.iterdir()
    kept.write_text(text)
    assert await probe(host, None, tmp_path) == first
    assert from_json(kept.read_text()) == first


@pytest.mark.qemu
async def test_cache_that_cannot_be_written_is_done_without(
    host: LocalHost, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    facts = await probe(host, None, tmp_path / "file" / "cache")
    assert facts.machine("pc")


@pytest.mark.qemu
async def test_changed_binary_is_asked_anew(host: LocalHost, tmp_path: Path) -> None:
    real = await host.which("qemu-system-x86_64")
    script = program(tmp_path / "qemu", f'#!/bin/sh\nexec {real} "$@"\n')
    await probe(host, script, tmp_path / "cache")
    program(tmp_path / "qemu", f'#!/bin/sh\n# Another size.\nexec {real} "$@"\n')
    await probe(host, script, tmp_path / "cache")
    # What was found of the former one is of no more use.
    assert len(list((tmp_path / "cache").iterdir())) == 1


@pytest.mark.qemu
async def test_what_other_binaries_are_stays_while_they_are_there(
    host: LocalHost, tmp_path: Path
) -> None:
    real = await host.which("qemu-system-x86_64")
    first = program(tmp_path / "first", f'#!/bin/sh\nexec {real} "$@"\n')
    second = program(tmp_path / "second", f'#!/bin/sh\nexec {real} "$@"\n')
    cache = tmp_path / "cache"
    (cache / "guest").mkdir(parents=True)
    (cache / "notes.json").write_text("another's")
    await probe(host, first, cache)
    await probe(host, second, cache)
    assert len(list(cache.glob("qemu-*.json"))) == 2
    Path(first).unlink()
    third = program(tmp_path / "third", f'#!/bin/sh\nexec {real} "$@"\n')
    await probe(host, third, cache)
    kept = {from_json(path.read_text()).path for path in cache.glob("qemu-*.json")}
    assert kept == {second, third}
    assert (cache / "guest").is_dir()
    assert (cache / "notes.json").exists()


@pytest.mark.parametrize("lost", [0, 1, 5])
async def test_types_that_the_binary_dies_of_stay_unknown(tmp_path: Path, lost: int) -> None:
    host = DyingQemuHost(lost=lost)
    facts = await probe(host, "/q", tmp_path)  # type: ignore[arg-type]
    unknown = {name for name, found in facts.devices.items() if found is None}
    assert unknown == {"type7", "type39", "virtio-gpu-gl-pci"}
    assert facts.devices["type8"] == {"of-type8": "bool"}
    assert facts.machine_properties == {"pc": {"of-pc-i440fx-machine": "bool"}}


@pytest.mark.fault(2)
async def test_missing_binary_is_named_with_the_package(host: LocalHost, tmp_path: Path) -> None:
    with pytest.raises(HypervisorMissing) as caught:
        await probe(host, "/nosuch/qemu", tmp_path)
    assert "QEMU binary '/nosuch/qemu' does not exist on" in str(caught.value)
    assert "apt-get install --no-install-recommends qemu-system-x86" in str(caught.value)


async def test_no_binary_on_the_path(
    host: LocalHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("DtsVirtLibrary.qemu.binary.probe.DEFAULT_BINARY", "qemu-system-nowhere")
    with pytest.raises(
        HypervisorMissing, match=r"QEMU is not installed on .*: no qemu-system-nowhere"
    ):
        await probe(host, None, tmp_path)


@pytest.mark.fault(2)
async def test_file_that_is_not_executable(host: LocalHost, tmp_path: Path) -> None:
    (tmp_path / "qemu").write_text("")
    with pytest.raises(HypervisorMissing, match="is not an executable file"):
        await probe(host, str(tmp_path / "qemu"), tmp_path)


async def test_directory_is_no_binary(host: LocalHost, tmp_path: Path) -> None:
    with pytest.raises(HypervisorMissing, match="is not an executable file"):
        await probe(host, str(tmp_path), tmp_path)


async def test_program_that_is_not_qemu(host: LocalHost, tmp_path: Path) -> None:
    script = program(tmp_path / "qemu", "#!/bin/sh\necho no such option >&2\nexit 1\n")
    with pytest.raises(HypervisorMissing) as caught:
        await probe(host, script, tmp_path)
    assert "does not answer like a QEMU system emulator" in str(caught.value)
    assert "no such option" in str(caught.value)


@pytest.mark.fault(2)
async def test_file_in_no_executable_format(host: LocalHost, tmp_path: Path) -> None:
    script = program(tmp_path / "qemu", "\x7fELF no")
    with pytest.raises(HypervisorMissing, match=r"cannot be run|does not answer"):
        await probe(host, script, tmp_path)


async def test_old_qemu_is_refused_with_the_oldest_that_does(
    host: LocalHost, tmp_path: Path
) -> None:
    script = program(tmp_path / "qemu", talking(greeting(5, 2)))
    with pytest.raises(HypervisorMissing, match=r"version 5\.2\.0; 6\.2 is the oldest"):
        await probe(host, script, tmp_path)


async def test_qemu_that_stops_answering(host: LocalHost, tmp_path: Path) -> None:
    script = program(tmp_path / "qemu", talking(greeting(9, 0)))
    with pytest.raises(HypervisorMissing, match="Answers: 0 of 7"):
        await probe(host, script, tmp_path)
    assert list(tmp_path.iterdir()) == [tmp_path / "qemu"]


async def test_answers_of_another_shape_are_those_of_no_qemu(
    host: LocalHost, tmp_path: Path
) -> None:
    lines = [json.dumps(greeting(9, 0)), *['{"return": [{"name": 5}]}'] * 9]
    script = program(tmp_path / "qemu", "\n".join(["#!/bin/sh", "cat <<'EOF'", *lines, "EOF", ""]))
    with pytest.raises(HypervisorMissing) as caught:
        await probe(host, script, tmp_path)
    assert "does not answer like a QEMU system emulator" in str(caught.value)
    assert "query-version: it is not of type object" in str(caught.value)
    assert "query-machines: it[0].name is not of type str: 5" in str(caught.value)


@pytest.mark.parametrize("text", ['{"QMP": "x"}', '{"QMP": {"version": {"qemu": 7}}}', "[" * 9999])
async def test_a_greeting_of_another_shape(host: LocalHost, tmp_path: Path, text: str) -> None:
    script = program(tmp_path / "qemu", f"#!/bin/sh\ncat <<'EOF'\n{text}\nEOF\n")
    with pytest.raises(HypervisorMissing, match="Answers: 0 of 7"):
        await probe(host, script, tmp_path)


def test_facts_survive_json() -> None:
    facts = BinaryFacts("/q", (7, 2, 1), devices={"a": {"b": "bool"}, "c": None})
    assert from_json(to_json(facts)) == facts
    assert to_json(from_json(to_json(facts))) == to_json(facts)
