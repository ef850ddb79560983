"""Starting QEMU and waiting until it has answered."""

from __future__ import annotations

import asyncio
import posixpath
import signal
import socket
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from DtsVirtLibrary.errors import (
    SANDBOX_VIOLATED,
    DtsVirtError,
    HostError,
    MonitorClosed,
    MonitorTimeout,
    StartError,
    StartTimeout,
)
from DtsVirtLibrary.host.protocol import HostProcess, Spawn
from DtsVirtLibrary.host.sockets import connected_sockets
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.qemu.agent.agent import Agent
from DtsVirtLibrary.qemu.command_line.infrastructure import has_name_port
from DtsVirtLibrary.qemu.command_line.placement import (
    AGENT_ENDPOINT,
    MONITOR_ENDPOINT,
    NAME_ENDPOINT,
    Descriptor,
)
from DtsVirtLibrary.qemu.command_line.raw_options import raw_options
from DtsVirtLibrary.qemu.inside.name_port import NamePort
from DtsVirtLibrary.qemu.instance import QemuInstance
from DtsVirtLibrary.qemu.qmp.monitor import Monitor
from DtsVirtLibrary.qemu.start.back_ends import failed_back_end, waits_for, watch_back_ends
from DtsVirtLibrary.qemu.start.pinning import pin
from DtsVirtLibrary.qemu.start.prepared import PreparedStart
from DtsVirtLibrary.qemu.start.refused_starts import explained
from DtsVirtLibrary.qemu.start.remains import collect, read_tails
from DtsVirtLibrary.timeline import Timeline

Keep = Callable[[Mapping[str, bytes]], Awaitable[None]]
BeforeCpus = Callable[[QemuInstance], Awaitable[None]]

# What the first line of an error tells of QEMU's last words, in characters.
LONGEST_SAID = 200
# QEMU closes its channels a moment before it ends.
END_SECONDS = 5.0


class _Channels:
    """The two ends of the sockets that QEMU inherits."""

    def __init__(self, start: PreparedStart) -> None:
        self._ours: list[socket.socket] = []
        self.inherited: dict[int, socket.socket] = {}
        self.agent: socket.socket | None = None
        self.name: socket.socket | None = None
        try:
            self.monitor = self._connect(MONITOR_ENDPOINT)
            if start.spec.guest_agent:
                self.agent = self._connect(AGENT_ENDPOINT)
            if has_name_port(start.spec, start.placement):
                self.name = self._connect(NAME_ENDPOINT)
        except HostError:
            self.close()
            raise

    def _connect(self, theirs: Descriptor) -> socket.socket:
        ours, self.inherited[theirs.number] = connected_sockets()
        self._ours.append(ours)
        return ours

    def close(self) -> None:
        """Close what nobody took over."""
        for end in (*self._ours, *self.inherited.values()):
            end.close()


async def launch(
    start: PreparedStart,
    deadline: Deadline,
    timeline: Timeline,
    keep: Keep,
    before_cpus: BeforeCpus | None = None,
) -> QemuInstance:
    """Start QEMU, connect to it and let its CPUs run.

    :param keep: takes the files of a start that failed, also of one that was interrupted.
    :param before_cpus: what to do with the instance before its CPUs run.
    :raises StartError: QEMU ended; the text has its exit code and stderr.
    :raises HostError: QEMU ended for want of a port, an image or a back end.
    :raises StartTimeout: QEMU did not answer in time; the text says what it may wait for.
    """
    channels = _Channels(start)
    monitor = Monitor(start.spec.name, start.monitor_seconds)
    process: HostProcess | None = None
    # Building a guest or probing a binary takes long once, and is not the VM's fault.
    deadline.restart()
    timeline.restart()
    try:
        process = await _spawn(start, channels)
        timeline.reached("process started")
        await _connect(start, process, monitor, channels.monitor, deadline)
        timeline.reached("QMP answered")
        agent = Agent(start.spec.name, channels.agent) if channels.agent else None
        port = NamePort(start.spec.name, channels.name) if channels.name else None
        instance = QemuInstance(start, process, monitor, agent, port)
        await _let_run(instance, timeline, before_cpus)
        return instance
    except BaseException as error:
        await _abandon(process, monitor, channels)
        if isinstance(error, DtsVirtError):
            await _explain(error, start, process)
        with suppress(HostError):
            argv = start.line.argv
            await keep(await collect(start.host, start.placement, argv, start.by_hand, monitor))
        raise


async def _spawn(start: PreparedStart, channels: _Channels) -> HostProcess:
    return await start.host.spawn(
        Spawn(
            argv=start.line.argv,
            stdout=start.placement.stderr,
            stderr=start.placement.stderr,
            logs=[start.placement.serial_log],
            sockets=channels.inherited,
            files=start.handover.files,
            taps=start.handover.taps,
            user=start.handover.account,
            remove=start.placement.storage,
        )
    )


async def _let_run(
    instance: QemuInstance, timeline: Timeline, before_cpus: BeforeCpus | None
) -> None:
    await instance.find_forward()
    await instance.protect_display()
    instance.notes += await pin(instance.host, instance.monitor, instance.spec)
    if before_cpus is not None:
        await before_cpus(instance)
        timeline.reached("state restored")
    if instance.spec.incoming is None:
        await instance.resume()
        timeline.reached("CPUs started")


async def _connect(
    start: PreparedStart,
    process: HostProcess,
    monitor: Monitor,
    channel: socket.socket,
    deadline: Deadline,
) -> None:
    """Return when QEMU has answered ``qmp_capabilities``; it greets even when it then fails."""
    vm, host, stderr = start.spec.name, start.host, start.placement.stderr
    try:
        await _unless_back_end_fails(start, monitor.connect(channel, deadline))
    except MonitorClosed as error:
        await asyncio.wait({asyncio.ensure_future(process.wait())}, timeout=END_SECONDS)
        said, _ = await read_tails(host, start.placement)
        refused = await explained(host, vm, said)
        raise refused or _ended(start, process.exit_code, said) from error
    except MonitorTimeout as error:
        failed = await failed_back_end(host, start.spec, stderr)
        raise failed or StartTimeout(
            f"VM '{vm}': QEMU did not answer within {deadline.elapsed:.1f} s."
            f"{waits_for(start.spec)}",
            replace(error.evidence, facts=[f"Its process is in state {await process.state()}."]),
        ) from error


def _ended(start: PreparedStart, exit_code: int | None, said: str) -> StartError:
    ended = f"VM '{start.spec.name}': QEMU ended while it started."
    if exit_code != -signal.SIGSYS:
        program = posixpath.basename(start.line.argv[0])
        words = said.rstrip().rpartition("\n")[2].removeprefix(f"{program}: ")
        return StartError(f"{ended[:-1]}: {words[:LONGEST_SAID]}" if words else ended)
    given = ", ".join(f"-{option.name}" for option in raw_options(start.spec.user_commands))
    asked = f" Options that usercmd gave: {given}." if given else ""
    return StartError(f"{ended} {SANDBOX_VIOLATED}{asked}")


async def _unless_back_end_fails(start: PreparedStart, work: Coroutine[Any, Any, None]) -> None:
    """Do the work, unless a vhost-user back end keeps QEMU from it for ever.

    :raises BackendError: one does.
    """
    stderr = start.placement.stderr
    watch = asyncio.ensure_future(watch_back_ends(start.host, start.spec, stderr))
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise watch.result()
        await task
    finally:
        watch.cancel()
        task.cancel()
        await asyncio.gather(watch, task, return_exceptions=True)


async def _abandon(process: HostProcess | None, monitor: Monitor, channels: _Channels) -> None:
    if process is not None and process.exit_code is None:
        process.send_signal(signal.SIGKILL)
        await asyncio.shield(process.wait())
    await monitor.close()
    channels.close()


async def _explain(error: DtsVirtError, start: PreparedStart, process: HostProcess | None) -> None:
    """Add what QEMU left to the error, while its directory is still there."""
    stderr, serial = await read_tails(start.host, start.placement)
    ended_by_itself = isinstance(error.__cause__, MonitorClosed)
    error.evidence = replace(
        error.evidence,
        vm=start.spec.name,
        action="Start VM",
        argv=tuple(start.line.argv),
        exit_code=process.exit_code if process and ended_by_itself else None,
        stderr_tail=stderr,
        serial_tail=serial,
    )
