"""Keywords that reach into the guest by its agent, with no network."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from robot.api import logger
from robot.api.deco import keyword

from DtsVirtLibrary.errors import Evidence, GuestCommandFailed
from DtsVirtLibrary.results import CommandResult, GuestInterface

if TYPE_CHECKING:
    from DtsVirtLibrary.keywords.context import LibraryContext

# Long enough for a slow command under emulation; a command that needs more says so.
COMMAND_TIMEOUT = timedelta(minutes=1)


class GuestKeywords:
    """The guest agent."""

    def __init__(self, context: LibraryContext) -> None:
        self._context = context

    def _agent_seconds(self, timeout: timedelta | None) -> float:
        return self._context.seconds(timeout, self._context.settings.agent_timeout)

    @keyword(name="Ping Guest Agent", tags=("Guest",))
    def ping_guest_agent(self, vm: str, *, timeout: timedelta | None = None) -> timedelta:
        """Asks the guest agent for a sign of life and returns the round trip.

        | `Ping Guest Agent` | vm0 |
        """
        seconds = self._agent_seconds(timeout)
        took = self._context.use(
            vm,
            "Ping Guest Agent",
            lambda instance: instance.agent.ping(timeout=seconds),
            needs_guest=True,
        )
        logger.info(f"VM '{vm}': the guest agent answered in {took * 1000:.1f} ms.")
        return timedelta(seconds=took)

    @keyword(name="Get Guest Interfaces", tags=("Guest", "Getter"))
    def get_guest_interfaces(
        self, vm: str, *, timeout: timedelta | None = None
    ) -> dict[str, GuestInterface]:
        """Returns the guest's network interfaces by name, with MAC and IP addresses.

        Each has ``name``, ``mac``, ``ipv4`` (its first IPv4 address, or None) and ``addresses``,
        of which each has ``address``, ``prefix`` (bits of the network) and ``family`` (``ipv4``
        or ``ipv6``).

        | ${interfaces} = | `Get Guest Interfaces` | vm0 |
        | Should Be Equal | ${interfaces['host_connect'].ipv4} | 10.0.2.15 |
        """
        seconds = self._agent_seconds(timeout)
        found = self._context.use(
            vm,
            "Get Guest Interfaces",
            lambda instance: instance.agent.interfaces(timeout=seconds),
            needs_guest=True,
        )
        return {item.name: item for item in found}

    @keyword(name="Get VM IP", tags=("Guest", "Getter"))
    def get_vm_ip(
        self, vm: str, interface: str | None = None, *, timeout: timedelta | None = None
    ) -> str:
        """Returns an IPv4 address of the guest: of ``interface``, else of the control card.

        | ${ip} = | `Get VM IP` | vm0 |
        """
        from DtsVirtLibrary.vm.agent import ip_address

        seconds = self._agent_seconds(timeout)
        return str(self._context.run(ip_address(self._context.machine(vm), interface, seconds)))

    @keyword(name="Execute In Guest", tags=("Guest",))
    def execute_in_guest(
        self,
        vm: str,
        command: str,
        *arguments: str,
        timeout: timedelta = COMMAND_TIMEOUT,
        stdin: str | None = None,
        expected_rc: int | None = None,
    ) -> CommandResult:
        """Runs a command in the guest by its agent and returns rc, stdout and stderr.

        It needs neither network nor login. A ``command`` alone goes through the guest's
        shell; with ``arguments`` it is a program, and no shell sees them. With
        ``expected_rc`` any other exit code fails the keyword. A command that takes longer
        than ``timeout`` is killed in the guest and fails the keyword. The result's
        ``truncated`` is true if the agent cut an output, which it does at 16 MiB.

        | ${result} = | `Execute In Guest` | vm0 | uname -r |
        | Should Be Equal As Integers | ${result.rc} | 0 |
        | `Execute In Guest` | vm0 | /bin/mkdir | -p | /mnt/a b | expected_rc=0 |
        """
        words: str | list[str] = [command, *arguments] if arguments else command
        result: CommandResult = self._context.use(
            vm,
            "Execute In Guest",
            lambda instance: instance.agent.run(
                words,
                timeout=timeout.total_seconds(),
                stdin=None if stdin is None else stdin.encode(),
            ),
            needs_guest=True,
        )
        logger.info(f"rc={result.rc}")
        if result.truncated:
            logger.warn(f"VM '{vm}': the agent cut the output of '{command}' at 16 MiB.")
        for name, text in (("stdout", result.stdout), ("stderr", result.stderr)):
            if text:
                logger.info(f"{name}:\n{text}")
        if expected_rc is not None and result.rc != expected_rc:
            raise GuestCommandFailed(
                f"VM '{vm}': command '{command}' returned rc {result.rc}, expected {expected_rc}.",
                Evidence(vm=vm, facts=result.facts()),
            )
        return result

    @keyword(name="Put File In Guest", tags=("Guest",))
    def put_file_in_guest(
        self,
        vm: str,
        source: Path,
        destination: str,
        *,
        timeout: timedelta = COMMAND_TIMEOUT,
    ) -> None:
        """Copies a file of the runner's machine into the guest by its agent.

        ``destination`` is the path of the file in the guest; what was there is replaced.
        For large files use SSHLibrary's ``Put File``.

        | `Put File In Guest` | vm0 | ${CURDIR}/traffic.conf | /root/traffic.conf |
        """
        from DtsVirtLibrary.vm.agent import put_file

        context = self._context
        machine = context.machine(vm)
        context.run(put_file(machine, context.runner, source, destination, timeout.total_seconds()))

    @keyword(name="Get File From Guest", tags=("Guest",))
    def get_file_from_guest(
        self,
        vm: str,
        source: str,
        destination: Path,
        *,
        timeout: timedelta = COMMAND_TIMEOUT,
    ) -> None:
        """Copies a file of the guest to the runner's machine by the guest agent.

        Directories above ``destination`` are made.

        | `Get File From Guest` | vm0 | /etc/passwd | ${OUTPUT_DIR}/passwd |
        """
        from DtsVirtLibrary.vm.agent import get_file

        context = self._context
        machine = context.machine(vm)
        context.run(get_file(machine, context.runner, source, destination, timeout.total_seconds()))
