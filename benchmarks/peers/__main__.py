"""Compare this library with its peers: ``make bench-peers``.

Each does the same job with the same QEMU, kernel, initramfs and accelerator, by turns: start
the VM, wait until the guest answers, run one command, stop. What a peer cannot do, and why one
could not be measured, is said in its row.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.peers.library import NAME, Library, Result
from benchmarks.peers.peers import PEERS, Peer, fetch_qemu_python, install, place_of_peers
from benchmarks.peers.report import Row, write_report
from benchmarks.peers.sandbox import run_peer


def main() -> int:
    """Measure, print the table, keep it in results/; 1 if a row lacks samples."""
    parser = argparse.ArgumentParser(prog="make bench-peers", description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--qemu", help="the binary; default: the one on PATH")
    arguments = parser.parse_args()
    place = place_of_peers()
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="dtsvirt-peers-", dir="/dev/shm") as directory:
        os.environ["DTSVIRT_TEMPLATES"] = f"{directory}/templates"
        comparison = Comparison(Library(arguments.qemu, Path(directory)), place)
        asyncio.run(comparison.measure(arguments.runs))
    rows = [*comparison.ours.values(), *comparison.theirs.values()]
    write_report(rows, comparison.library.version)
    return 0 if all(len(row.samples) == arguments.runs for row in rows) else 1


class Comparison:
    """The library and its peers, and what each of them took.

    :ivar ours: rows of the library and of the bare scripts, by name and kind of answer.
    :ivar theirs: rows of the peers that could be installed and of those that could not.
    """

    def __init__(self, library: Library, place: Path) -> None:
        self.library = library
        self.place = place
        self.ours = {(name, by): Row(name, by) for name, by in library.jobs()}
        self.theirs = {peer.name: Row(peer.name, peer.answers_by, peer.remark) for peer in PEERS}

    async def measure(self, runs: int) -> None:
        """Have each do the job `runs` times, by turns."""
        pythons = {peer.name: self._installed(peer) for peer in PEERS}
        say(f"{NAME}: boots the guest and makes its template")
        try:
            task = await self.library.prepare()
            task["qemu_python"] = f"{self.place}/qemu-source/python"
            for number in range(runs):
                say(f"run {number + 1} of {runs}")
                for key, job in self.library.jobs().items():
                    note(self.ours[key], await job())
                for peer in PEERS:
                    await self._peer(peer, pythons[peer.name], task)
        finally:
            await self.library.close()

    def _installed(self, peer: Peer) -> str:
        """Return the peer's Python; its row says why it has none."""
        say(f"{peer.name}: installing, unless it is there")
        try:
            if peer.package is None:
                fetch_qemu_python(self.place)
            return install(peer, self.place)
        except (RuntimeError, OSError) as error:
            self._give_up(peer, f"could not be installed: {error}")
            return ""

    async def _peer(self, peer: Peer, python: str, task: dict[str, Any]) -> None:
        row = self.theirs[peer.name]
        if row.problem:
            return
        try:
            note(row, await run_peer(peer, python, task, self.library.directory))
        except RuntimeError as error:
            self._give_up(peer, f"did not do the job: {error}")

    def _give_up(self, peer: Peer, problem: str) -> None:
        self.theirs[peer.name].problem = problem
        say(f"{peer.name}: {problem}")


def note(row: Row, result: Result) -> None:
    """Keep and show what one run took."""
    row.samples.append(result)
    parts = ", ".join(f"{part} {seconds:.2f} s" for part, seconds in result.items())
    say(f"{row.name} ({row.answers_by}): {parts}")


def say(words: str) -> None:
    """Show progress."""
    print(f"[{time.strftime('%H:%M:%S')}] {words}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
