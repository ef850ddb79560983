"""A port on which a clone's guest is told its own name and the time.

To start a program is what takes a guest longest that was just restored, and to talk to its
agent comes next: under emulation all that runs is translated anew. So a program is in the
template, started and waiting, and it reads from a port of its own.
"""

from __future__ import annotations

import asyncio
import socket
import time

from DtsVirtLibrary.errors import AgentClosed, AgentCommandError, AgentTimeout
from DtsVirtLibrary.loop import Deadline
from DtsVirtLibrary.printable import printable
from DtsVirtLibrary.qemu.agent.agent import Agent
from DtsVirtLibrary.qemu.names import NAME_PORT_NAME

SECONDS = 10.0
PORTS = "/sys/class/virtio-ports"
WAITING, DONE = "waiting", "set"
# The name without a program of its own, and `exec` lets the shell become the one for the time.
LISTEN = f"""for port in "$0"/*; do
  read -r name <"$port/name" && [ "$name" = "$1" ] && break
done
exec 3<>"/dev/${{port##*/}}" && echo {WAITING} >&3 && read -r name now <&3 && [ "$now" ] || exit 1
exec >&3 2>&3
echo "$name" >/proc/sys/kernel/hostname && exec date -u +{DONE} -s "@$now"
"""
# A line that the guest writes; what is longer is none of ours.
LONGEST = 256


class NamePort:
    """The host's end of the port.

    :param vm: name of the VM, for messages.
    :param sock: our end of the port's character device, connected.
    """

    def __init__(self, vm: str, sock: socket.socket) -> None:
        self._vm = vm
        self._socket = sock
        sock.setblocking(False)

    async def listen(self, agent: Agent) -> None:
        """Start the program in a guest that is about to be saved; return when it waits.

        :raises AgentError: the guest refused, or the program did not come so far.
        """
        arguments = {"path": "/bin/sh", "arg": ["-c", LISTEN, PORTS, NAME_PORT_NAME]}
        await agent.execute("guest-exec", arguments)
        await self._expect(WAITING, "be made to wait for its clones' names")

    async def tell(self, name: str) -> None:
        """Give the guest its name and the present time; return when it has both.

        :raises AgentError: the program is not there, or failed.
        """
        self._discard()
        await self._send(f"{name} {round(time.time())}\n")
        await self._expect(DONE, "be given its name and time")

    async def dismiss(self) -> None:
        """Let the program of a guest that goes on as it is end."""
        await self._send("\n")

    def close(self) -> None:
        """Close the port. Quiet the second time."""
        self._socket.close()

    def _discard(self) -> None:
        """Throw away what came before, from a guest as it was before it was saved."""
        try:
            while self._socket.recv(LONGEST):
                pass
        except BlockingIOError:
            pass

    async def _send(self, line: str) -> None:
        try:
            await asyncio.get_running_loop().sock_sendall(self._socket, line.encode())
        except OSError as error:
            raise self._closed() from error

    async def _expect(self, word: str, purpose: str) -> None:
        deadline = Deadline(SECONDS)
        try:
            found = await asyncio.wait_for(self._line(), deadline.remaining)
        except (TimeoutError, asyncio.TimeoutError):
            raise AgentTimeout(
                f"VM '{self._vm}': the guest could not {purpose} within {SECONDS:g} s."
            ) from None
        if found != word:
            raise AgentCommandError(
                f"VM '{self._vm}': the guest could not {purpose}: {printable(found)}"
            )

    async def _line(self) -> str:
        received = b""
        while b"\n" not in received and len(received) < LONGEST:
            part = await asyncio.get_running_loop().sock_recv(self._socket, LONGEST)
            if not part:
                raise self._closed()
            received += part
        return received.partition(b"\n")[0].decode("utf-8", "replace").strip()

    def _closed(self) -> AgentClosed:
        return AgentClosed(f"VM '{self._vm}': QEMU closed the port for the guest's name.")
