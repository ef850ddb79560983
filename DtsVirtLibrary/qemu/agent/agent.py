"""The guest agent of one VM: what it can be asked, as coroutines with typed answers."""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any

from DtsVirtLibrary.errors import AgentCommandError, AgentError, Evidence, nearest
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.printable import printable
from DtsVirtLibrary.qemu.agent.channel import AgentChannel, member
from DtsVirtLibrary.qemu.agent.commands import run_command
from DtsVirtLibrary.qemu.agent.files import read_file, write_file
from DtsVirtLibrary.results import CommandResult, GuestAddress, GuestInterface

COMMAND_SECONDS = 10.0
FILE_SECONDS = 60.0
SHUTDOWN_MODES = ("powerdown", "reboot", "halt")
# How long a refusal of the shutdown is looked for; its success has no answer.
SHUTDOWN_LOOK = 1.0
BOOT_ID = "/proc/sys/kernel/random/boot_id"


class Agent:
    """The agent in one guest. Timeouts are in seconds.

    Every method that asks the guest raises :class:`AgentTimeout` when there is no answer
    in time, :class:`AgentClosed` when the connection ended or the guest was reset
    meanwhile, :class:`AgentCommandError` when the agent refused, and
    :class:`AgentProtocolError` when what it sent is not an answer.

    :param vm: name of the VM, for messages.
    :param sock: our end of the agent port's character device, connected.
    """

    def __init__(self, vm: str, sock: socket.socket) -> None:
        self.vm = vm
        self._channel = AgentChannel(vm, sock)

    @property
    def closed(self) -> bool:
        """Whether the connection has ended."""
        return self._channel.closed

    async def synchronize(self, deadline: Deadline) -> None:
        """Return when the agent has answered a question that only this boot's can."""
        await self._channel.synchronize(deadline)

    async def execute(
        self,
        command: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        timeout: float = COMMAND_SECONDS,
    ) -> Any:
        """Send any command of the agent and return what it returned."""
        return await self._channel.exchange(command, arguments, Deadline(timeout))

    async def ping(self, *, timeout: float = COMMAND_SECONDS) -> float:
        """Return the round trip in seconds."""
        start = time.monotonic()
        await self.execute("guest-ping", timeout=timeout)
        return time.monotonic() - start

    async def info(self, *, timeout: float = COMMAND_SECONDS) -> Mapping[str, Any]:
        """Return the agent's ``version`` and ``supported_commands``."""
        reply = await self.execute("guest-info", timeout=timeout)
        member(self._channel, "guest-info", reply, "version", str)
        return dict(reply)

    async def interfaces(self, *, timeout: float = COMMAND_SECONDS) -> tuple[GuestInterface, ...]:
        """Return the guest's network interfaces with their addresses."""
        reply = await self.execute("guest-network-get-interfaces", timeout=timeout)
        if not isinstance(reply, list):
            raise self._channel.protocol_error("guest-network-get-interfaces", "it is no list")
        return tuple(_interface(self._channel, item) for item in reply)

    async def run(
        self, command: str | Sequence[str], *, timeout: float, stdin: bytes | None = None
    ) -> CommandResult:
        """Run a command to its end; see :func:`.commands.run_command`."""
        return await run_command(self._channel, command, timeout=timeout, stdin=stdin)

    async def put_file(
        self, data: bytes, path: str, *, timeout: float = FILE_SECONDS, mode: int | None = None
    ) -> None:
        """Write a file in the guest, replacing it.

        :param mode: permission bits, set before anything is written; None leaves those
            of a file that exists, and gives a new one the agent's 0666.
        """
        deadline = Deadline(timeout)
        if mode is not None:
            await write_file(self._channel, b"", path, deadline)
            await self._set_mode(path, mode, deadline.at_most(timeout))
        await write_file(self._channel, data, path, deadline)

    async def get_file(self, path: str, *, timeout: float = FILE_SECONDS) -> bytes:
        """Return the bytes of a file of the guest."""
        return await read_file(self._channel, path, Deadline(timeout))

    async def shutdown(self, mode: str = "powerdown", *, timeout: float = COMMAND_SECONDS) -> None:
        """Tell the guest to shut down; return when it set about it, not when it is off.

        :param mode: ``powerdown``, ``reboot`` or ``halt``.
        """
        if mode not in SHUTDOWN_MODES:
            raise AgentError(
                f"VM '{self.vm}': '{mode}' is no way to shut a guest down; "
                f"allowed are {', '.join(SHUTDOWN_MODES)}.{nearest(mode, SHUTDOWN_MODES)}"
            )
        await self._channel.announce(
            "guest-shutdown", {"mode": mode}, Deadline(timeout), SHUTDOWN_LOOK
        )

    async def set_time(self, nanoseconds: int, *, timeout: float = COMMAND_SECONDS) -> None:
        """Set the guest's clock to a time since 1970 in UTC."""
        await self.execute("guest-set-time", {"time": nanoseconds}, timeout=timeout)

    async def boot_id(self, *, timeout: float = COMMAND_SECONDS) -> str:
        """Return the Linux kernel's id of this boot."""
        data = await self.get_file(BOOT_ID, timeout=timeout)
        return printable(data).strip()

    def reset(self, reason: str = "the guest was reset") -> None:
        """Void what the agent still owes: an unanswered command fails with `reason`.

        To be called on the loop when the guest was reset or its side of the port closed.
        """
        self._channel.reset(reason)

    async def close(self) -> None:
        """End the connection. Quiet the second time."""
        await self._channel.close()

    async def _set_mode(self, path: str, mode: int, timeout: float) -> None:
        result = await self.run(["chmod", "--", f"{mode:04o}", path], timeout=timeout)
        if result.rc != 0:
            raise AgentCommandError(
                f"VM '{self.vm}': the mode of '{path}' in the guest cannot be set to {mode:04o}: "
                f"{printable(result.stderr, 500).strip()}",
                Evidence(vm=self.vm, action="chmod"),
            )


def _interface(channel: AgentChannel, item: Any) -> GuestInterface:
    command = "guest-network-get-interfaces"
    name = printable(member(channel, command, item, "name", str), 100)
    has_mac = "hardware-address" in item
    addresses = item.get("ip-addresses", [])
    if not isinstance(addresses, list):
        raise channel.protocol_error(command, f"the addresses of '{name}' are no list")
    return GuestInterface(
        name=name,
        mac=member(channel, command, item, "hardware-address", str) if has_mac else None,
        addresses=tuple(_address(channel, address) for address in addresses),
    )


def _address(channel: AgentChannel, item: Any) -> GuestAddress:
    command = "guest-network-get-interfaces"
    text = member(channel, command, item, "ip-address", str)
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        raise channel.protocol_error(command, printable(str(error), 200)) from error
    return GuestAddress(
        address=text,
        prefix=member(channel, command, item, "prefix", int),
        family=f"ipv{address.version}",
    )
