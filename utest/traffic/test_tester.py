"""Two testers on a real cable between two network namespaces."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from DtsVirtLibrary.errors import TrafficError
from DtsVirtLibrary.host import network
from DtsVirtLibrary.host.local import LocalHost
from DtsVirtLibrary.traffic import tester as traffic  # pytest takes a Tester for tests
from DtsVirtLibrary.traffic.packet import create, encapsulate

PATIENCE = 30.0


@dataclass
class Cable:
    """A host, and a tester at each end of a cable."""

    host: LocalHost
    near: traffic.Tester
    far: traffic.Tester
    directory: Path


@pytest.fixture
async def cable(tmp_path: Path) -> AsyncIterator[Cable]:
    assert os.geteuid() == 0, "network namespaces and raw sockets need root"
    host = LocalHost()
    names = [(await network.make_namespace(host)).name for _ in range(2)]
    veth, peer = await network.make_veth(host, namespace=names[1], near_namespace=names[0])
    testers = [
        await traffic.Tester.open(host, name, interface, namespace, str(tmp_path / name), PATIENCE)
        for name, interface, namespace in (("near", veth.name, names[0]), ("far", peer, names[1]))
    ]
    yield Cable(host, testers[0], testers[1], tmp_path)
    for tester in testers:
        await tester.close()
    await host.close()
    assert not set(names) & set(os.listdir("/run/netns"))


async def test_what_one_sends_the_other_receives_once(cable: Cable) -> None:
    await cable.far.start_capture(cable.directory / "far.pcap")
    packet = encapsulate(create("udp", "hello", {}), 1000, {"eth.dst": cable.far.info.mac})
    assert await cable.near.send([packet], 3, 0.0) == 3
    received = await cable.far.receive(3, {"vxlan.vni": 1000}, PATIENCE)
    assert [one["inner.payload"] for one in received.found] == ["hello"] * 3
    again = await cable.far.receive(1, {"vxlan.vni": 1000}, 0.2)
    assert again.found == ()


async def test_others_are_told_where_too_few_came(cable: Cable) -> None:
    await cable.far.start_capture(cable.directory / "far.pcap")
    await cable.near.send([create("udp", "other", {})], 1, 0.0)
    received = await cable.far.receive(1, {"payload": "wanted"}, 1.0)
    assert received.found == ()
    assert "other" in [one.fields.get("payload") for one in received.others]
    assert received.other_count == len(received.others)
    # It stays there for whoever asks for it.
    later = await cable.far.receive(1, {"payload": "other"}, PATIENCE)
    assert len(later.found) == 1


async def test_what_it_sent_itself_is_in_the_file_only(cable: Cable) -> None:
    path = cable.directory / "near.pcap"
    await cable.near.start_capture(path)
    await cable.near.send([create("udp", "mine", {})], 1, 0.0)
    received = await cable.near.receive(1, {"payload": "mine"}, 0.5)
    assert received.found == ()
    assert await cable.near.stop_capture() >= 1
    script = (
        "import sys; from scapy.all import rdpcap; "
        "print(sum(b'mine' in bytes(frame) for frame in rdpcap(sys.argv[1])))"
    )
    counted = subprocess.check_output([sys.executable, "-W", "ignore", "-c", script, str(path)])
    assert counted.strip() == b"1"


async def test_receiving_without_a_capture_is_refused(cable: Cable) -> None:
    with pytest.raises(TrafficError, match=r"Tester 'far' .* cannot receive: nothing is captured"):
        await cable.far.receive(1, {}, 0.1)


async def test_throughput_of_a_path_that_leads_nowhere_is_none(cable: Cable) -> None:
    packet = create("udp", "0123456789", {})
    result = await cable.near.measure(packet, 500.0, 0.5)
    assert 200 <= result.sent <= 250
    assert result.received == 0
    assert result.loss == 1
    assert result.frame_size == 14 + 20 + 8 + 10


async def test_short_payload_cannot_be_measured(cable: Cable) -> None:
    with pytest.raises(TrafficError, match="8 are needed"):
        await cable.near.measure(create("udp", "x", {}), 10.0, 0.1)


async def test_agent_that_has_ended_is_told(cable: Cable) -> None:
    await cable.near.close()
    with pytest.raises(TrafficError, match=r"Tester 'near' .* has ended"):
        await cable.near.send([create("udp", "x", {})], 1, 0.0)


async def test_interface_that_is_not_there(cable: Cable) -> None:
    with pytest.raises(TrafficError, match="No such device") as caught:
        await traffic.Tester.open(
            cable.host, "third", "nothing0", None, str(cable.directory / "log"), PATIENCE
        )
    assert "ip link" in str(caught.value)
