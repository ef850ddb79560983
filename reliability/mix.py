"""Which cycles the soak runs, in which order."""

from __future__ import annotations

import random
from dataclasses import dataclass

PROCESS, CLONE, COLD = "process", "clone", "cold"
# Measured on two busy cores: 0.4 s, 1.8 s and 22 s a cycle; so a thousand take half an hour.
SHARES = {CLONE: 0.15, COLD: 0.012}
WAIT_FOR = {PROCESS: "process", CLONE: "agent", COLD: "ssh"}
STOP, KILL, KILLED, FAILED = "stop", "kill", "killed QEMU", "failed start"
END_WAYS = (STOP, KILL, KILLED, FAILED)
# Each such process cycle also has hugepages, a namespace, a veth pair, a tap, an application.
WITH_HOST_EVERY = 10


@dataclass(frozen=True)
class Cycle:
    """One start and its end.

    :ivar start: how far the machine comes: ``process`` (a machine without a guest),
        ``clone`` (warm, to the agent), ``cold`` (booted, to the SSH login).
    :ivar with_host: also take things from the host and give them back.
    """

    start: str
    end: str
    with_host: bool = False

    @property
    def wait_for(self) -> str:
        """The readiness that the start waits for."""
        return WAIT_FOR[self.start]


def plan(cycles: int, order: random.Random) -> list[Cycle]:
    """Return so many cycles: each kind of start with each way to end, shuffled."""
    starts = [kind for kind, share in SHARES.items() for _ in range(max(1, round(cycles * share)))]
    starts += [PROCESS] * (cycles - len(starts))
    counts = dict.fromkeys(WAIT_FOR, 0)
    planned = []
    for start in starts:
        number = counts[start]
        counts[start] += 1
        with_host = start == PROCESS and number % WITH_HOST_EVERY == 0
        planned.append(Cycle(start, END_WAYS[number % len(END_WAYS)], with_host))
    order.shuffle(planned)
    return planned
