"""Compare this library with its peers: ``make bench-peers``.

Each does the same job with the same QEMU, kernel, initramfs and accelerator, by turns: start
the VM, wait until the guest answers, run one command, stop. What a peer cannot do, and why one
could not be measured, is said in its row.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.peers.library import Library, Result, run_peer
from benchmarks.peers.peers import PEERS, Peer, fetch_qemu_python, install, place_of_peers

RESULTS = Path(__file__).resolve().parent.parent / "results"
PARTS = ("ready", "command", "stop")
Samples = dict[str, list[Result]]


def main() -> int:
    """Measure, print the table, keep it in results/; 1 if the library was not measured."""
    parser = argparse.ArgumentParser(prog="make bench-peers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--qemu", help="the binary; default: the one on PATH")
    arguments = parser.parse_args()
    problems: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="dtsvirt-peers-", dir="/dev/shm") as directory:
        os.environ["DTSVIRT_TEMPLATES"] = f"{directory}/templates"
        library = Library(arguments.qemu, Path(directory))
        samples = asyncio.run(measure(library, arguments.rounds, problems))
    text = table(samples, problems)
    print(f"\n{text}")
    content = {"machine": machine(), "samples": samples, "problems": problems}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "peers.md").write_text(text)
    (RESULTS / "peers.json").write_text(json.dumps(content, indent=1) + "\n")
    return 0 if "DtsVirtLibrary, warm" in samples else 1


async def measure(library: Library, rounds: int, problems: dict[str, str]) -> Samples:
    """Return the samples of each, by turns."""
    samples: Samples = defaultdict(list)
    place = place_of_peers()
    place.mkdir(parents=True, exist_ok=True)
    pythons = {peer.name: _installed(peer, place, problems) for peer in PEERS}
    say("the library boots the guest and makes its template")
    task = await library.prepare()
    task["qemu_python"] = f"{place}/qemu-source/python"
    try:
        for number in range(rounds):
            for name, job in library.jobs().items():
                samples[name].append(await job())
                tell(number, rounds, name, samples[name][-1])
            for peer in PEERS:
                if python := pythons[peer.name]:
                    result = await _one(peer, python, task, library.directory, problems)
                    if result is None:
                        pythons[peer.name] = None
                        continue
                    samples[peer.name].append(result)
                    tell(number, rounds, peer.name, result)
        return dict(samples)
    finally:
        await library.close()


def _installed(peer: Peer, place: Path, problems: dict[str, str]) -> str | None:
    say(f"{peer.name}: installing")
    try:
        if peer.package is None:
            fetch_qemu_python(place)
        return install(peer, place)
    except (RuntimeError, OSError) as error:
        problems[peer.name] = f"could not be installed: {error}"
        say(f"{peer.name}: {problems[peer.name]}")
        return None


async def _one(
    peer: Peer, python: str, task: dict[str, Any], directory: Path, problems: dict[str, str]
) -> Result | None:
    log = directory / f"{peer.script}.log"
    try:
        return await run_peer(python, peer.path, task, log)
    except RuntimeError as error:
        problems[peer.name] = f"did not do the job: {error}"
        say(f"{peer.name}: {problems[peer.name]}")
        return None


def table(samples: Samples, problems: dict[str, str]) -> str:
    """Return the results as Markdown."""
    remarks = {peer.name: (peer.answers_by, peer.remark) for peer in PEERS}
    lines = [
        "# The same job by this library and its peers",
        "",
        f"{time.strftime('%Y-%m-%d')}, {machine()}. Written by `make bench-peers`: start the VM, "
        "wait until the guest answers, run `uname -r`, stop; the same QEMU, kernel, initramfs and "
        "emulation (TCG) for all, by turns. Median seconds, with the smallest and largest sample. "
        "The floor is a bare script that does no more than spawn QEMU and sync the agent.",
        "",
        "| who | guest answers by | ready | command | stop | in all | runs | remark |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in [*samples, *(name for name in problems if name not in samples)]:
        by, remark = remarks.get(name, ("guest agent", ""))
        remark = "; ".join(words for words in (problems.get(name), remark) if words)
        runs = samples.get(name, [])
        cells = [_cell([run[part] for run in runs if part in run]) for part in PARTS]
        whole = _cell([sum(run.values()) for run in runs if len(run) == len(PARTS)])
        lines.append(f"| {name} | {by} | {' | '.join(cells)} | {whole} | {len(runs)} | {remark} |")
    return "\n".join(lines) + "\n"


def _cell(values: list[float]) -> str:
    if not values:
        return "-"
    return f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def machine() -> str:
    """Return what the figures were measured on."""
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} CPUs, load {load:.1f}, {platform.system()} {platform.release()}"


def tell(number: int, rounds: int, name: str, result: Result) -> None:
    """Show what one run took."""
    parts = ", ".join(f"{part} {seconds:.2f} s" for part, seconds in result.items())
    say(f"run {number + 1} of {rounds}: {name}: {parts}")


def say(words: str) -> None:
    """Show progress."""
    print(f"[{time.strftime('%H:%M:%S')}] {words}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
