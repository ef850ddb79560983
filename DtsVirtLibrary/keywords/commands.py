"""Keywords that run a command on the host to its end."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from robot.api import logger
from robot.api.deco import keyword

from DtsVirtLibrary.errors import CommandError, Evidence
from DtsVirtLibrary.results import CommandResult

if TYPE_CHECKING:
    from DtsVirtLibrary.keywords.context import LibraryContext


class CommandKeywords:
    """Commands of the host. Programs that stay are for `Start Application`."""

    def __init__(self, context: LibraryContext) -> None:
        self._context = context

    @keyword(name="Execute On Host", tags=("Host",))
    def execute_on_host(
        self,
        command: str,
        *arguments: str,
        timeout: timedelta = timedelta(seconds=30),
        stdin: str | None = None,
        expected_rc: int | None = None,
    ) -> CommandResult:
        """Runs a command on the VMs' host and returns rc, stdout and stderr.

        The result is as that of `Execute In Guest`. A ``command`` alone goes through the
        shell; with ``arguments`` it is a program, and no shell sees them. With
        ``expected_rc`` any other exit code fails the keyword. A command that takes longer
        than ``timeout`` is killed and fails the keyword.

        | ${result} = | `Execute On Host` | uname -r |
        | `Execute On Host` | ip | netns | list | expected_rc=0 |
        """
        argv = [command, *arguments] if arguments else ["/bin/sh", "-c", command]
        completed = self._context.run(
            self._context.parts.host.run(
                argv,
                timeout=timeout.total_seconds(),
                stdin=None if stdin is None else stdin.encode(),
                check=False,
            )
        )
        result = CommandResult(completed.exit_code, completed.stdout, completed.stderr)
        logger.info(f"rc={result.rc}")
        for name, text in (("stdout", result.stdout), ("stderr", result.stderr)):
            if text:
                logger.info(f"{name}:\n{text}")
        if expected_rc is not None and result.rc != expected_rc:
            raise CommandError(
                f"Command '{command}' returned rc {result.rc} on the host, expected {expected_rc}.",
                Evidence(argv=argv, facts=result.facts()),
            )
        return result

    @keyword(name="Create Private Directory", tags=("Host",))
    def create_private_directory(self, purpose: str) -> str:
        """Makes a directory on the host that is ours alone and returns its path.

        Its name is short, for the sockets in it, begins with ``purpose`` and cannot be
        guessed. It is removed at the end of the run, and also where the run is killed.

        | ${directory} = | `Create Private Directory` | ovs |
        """
        return self._context.run(self._context.parts.resources.create_directory(purpose))

    @keyword(name="Wait Until Host Socket Exists", tags=("Host", "Wait"))
    def wait_until_host_socket_exists(
        self, *paths: Path, timeout: timedelta = timedelta(seconds=10)
    ) -> None:
        """Waits until there is a socket at each of the paths on the host.

        | `Wait Until Host Socket Exists` | ${directory}/vhost-net0 | ${directory}/vhost-net1 |
        """
        from DtsVirtLibrary.host.sockets import wait_until_sockets

        host = self._context.parts.host
        self._context.run(wait_until_sockets(host, paths, timeout.total_seconds()))
