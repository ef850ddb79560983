"""The console applications of a run, by name, and the transcripts that are kept of them."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from robot.api import logger

from DtsVirtLibrary.errors import ConfigError, VmStateError, nearest
from DtsVirtLibrary.guest.application import Application
from DtsVirtLibrary.guest.programs import GuestProgram, HostProgram, Program
from DtsVirtLibrary.keywords.suite import output_directory

if TYPE_CHECKING:
    from DtsVirtLibrary.keywords.context import LibraryContext

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")


class Consoles:
    """Starts applications, finds them by name, and writes down what they printed."""

    def __init__(self, context: LibraryContext) -> None:
        self._context = context
        self._applications: dict[str, Application] = {}
        self._vms: dict[str, str | None] = {}
        self._transcripts: dict[str, Path] = {}
        self._starts: Counter[str] = Counter()

    def start(self, name: str, command: str, vm: str | None, prompt: str | None) -> Application:
        """Start a program; a name can be used again once its application has ended.

        :raises ConfigError: the name or command is none, or the name is taken.
        :raises ApplicationError: the guest's SSH connection takes it not.
        :raises CommandError: the host cannot run it.
        """
        self._check_name(name)
        argv = _words(command)
        place = f"VM '{vm}'" if vm else self._context.runner.name
        application = Application(name, command, self._program(name, argv, vm), place, prompt)
        self._applications[name] = application
        self._vms[name] = vm
        self._starts[name] += 1
        directory = self._context.settings.artifacts or output_directory()
        number = self._starts[name]
        self._transcripts[name] = directory / "applications" / f"{name}-{number}.log"
        return application

    def get(self, name: str) -> Application:
        """Return an application by name.

        :raises ConfigError: there is none of that name.
        """
        if name not in self._applications:
            known = ", ".join(self._applications) or "none"
            raise ConfigError(
                f"There is no application '{name}'.{nearest(name, self._applications)} "
                f"Started: {known}. Start it with 'Start Application'."
            )
        return self._applications[name]

    def keep(self, name: str) -> None:
        """Write the transcript as it is now, and link it."""
        from DtsVirtLibrary.keywords.report import links

        path = self._transcripts[name]
        runner, text = self._context.runner, self._applications[name].transcript()

        async def write() -> None:
            await runner.make_directory(path.parent)
            await runner.write_bytes(path, text.encode("utf-8", "replace"), mode=0o644)

        self._context.run(write())
        logger.info(links(path.parent, [path.name], output_directory()), html=True)

    def explain(self, name: str) -> None:
        """Raise the better explanation if the application died with its VM.

        :raises VmDied: so it was.
        """
        vm = self._vms[name]
        if vm is not None:
            try:
                self._context.use(vm, f"Application '{name}'", lambda instance: instance.status())
            except VmStateError:
                return

    def in_guests(self, names: list[str]) -> list[str]:
        """Return those that run in a guest."""
        return [name for name in names if self._vms.get(name) is not None]

    def stop(self, names: list[str]) -> None:
        """Stop those that still run, the last first, and forget them all."""
        for name in reversed(names):
            if name not in self._applications:
                continue
            application = self._applications[name]
            if application.running:
                way = application.stop(None, 0.0)
                logger.info(f"Application '{name}' was still running and was stopped by {way}.")
                self.keep(name)
            self._forget(name)

    def kill_all(self) -> None:
        """End all at once, without waiting for their end."""
        for application in self._applications.values():
            if application.running:
                application.kill()

    def _forget(self, name: str) -> None:
        for known in (self._applications, self._vms, self._transcripts):
            known.pop(name, None)

    def _check_name(self, name: str) -> None:
        if not NAME.match(name):
            raise ConfigError(
                f"'{name}' is not a name for an application: letters, digits, '.', '_' and '-' "
                "are allowed, the first a letter or a digit."
            )
        holder = self._applications.get(name)
        if holder is not None and holder.running:
            raise ConfigError(
                f"Application '{name}' runs already ({holder.place}: {holder.command}). "
                "Stop it first, or choose another name."
            )

    def _program(self, name: str, argv: list[str], vm: str | None) -> Program:
        context = self._context
        if vm is None:
            return context.run(HostProgram.start(context.parts.host, argv, None))
        context.use(vm, f"Start Application '{name}'", lambda instance: instance.status())
        client = context.sessions.client(vm)
        return GuestProgram(lambda: client.get_transport().open_session(), shlex.join(argv), name)


def _words(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ConfigError(f"The command {command!r} cannot be split: {error}.") from error
    if not words:
        raise ConfigError("The command is empty; give a program and its arguments.")
    return words
