"""What templates are made of, and which of them are taken."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest

from DtsVirtLibrary.errors import HostError, TemplateError, TemplateMissing
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.host.protocol import FileStatus, Host, HostPath
from DtsVirtLibrary.qemu.templates.clones import load
from DtsVirtLibrary.qemu.templates.manifest import (
    MANIFEST,
    STATE,
    GuestAsSaved,
    Manifest,
    manifest_of,
)
from DtsVirtLibrary.qemu.templates.store import LIMIT_VARIABLE, PLACE_VARIABLE, TemplateStore
from DtsVirtLibrary.results import GuestAddress, GuestInterface

KEY = "0123456789abcdef01234567"
ADDRESS = GuestAddress("10.0.2.15", 24, "ipv4")
INTERFACES = (GuestInterface("lo", None), GuestInterface("eth0", "52:54:00:00:00:01", (ADDRESS,)))
GUEST = GuestAsSaved(INTERFACES, listens=True, serves_ssh=True, host_keys=("ssh-ed25519 AAAA",))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "templates"
    monkeypatch.setenv(PLACE_VARIABLE, str(directory))
    return directory


@pytest.fixture
async def store(place: Path) -> AsyncIterator[TemplateStore]:
    host = LocalHost()
    yield TemplateStore(host)
    await host.close()


async def drafted(
    store: TemplateStore, key: str = KEY, size: int = 64 << 10
) -> tuple[str, Manifest]:
    """Return the directory and the manifest of a finished draft with `size` bytes of memory."""
    draft = Path(await store.draft(1))
    (draft / "memory").write_bytes(os.urandom(size))
    (draft / STATE).write_bytes(b"the devices' state")
    manifest = await manifest_of(LocalHost(), str(draft), key, "vm0", "7.2.22", 1, "words", GUEST)
    return str(draft), manifest


async def saved(store: TemplateStore, key: str = KEY, size: int = 64 << 10) -> Path:
    """Publish a template with `size` bytes of memory and return its directory."""
    draft, manifest = await drafted(store, key, size)
    await store.publish(draft, manifest)
    return Path(draft).parent / key


async def test_a_template_is_found_by_its_key_with_its_state(store: TemplateStore) -> None:
    directory = await saved(store)
    template = await store.find(KEY)
    assert template.directory == str(directory)
    assert template.memory == f"{directory}/memory"
    assert template.disk("disk0") == f"{directory}/disk0.qcow2"
    assert template.state == b"the devices' state"
    assert template.manifest.guest == GUEST
    assert await store.exists(KEY)


async def test_one_with_the_memory_in_its_state_leaves_that_unread(store: TemplateStore) -> None:
    draft = Path(await store.draft(1))
    (draft / STATE).write_bytes(b"devices and memory")
    manifest = await manifest_of(LocalHost(), str(draft), KEY, "vm0", "7.2.22", 1, "words", GUEST)
    await store.publish(str(draft), manifest)
    template = await store.find(KEY)
    assert template.memory is None
    assert template.state == b""
    assert Path(template.state_file).read_bytes() == b"devices and memory"
    os.truncate(template.state_file, 3)
    with pytest.raises(TemplateError, match="'state' has 3 bytes instead of 18"):
        await store.find(KEY)


async def test_another_key_finds_nothing(store: TemplateStore) -> None:
    await saved(store)
    with pytest.raises(TemplateMissing, match="There is no template fedc yet"):
        await store.find("fedc")


async def test_it_is_ours_alone(store: TemplateStore, place: Path) -> None:
    directory = await saved(store)
    assert place.stat().st_mode & 0o777 == 0o700
    assert directory.stat().st_mode & 0o777 == 0o700


def shorten(directory: Path) -> None:
    os.truncate(directory / "memory", 100)


def touch(directory: Path) -> None:
    os.utime(directory / "memory", ns=(1, 1))


def remove_memory(directory: Path) -> None:
    (directory / "memory").unlink()


def link(directory: Path) -> None:
    (directory / "memory").rename(directory.parent / "elsewhere")
    (directory / "memory").symlink_to(directory.parent / "elsewhere")


def corrupt_state(directory: Path) -> None:
    before = (directory / STATE).stat()
    (directory / STATE).write_bytes(b"the devices' STATE")
    os.utime(directory / STATE, ns=(before.st_atime_ns, before.st_mtime_ns))


def remove_manifest(directory: Path) -> None:
    (directory / MANIFEST).unlink()


def other_format(directory: Path) -> None:
    text = (directory / MANIFEST).read_text()
    manifest = Manifest.from_json(text)
    assert manifest is not None
    (directory / MANIFEST).write_bytes(replace(manifest, format=0).to_json())


def other_key(directory: Path) -> None:
    text = (directory / MANIFEST).read_text()
    (directory / MANIFEST).write_text(text.replace(KEY, KEY[::-1]))


def open_to_others(directory: Path) -> None:
    directory.chmod(0o755)


def link_directory(directory: Path) -> None:
    directory.rename(directory.parent / "moved")
    directory.symlink_to(directory.parent / "moved")


def no_json(directory: Path) -> None:
    (directory / MANIFEST).write_text('{"key":')


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (shorten, "'memory' has 100 bytes instead of 65536"),
        (touch, "'memory' was changed after it was saved"),
        (remove_memory, "'memory' is missing"),
        (link, "'memory' is missing"),
        (corrupt_state, "'state' is not what was saved"),
        (remove_manifest, "its manifest is missing or foreign"),
        (other_format, "its manifest is missing or foreign"),
        (other_key, "its manifest is missing or foreign"),
        (no_json, "its manifest is missing or foreign"),
        (open_to_others, "it is no directory of ours alone"),
        (link_directory, "it is no directory of ours alone"),
    ],
)
async def test_a_broken_one_is_discarded(store: TemplateStore, harm: object, words: str) -> None:
    directory = await saved(store)
    assert callable(harm)
    harm(directory)
    with pytest.raises(TemplateError, match=words) as caught:
        await store.find(KEY)
    assert not isinstance(caught.value, TemplateMissing)
    assert f"template {KEY} was broken and is removed" in caught.value.summary
    assert not directory.exists()


async def test_one_of_another_user_is_discarded(
    store: TemplateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = await saved(store)
    seen = LocalHost.status

    async def status(self: LocalHost, path: HostPath, *, follow: bool = True) -> FileStatus | None:
        found = await seen(self, path, follow=follow)
        if found is not None and str(path) == str(directory):
            return replace(found, uid=found.uid + 1)
        return found

    monkeypatch.setattr(LocalHost, "status", status)
    with pytest.raises(TemplateError, match="it is no directory of ours alone"):
        await store.find(KEY)
    assert not directory.exists()


async def test_a_template_replaces_one_of_the_same_key(store: TemplateStore) -> None:
    await saved(store, size=1000)
    directory = await saved(store, size=2000)
    assert (directory / "memory").stat().st_size == 2000
    assert [info.key for info in await store.infos()] == [KEY]


async def test_an_unfinished_one_is_none(store: TemplateStore, place: Path) -> None:
    draft = Path(await store.draft(1))
    (draft / MANIFEST).write_text("{}")
    assert await store.infos() == ()
    assert await store.clear() == 1
    assert list(place.iterdir()) == []


async def test_the_ones_not_used_for_longest_go_first(
    store: TemplateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, "1")
    first = await saved(store, "1" * 24, 300 << 10)
    second = await saved(store, "2" * 24, 300 << 10)
    for at, directory in enumerate((first, second)):
        await store.find(directory.name)
        os.utime(directory / "used", ns=(at, 2 - at))
    third = await saved(store, "3" * 24, 500 << 10)
    assert [first.exists(), second.exists(), third.exists()] == [True, False, True]


async def test_the_new_one_stays_even_if_it_is_above_the_limit(
    store: TemplateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, "0")
    assert (await saved(store)).exists()


async def test_without_room_none_is_begun(store: TemplateStore) -> None:
    with pytest.raises(TemplateError, match=r"needs \d+ MiB of room, and there is \d+ MiB in"):
        await store.draft(1 << 30)


async def test_in_memory_there_is_no_more_room_than_the_host_has_memory(
    store: TemplateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def tmpfs(self: LocalHost, path: HostPath) -> str:
        return "tmpfs"

    async def three(host: Host) -> int:
        return 3

    monkeypatch.setattr("DtsVirtLibrary.qemu.templates.store.available_mib", three)
    await store.draft(1)
    monkeypatch.setattr(LocalHost, "file_system", tmpfs)
    with pytest.raises(TemplateError, match=r"needs 257 MiB of room, and there is 3 MiB in"):
        await store.draft(1)


async def test_a_place_that_others_may_enter_is_not_used(store: TemplateStore, place: Path) -> None:
    place.mkdir(mode=0o755)
    with pytest.raises(TemplateError, match="there is no place that is ours alone"):
        await store.draft(1)
    assert await store.infos() == ()


async def test_a_link_to_elsewhere_is_no_place(
    store: TemplateStore, place: Path, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir(mode=0o700)
    place.symlink_to(tmp_path / "other")
    with pytest.raises(TemplateError, match="there is no place that is ours alone"):
        await store.draft(1)


async def test_a_relative_place_is_refused(
    store: TemplateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PLACE_VARIABLE, "templates")
    with pytest.raises(TemplateError, match="must be an absolute path, not 'templates'"):
        await store.find(KEY)


async def test_what_is_stored_is_told(store: TemplateStore) -> None:
    await saved(store)
    (info,) = await store.infos()
    assert (info.vm, info.version, info.memory_mib, info.description) == (
        "vm0",
        "7.2.22",
        1,
        "words",
    )
    assert info.size >= 64 << 10
    assert await store.remove(KEY)
    assert not await store.remove(KEY)


async def test_clearing_leaves_what_is_not_ours(store: TemplateStore, place: Path) -> None:
    await saved(store)
    (place / "thesis").mkdir()
    (place / "thesis/chapter.tex").write_text("years of work")
    (place / ".profile").write_text("")
    assert await store.clear() == 1
    assert sorted(path.name for path in place.iterdir()) == [".profile", "thesis"]
    assert (place / "thesis/chapter.tex").exists()


async def test_what_another_version_left_counts_and_goes_too(
    store: TemplateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, "1")
    foreign = await saved(store, "1" * 24, 900 << 10)
    (foreign / MANIFEST).write_text('{"format": 99}')
    os.utime(foreign / "used", ns=(1, 1))
    await saved(store, "2" * 24, 300 << 10)
    assert not foreign.exists()


async def test_a_template_is_published_even_if_others_cannot_be_removed(
    store: TemplateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(self: LocalHost, path: HostPath) -> list[str]:
        raise HostError("the directory cannot be listed")

    draft, manifest = await drafted(store)
    monkeypatch.setattr(LocalHost, "list_directory", fail)
    await store.publish(draft, manifest)
    assert (await store.find(KEY)).manifest == manifest


async def test_a_wrong_limit_is_told_before_anything_is_made(
    store: TemplateStore, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, "8G")
    with pytest.raises(TemplateError, match="must be a number of MiB, not '8G'"):
        await store.draft(1)
    assert not place.exists()


async def test_a_template_that_vanishes_while_it_is_checked_is_missing(
    store: TemplateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = await saved(store)
    seen = LocalHost.read_bytes

    async def read_bytes(
        self: LocalHost, path: HostPath, *, offset: int = 0, limit: int | None = None
    ) -> bytes:
        if str(path).endswith(STATE):
            await store.remove(KEY)
        return await seen(self, path, offset=offset, limit=limit)

    monkeypatch.setattr(LocalHost, "read_bytes", read_bytes)
    with pytest.raises(TemplateMissing, match="was replaced or removed"):
        await store.find(KEY)
    assert not directory.exists()


async def test_a_template_that_vanishes_once_it_is_checked_serves(
    store: TemplateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await saved(store)
    seen = LocalHost.write_bytes

    async def write_bytes(
        self: LocalHost, path: HostPath, data: bytes, *, mode: int = 0o600
    ) -> None:
        await store.remove(KEY)
        await seen(self, path, data, mode=mode)

    monkeypatch.setattr(LocalHost, "write_bytes", write_bytes)
    assert (await store.find(KEY)).state == b"the devices' state"


async def test_one_that_takes_a_broken_ones_place_stays(
    store: TemplateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = await saved(store, size=1000)
    seen = LocalHost.read_bytes

    async def read_bytes(
        self: LocalHost, path: HostPath, *, offset: int = 0, limit: int | None = None
    ) -> bytes:
        if not str(path).endswith(STATE):
            return await seen(self, path, offset=offset, limit=limit)
        monkeypatch.setattr(LocalHost, "read_bytes", seen)
        await saved(store, size=2000)
        return b"what was there before"

    monkeypatch.setattr(LocalHost, "read_bytes", read_bytes)
    with pytest.raises(TemplateMissing, match="was replaced or removed"):
        await store.find(KEY)
    await store.find(KEY)
    assert (directory / "memory").stat().st_size == 2000


async def test_a_template_that_cannot_serve_goes_but_its_successor_stays(
    store: TemplateStore, place: Path
) -> None:
    await saved(store, size=1000)
    former = await store.find(KEY)
    await store.require_unchanged(former)
    directory = await saved(store, size=2000)
    with pytest.raises(TemplateError, match=f"template {KEY} was replaced meanwhile: 'memory'"):
        await store.require_unchanged(former)
    await store.discard(former)
    assert (directory / "memory").stat().st_size == 2000
    await store.discard(await store.find(KEY))
    assert list(place.iterdir()) == []


async def test_disks_that_are_held_stay_as_they_were(store: TemplateStore, place: Path) -> None:
    directory = await saved(store)
    (directory / "disk0.qcow2").write_text("of the former")
    template = await store.find(KEY)
    held = Path(await store.hold(template, ["disk0"]))
    await saved(store)
    assert (held / "disk0.qcow2").read_text() == "of the former"
    with pytest.raises(HostError, match="disk0"):
        await store.hold(template, ["disk0"])
    assert {path.name for path in place.iterdir()} == {KEY, held.name}


async def test_a_new_one_replaces_those_in_every_place(
    store: TemplateStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [str(tmp_path / "memory"), str(tmp_path / "disk")]

    async def roots(self: TemplateStore, *, make: bool = False) -> list[str]:
        for place in places:
            Path(place).mkdir(mode=0o700, exist_ok=True)
        return places

    monkeypatch.setattr(TemplateStore, "roots", roots)
    former = await saved(store)
    places.reverse()
    latter = await saved(store, size=2000)
    places.reverse()
    assert not former.exists()
    assert (await store.find(KEY)).directory == str(latter)


async def test_a_clone_does_not_run_on_the_memory_of_one_template_and_the_state_of_another(
    store: TemplateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[bytes] = []

    async def load_state(monitor: object, state: bytes) -> None:
        loaded.append(state)
        if len(loaded) == 2:
            await saved(store, size=2000)

    monkeypatch.setattr("DtsVirtLibrary.qemu.templates.clones.load_state", load_state)
    await saved(store, size=1000)
    template = await store.find(KEY)
    qemu = Mock(spec_set=["monitor"])
    await load(qemu, store, template)
    with pytest.raises(TemplateError, match="was replaced meanwhile"):
        await load(qemu, store, template)
    assert loaded == [template.state] * 2


async def test_one_that_is_exchanged_while_it_is_removed_is_removed(
    store: TemplateStore, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await saved(store)
    seen = LocalHost.rename

    async def rename(self: LocalHost, old: HostPath, new: HostPath) -> None:
        monkeypatch.setattr(LocalHost, "rename", seen)
        raise HostError("there was none at this moment")

    monkeypatch.setattr(LocalHost, "rename", rename)
    assert await store.remove(KEY)
    assert list(place.iterdir()) == []


async def test_one_that_cannot_be_removed_is_told_but_hinders_no_start(
    store: TemplateStore, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def rename(self: LocalHost, old: HostPath, new: HostPath) -> None:
        raise HostError("it cannot be renamed")

    await saved(store)
    template = await store.find(KEY)
    monkeypatch.setattr(LocalHost, "rename", rename)
    with pytest.raises(HostError, match="it cannot be renamed"):
        await store.remove(KEY)
    await store.discard(template)
    assert [path.name for path in place.iterdir()] == [KEY]
