"""Options of the command line as QMP commands."""

from __future__ import annotations

from typing import Any

import pytest

from DtsVirtLibrary.qemu.binary.facts import BinaryFacts
from DtsVirtLibrary.qemu.command_line.options import Option, pairs
from DtsVirtLibrary.qemu.command_line.properties import convert, size_in_bytes
from DtsVirtLibrary.qemu.hotplug.qmp_options import Command, add_command, remove_command

BINARY = BinaryFacts(
    path="/usr/bin/qemu-system-x86_64",
    version=(7, 2, 22),
    devices={
        "virtio-net-pci": {
            "mq": "bool",
            "vectors": "uint32",
            "addr": "int32",
            "mac": "str",
            "disable-legacy": "OnOffAuto",
            "speed": "int32",
        },
        "ivshmem-plain": {"x-size": "size"},
        "silent": None,
    },
)


@pytest.mark.parametrize(
    ("option", "command", "arguments"),
    [
        (
            pairs(
                "-device",
                "virtio-net-pci",
                {
                    "id": "nic1",
                    "mq": True,
                    "vectors": "0x10",
                    "addr": "05.0",
                    "mac": "52:54:00:00:00:01",
                    "disable-legacy": "on",
                    "speed": "-1",
                },
            ),
            "device_add",
            {
                "driver": "virtio-net-pci",
                "id": "nic1",
                "mq": True,
                "vectors": 16,
                "addr": "05.0",
                "mac": "52:54:00:00:00:01",
                "disable-legacy": "on",
                "speed": -1,
            },
        ),
        (pairs("-device", "silent", {"id": "x"}), "device_add", {"driver": "silent", "id": "x"}),
        (
            pairs("-device", "ivshmem-plain", {"x-size": "4M"}),
            "device_add",
            {"driver": "ivshmem-plain", "x-size": 4194304},
        ),
        (
            pairs(
                "-netdev",
                "user",
                (("id", "n0"), ("restrict", "on"), ("hostfwd", "tcp::1-:2"), ("hostfwd", "b")),
            ),
            "netdev_add",
            {
                "type": "user",
                "id": "n0",
                "restrict": True,
                "hostfwd": [{"str": "tcp::1-:2"}, {"str": "b"}],
            },
        ),
        (
            pairs("-netdev", "vhost-user", {"id": "n0", "chardev": "c0", "queues": 4}),
            "netdev_add",
            {"type": "vhost-user", "id": "n0", "chardev": "c0", "queues": 4},
        ),
        (
            pairs("-netdev", "tap", {"id": "n0", "ifname": "on", "script": "no", "vhost": False}),
            "netdev_add",
            {"type": "tap", "id": "n0", "ifname": "on", "script": "no", "vhost": False},
        ),
        (
            pairs("-object", "cryptodev-backend-builtin", {"id": "c"}),
            "object-add",
            {"qom-type": "cryptodev-backend-builtin", "id": "c"},
        ),
        (
            pairs(
                "-blockdev",
                None,
                {
                    "driver": "file",
                    "node-name": "d-file",
                    "filename": "/a,b",
                    "read-only": True,
                    "cache.no-flush": True,
                },
            ),
            "blockdev-add",
            {
                "driver": "file",
                "node-name": "d-file",
                "filename": "/a,b",
                "read-only": True,
                "cache": {"no-flush": True},
            },
        ),
        (
            pairs("-chardev", "socket", {"id": "c", "path": "/s", "server": True, "wait": False}),
            "chardev-add",
            {
                "id": "c",
                "backend": {
                    "type": "socket",
                    "data": {
                        "addr": {"type": "unix", "data": {"path": "/s"}},
                        "server": True,
                        "wait": False,
                    },
                },
            },
        ),
        (
            pairs("-chardev", "socket", {"id": "c", "path": "/s", "reconnect": "1"}),
            "chardev-add",
            {
                "id": "c",
                "backend": {
                    "type": "socket",
                    "data": {
                        "addr": {"type": "unix", "data": {"path": "/s"}},
                        "server": False,
                        "reconnect": 1,
                    },
                },
            },
        ),
    ],
)
def test_values_have_their_types(option: Option, command: str, arguments: dict[str, Any]) -> None:
    assert add_command(option, BINARY) == Command(command, arguments)


@pytest.mark.parametrize(
    ("option", "command"),
    [
        (pairs("-device", "e1000", {"id": "x"}), Command("device_del", {"id": "x"})),
        (pairs("-netdev", "user", {"id": "x"}), Command("netdev_del", {"id": "x"})),
        (pairs("-object", "rng-builtin", {"id": "x"}), Command("object-del", {"id": "x"})),
        (pairs("-chardev", "socket", {"id": "x"}), Command("chardev-remove", {"id": "x"})),
        (
            pairs("-blockdev", None, {"driver": "raw", "node-name": "x"}),
            Command("blockdev-del", {"node-name": "x"}),
        ),
    ],
)
def test_each_is_taken_back_by_its_counterpart(option: Option, command: Command) -> None:
    assert remove_command(option) == command


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4096", 4096),
        ("4096b", 4096),
        ("0x1000", 4096),
        ("0x1b", 27),
        ("4K", 4096),
        ("1.5k", 1536),
        ("9007199254740993K", 9007199254740993 * 1024),
        ("15E", 15 * 1024**6),
        ("18446744073709551615", 2**64 - 1),
        ("18446744073709551616", None),
        ("16E", None),
        ("0x10K", None),
        ("5.5", None),
        ("5.5B", None),
        ("-1", None),
        ("", None),
        ("٣", None),
        ("9" * 5000, None),
        ("9" * 5000 + "K", None),
    ],
)
def test_sizes_as_qemu_reads_them(text: str, size: int | None) -> None:
    assert size_in_bytes(text) == size
    assert convert("size", text) == (None if size is None else text)
