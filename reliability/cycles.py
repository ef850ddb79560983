"""The soak inside Robot Framework: cycles, and what the process holds after each."""

from __future__ import annotations

import gc
import json
import os
import random
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from robot.api import logger
from robot.api.deco import keyword, library

from reliability.killer import watch_taken
from reliability.mix import CLONE, FAILED, KILL, KILLED, PROCESS, Cycle, plan
from reliability.processes import children, descendants, read
from reliability.taken import Taken

VM = "vm0"
# A number of pages that neither the kill matrix nor anybody else asks for.
HUGEPAGES = "78M"
PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024
# A killed QEMU, and a port that was in use, are gone some milliseconds after the keyword.
SETTLE_SECONDS = 5.0
POLL_SECONDS = 0.002
# A command line that QEMU refuses at once.
REFUSED = "cmd='-device no-such-device'"


@library(scope="GLOBAL", auto_keywords=False)
class Cycles:
    """Starts and stops VMs, and notes after each cycle what there is."""

    def __init__(self) -> None:
        self._taken = Taken()
        watch_taken(lambda undo: self._taken.note(undo))
        self._samples: list[dict[str, Any]] = []
        self._seconds: dict[str, list[float]] = {}
        self._ends: Counter[str] = Counter()

    @keyword
    def run_cycles(self, cycles: int, seed: int, image: str, boot_image: str) -> None:
        """Runs so many cycles, in the mix and order that the seed gives."""
        order = plan(int(cycles), random.Random(int(seed)))
        for number, cycle in enumerate(order, 1):
            began = time.monotonic()
            port = self._cycle(cycle, image, boot_image)
            self._seconds.setdefault(cycle.start, []).append(time.monotonic() - began)
            self._ends[cycle.end] += 1
            self._sample(number, port)
            if number % 20 == 0 or number == len(order):
                logger.console(f"cycle {number} of {len(order)}: {self._samples[-1]}")

    @keyword
    def write_samples(self, path: str) -> None:
        """Writes what was noted as JSON."""
        content = {"samples": self._samples, "seconds": self._seconds, "ends": dict(self._ends)}
        Path(path).write_text(json.dumps(content), encoding="utf-8")

    def _cycle(self, cycle: Cycle, image: str, boot_image: str) -> int | None:
        """Run one cycle and return the port that its guest was reached by."""
        disk = f"file={image},overlay=yes"
        if cycle.start == PROCESS:
            memory = "size=64,hugepage=yes" if cycle.with_host else "size=64"
            disk = f"file={boot_image},format=raw,overlay=yes"
            self._call("Create VM", VM, mem=memory, disk=disk)
        else:
            self._call("Create VM", VM, guest="default", disk=disk)
        if cycle.with_host:
            self._take_from_host()
        port = self._start(cycle)
        self._end(cycle)
        if cycle.with_host:
            self._give_back_to_host()
        return port

    def _start(self, cycle: Cycle) -> int | None:
        wait_for = {"process": "PROCESS", "agent": "AGENT", "ssh": "SSH"}[cycle.wait_for]
        from DtsVirtLibrary.results import Readiness

        if cycle.end == FAILED:
            self._call("Set VM Parameter", VM, "usercmd", REFUSED)
        try:
            session = self._call(
                "Start VM", VM, wait_for=Readiness[wait_for], warm=cycle.start == CLONE
            )
        except Exception as error:
            if cycle.end != FAILED or "no-such-device" not in str(error):
                raise
            return None
        if cycle.end == FAILED:
            raise AssertionError("QEMU took a device that there is not")
        if cycle.wait_for == "process":
            return session.port  # type: ignore[no-any-return]
        answer = self._call("Execute In Guest", VM, ["hostname"]).stdout.strip()
        if answer != VM:
            raise AssertionError(f"the guest of {VM} calls itself {answer}")
        return session.port  # type: ignore[no-any-return]

    def _end(self, cycle: Cycle) -> None:
        if cycle.end == KILLED:
            os.kill(self._call("Get VM", VM).pid, signal.SIGKILL)
            self._wait(lambda: self._call("Get VM Status", VM) == "crashed")
        elif cycle.end == KILL:
            self._call("Kill VM", VM)
        from datetime import timedelta

        # A machine without a guest does not listen to the power button.
        guest_seconds = 0 if cycle.wait_for == "process" else 60
        self._call("Stop VM", VM, timeout=timedelta(seconds=guest_seconds))

    def _take_from_host(self) -> None:
        self._call("Reserve Host Hugepages", HUGEPAGES)
        namespace = self._call("Create Network Namespace")
        self._veth, _ = self._call("Create Veth Pair", namespace=namespace)
        self._tap, self._namespace = self._call("Create Tap"), namespace
        self._call("Start Application", "shell", "/bin/sh", prompt="REGEXP:[#$] $")

    def _give_back_to_host(self) -> None:
        self._call("Stop Application", "shell")
        self._call("Delete Tap", self._tap)
        self._call("Delete Veth Pair", self._veth)
        self._call("Delete Network Namespace", self._namespace)
        self._call("Release Host Hugepages")

    def _sample(self, number: int, port: int | None) -> None:
        """Note what this process and its supervisor hold, once a cycle's last end is over."""
        with suppress(TimeoutError):
            self._wait(lambda: len(descendants(os.getpid())) <= 1)
        supervisors = children(os.getpid())
        gc.collect()
        self._samples.append(
            {
                "cycle": number,
                **_held(os.getpid()),
                "processes": len(descendants(os.getpid())),
                "files": len(os.listdir(os.environ["XDG_RUNTIME_DIR"])),
                "ports": int(port is not None and _listens(port)),
                "interfaces, namespaces, hugepages": len(self._taken.there()),
                **{f"supervisor {key}": value for key, value in _sum(supervisors).items()},
            }
        )
        self._taken = Taken()

    @staticmethod
    def _wait(condition: Callable[[], bool]) -> None:
        end = time.monotonic() + SETTLE_SECONDS
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError
            time.sleep(POLL_SECONDS)

    @staticmethod
    def _call(name: str, *arguments: Any, **named: Any) -> Any:
        from robot.libraries.BuiltIn import BuiltIn

        instance = BuiltIn().get_library_instance("DtsVirtLibrary")
        return instance.run_keyword(name, arguments, named)  # type: ignore[attr-defined]


def _held(pid: int) -> dict[str, int]:
    """Return what a process holds; its memory in KiB."""
    links = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            links.append(os.readlink(descriptor))
    return {
        "descriptors": len(links),
        "sockets": sum(link.startswith("socket:") for link in links),
        "threads": len(os.listdir(f"/proc/{pid}/task")),
        "memory": int(read(f"/proc/{pid}/statm").split()[1]) * PAGE_KIB,
    }


def _sum(pids: list[int]) -> Counter[str]:
    return sum((Counter(_held(pid)) for pid in pids), Counter())


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
