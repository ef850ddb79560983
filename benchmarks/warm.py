#!/usr/bin/env python3
"""Measure warm start against a bare script, in one run: ``benchmarks/warm.py [--rounds N]``.

The floor spawns QEMU with a clone's own command line, loads the template's state, waits
for the agent's event and gets into step with the agent; it checks, keeps and logs nothing.
Floor, clone and snapshot take turns, so that a busy machine weighs on all of them alike.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import os
import platform
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from SSHLibrary import SSHLibrary  # noqa: E402

from DtsVirtLibrary.assembly import Parts, assemble  # noqa: E402
from DtsVirtLibrary.config import Parameters  # noqa: E402
from DtsVirtLibrary.guest import ssh  # noqa: E402
from DtsVirtLibrary.keywords.settings import ClosingScope, Settings  # noqa: E402
from DtsVirtLibrary.results import Readiness  # noqa: E402
from DtsVirtLibrary.spec import Accelerator  # noqa: E402
from DtsVirtLibrary.vm import snapshots  # noqa: E402
from DtsVirtLibrary.vm.machine import Machine  # noqa: E402
from DtsVirtLibrary.vm.templates import make_template  # noqa: E402

RESULTS = ROOT / "benchmarks/results"
MONITOR, AGENT = 10, 11
SYNC = 4711
FLOOR, WARM, LOGIN = "floor: agent answers", "warm: agent answers", "warm: SSHLibrary logged in"
STAGE = "warm: agent answers, counted from the launch"
COLD, RESTORE = "cold: agent answers", "snapshot restored"
SAVE, EIGHT = "snapshot saved", "8 warm VMs started at once"
PSS = "memory of its own of each of the 8 (PSS), MB"

Samples = dict[str, list[float]]


def main() -> int:
    """Measure, print the table and write it with a chart; 1 if a goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--many", type=int, default=8, help="VMs that are started at once")
    parser.add_argument("--alive", type=int, default=0, help="warm VMs to have alive together")
    parser.add_argument("--qemu", help="the binary; default: the one on PATH")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dtsvirt-warm-", dir="/dev/shm") as directory:
        os.environ["DTSVIRT_TEMPLATES"] = f"{directory}/templates"
        version, samples, facts = asyncio.run(measure(arguments, Path(directory)))
    text, reached = table(samples, facts, version)
    print(text)
    RESULTS.mkdir(parents=True, exist_ok=True)
    stem = RESULTS / f"warm-qemu-{version.rpartition('.')[0]}"
    Path(f"{stem}.md").write_text(text)
    Path(f"{stem}.svg").write_text(chart(samples, version))
    return 0 if reached else 1


async def measure(
    arguments: argparse.Namespace, directory: Path
) -> tuple[str, Samples, dict[str, str]]:
    """Return QEMU's version, the samples by name, and further facts."""
    parts = assemble(settings(arguments.qemu), directory / "vms", print, "bench")
    samples: Samples = defaultdict(list)
    facts: dict[str, str] = {}
    try:
        vm = parts.registry.create("vm0", Parameters())
        for _ in range(2):
            start = time.monotonic()
            await vm.start(Readiness.AGENT, 120)
            samples[COLD].append(time.monotonic() - start)
            await vm.kill()
        await make_template(vm, 120)
        (info,) = await parts.hypervisor.templates()
        facts["tmpfs taken by the template"] = f"{info.size / 1e6:.0f} MB"
        await one_by_one(vm, samples, arguments.rounds, info.directory)
        await at_once(parts, samples, facts, arguments.many)
        if arguments.alive:
            await alive(parts, facts, arguments.alive)
        return await parts.hypervisor.version(arguments.qemu), samples, facts
    finally:
        running = parts.registry.running()
        await asyncio.gather(*(machine.kill() for machine in running))
        await parts.host.close()


def settings(qemu: str | None) -> Settings:
    """Return the library's defaults, under emulation."""
    ten = timedelta(seconds=10)
    return Settings(Accelerator.TCG, qemu, None, ten, ten, ten, None, ClosingScope.AUTO)


async def one_by_one(vm: Machine, samples: Samples, rounds: int, template: str) -> None:
    """Measure floor, clone, login and snapshot by turns."""
    library = SSHLibrary()
    for _ in range(rounds):
        start = time.monotonic()
        session = await vm.start(Readiness.SSH, 120, warm=True)
        answered = next(stage.at for stage in session.stages if stage.name == "agent answered")
        samples[STAGE].append(answered)
        await asyncio.to_thread(ssh.log_in, library, session, vm.specification().login, 60.0)
        samples[LOGIN].append(time.monotonic() - start)
        argv = list(running(vm).argv)
        library.close_all_connections()
        for name, work in ((SAVE, snapshots.save), (RESTORE, snapshots.restore)):
            start = time.monotonic()
            await work(vm, "clean", 60)
            samples[name].append(time.monotonic() - start)
        await vm.kill()
        start = time.monotonic()
        await vm.start(Readiness.AGENT, 120, warm=True)
        samples[WARM].append(time.monotonic() - start)
        await vm.kill()
        samples[FLOOR].append(await asyncio.to_thread(floor, argv, template))


def running(vm: Machine) -> Any:
    """Return the VM's process."""
    instance = vm._instance
    assert instance is not None
    return instance


async def at_once(parts: Parts, samples: Samples, facts: dict[str, str], number: int) -> None:
    """Start several side by side and see what memory each has of its own."""
    vms = [parts.registry.create(f"many{index}", Parameters()) for index in range(number)]
    start = time.monotonic()
    await asyncio.gather(*(vm.start(Readiness.AGENT, 120, warm=True) for vm in vms))
    samples[EIGHT].append(time.monotonic() - start)
    for vm in vms:
        samples[PSS].append(await pss(parts, vm) / 1e6)
    await asyncio.gather(*(vm.kill() for vm in vms))


async def alive(parts: Parts, facts: dict[str, str], number: int) -> None:
    """Have many warm VMs together and ask the agent of each."""
    vms = [parts.registry.create(f"alive{index}", Parameters()) for index in range(number)]
    start = time.monotonic()
    for vm in vms:
        await vm.start(Readiness.AGENT, 120, warm=True)
    for vm in vms:
        await vm.use("ping", lambda instance: instance.agent.ping(timeout=60))
    total = sum([await pss(parts, vm) for vm in vms])
    facts[f"{number} warm VMs alive"] = (
        f"started one after the other in {time.monotonic() - start:.0f} s, "
        f"{total / 1e9:.2f} GB of memory (PSS) for {number * 0.512:.0f} GB of guest memory"
    )
    await asyncio.gather(*(vm.kill() for vm in vms))


async def pss(parts: Parts, vm: Machine) -> int:
    """Return the bytes of memory that a VM's process has, shared pages in parts."""
    text = await parts.host.read_text(f"/proc/{running(vm).pid}/smaps_rollup")
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    assert found
    return int(found[1]) * 1024


def floor(argv: Sequence[str], template: str) -> float:
    """Spawn a clone, get into step with its agent, end it; return the seconds."""
    state = Path(template, "state").read_bytes()
    monitor, their_monitor = socket.socketpair()
    agent, their_agent = socket.socketpair()
    with tempfile.TemporaryDirectory() as directory, monitor, agent:
        paths = [path for word in argv for path in re.findall(r"path=([^,]+)", word)]
        places = {f"path={Path(path).parent}/" for path in paths}
        words = [_moved(word, places, template, directory) for word in argv]
        start = time.monotonic()
        process = _spawn(words, {MONITOR: their_monitor, AGENT: their_agent})
        try:
            _restore(monitor, agent, state)
            return time.monotonic() - start
        finally:
            process.kill()
            process.wait()


def _moved(word: str, places: set[str], template: str, directory: str) -> str:
    """Replace the clone's directory, which is gone, but not the template's."""
    for place in places:
        if template not in place:
            word = word.replace(place, f"path={directory}/")
    return word


def _spawn(argv: Sequence[str], sockets: dict[int, socket.socket]) -> subprocess.Popen[bytes]:
    # The shell puts the sockets where the command line wants them, out of numbers above those.
    high = {number: fcntl.fcntl(sock, fcntl.F_DUPFD, 100) for number, sock in sockets.items()}
    moves = " ".join(f"{number}<&{descriptor}" for number, descriptor in high.items())
    process = subprocess.Popen(
        ["bash", "-c", f'exec "$@" {moves}', "bash", *argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=list(high.values()),
    )
    for descriptor in high.values():
        os.close(descriptor)
    for sock in sockets.values():
        sock.close()
    return process


def _restore(monitor: socket.socket, agent: socket.socket, state: bytes) -> None:
    stream = monitor.makefile("rw")
    stream.readline()
    _execute(stream, "qmp_capabilities")
    on = [{"capability": name, "state": True} for name in ("events", "x-ignore-shared")]
    _execute(stream, "migrate-set-capabilities", {"capabilities": on})
    ours, theirs = socket.socketpair()
    with ours, theirs:
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, theirs.fileno().to_bytes(4, sys.byteorder))
        monitor.sendmsg([b" "], [rights])
        _execute(stream, "getfd", {"fdname": "state"})
        _execute(stream, "migrate-incoming", {"uri": "fd:state"})
        ours.sendall(state)
        ours.shutdown(socket.SHUT_WR)
        _await(stream, "MIGRATION", "status", "completed")
    stream.write(json.dumps({"execute": "cont"}))
    stream.flush()
    _await(stream, "VSERPORT_CHANGE", "open", True)
    request = {"execute": "guest-sync-delimited", "arguments": {"id": SYNC}}
    agent.sendall(b"\xff" + json.dumps(request).encode() + b"\n")
    received = b""
    while str(SYNC).encode() not in received.rpartition(b"\xff")[2]:
        received += agent.recv(4096)


def _execute(stream: Any, command: str, arguments: dict[str, Any] | None = None) -> None:
    stream.write(json.dumps({"execute": command, "arguments": arguments or {}}))
    stream.flush()
    while "return" not in (message := json.loads(stream.readline())):
        assert "event" in message, message


def _await(stream: Any, event: str, key: str, value: object) -> None:
    while True:
        message = json.loads(stream.readline())
        assert "error" not in message, message
        if message.get("event") == event and message["data"].get(key) == value:
            return


def table(samples: Samples, facts: dict[str, str], version: str) -> tuple[str, bool]:
    """Return the results as Markdown, and whether every goal was reached."""
    middle = {name: median(values) for name, values in samples.items()}
    goals = [
        ("to the agent, against the floor", middle[WARM] / middle[FLOOR], 1.3, "x"),
        (
            "to the agent from the launch, against the floor",
            middle[STAGE] / middle[FLOOR],
            1.3,
            "x",
        ),
        ("warm, against cold (at least 20 x faster)", 20 * middle[WARM] / middle[COLD], 1.0, "x"),
        (LOGIN, middle[LOGIN], 0.6, "s"),
        (RESTORE, middle[RESTORE], 0.5, "s"),
        (EIGHT, middle[EIGHT], 3.0, "s"),
        (PSS, middle[PSS], 60.0, "MB"),
    ]
    lines = [
        f"# Warm start, QEMU {version}",
        "",
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, Linux "
        f"{platform.release()}, emulation (TCG), embedded guest with 512 MiB. Written by "
        "`benchmarks/warm.py`; medians, with the smallest and largest sample.",
        "",
        "| what | median | from | to |",
        "|---|---|---|---|",
    ]
    for name, values in samples.items():
        lines.append(f"| {name} | {middle[name]:.3f} | {min(values):.3f} | {max(values):.3f} |")
    lines += ["", "| goal | found | at most | reached |", "|---|---|---|---|"]
    for name, found, limit, unit in goals:
        verdict = "yes" if found <= limit else "NO"
        lines.append(f"| {name} | {found:.2f} {unit} | {limit:g} {unit} | {verdict} |")
    lines += ["", *(f"- {name}: {value}" for name, value in facts.items())]
    return "\n".join(lines) + "\n", all(found <= limit for _, found, limit, _ in goals)


def chart(samples: Samples, version: str) -> str:
    """Return a picture with a bar for each median of seconds."""
    names = [name for name in (FLOOR, STAGE, WARM, LOGIN, RESTORE, EIGHT, COLD) if name in samples]
    values = [median(samples[name]) for name in names]
    scale = 400 / max(values)
    rows = []
    for index, (name, value) in enumerate(zip(names, values, strict=True)):
        y = 40 + 28 * index
        rows.append(
            f'<text x="330" y="{y + 14}" text-anchor="end">{name}</text>'
            f'<rect x="340" y="{y}" width="{value * scale:.1f}" height="18" fill="#5a8fc7"/>'
            f'<text x="{346 + value * scale:.1f}" y="{y + 14}">{value:.2f} s</text>'
        )
    height = 60 + 28 * len(names)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="820" height="{height}" '
        'font-family="sans-serif" font-size="13">'
        f'<text x="10" y="22">Warm start, QEMU {version}, medians</text>{"".join(rows)}</svg>\n'
    )


if __name__ == "__main__":
    sys.exit(main())
