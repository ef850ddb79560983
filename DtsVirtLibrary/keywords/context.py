"""What the keyword components share: the VMs, the host, and the way to the loop thread."""

from __future__ import annotations

import os
from collections.abc import Coroutine
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from robot.api import logger

from DtsVirtLibrary.errors import SshError
from DtsVirtLibrary.keywords.scopes import Scopes
from DtsVirtLibrary.keywords.settings import ClosingScope, Settings
from DtsVirtLibrary.keywords.suite import is_being_terminated, output_directory
from DtsVirtLibrary.loop import LoopThread
from DtsVirtLibrary.results import GuestSession, StopStage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from DtsVirtLibrary.assembly import Parts
    from DtsVirtLibrary.host.protocol import Host
    from DtsVirtLibrary.keywords.consoles import Consoles
    from DtsVirtLibrary.keywords.sessions import SshSessions
    from DtsVirtLibrary.vm.machine import Machine

T = TypeVar("T")

TRUSTED_AT_FIRST_SIGHT = (
    "the guest agent cannot tell the SSH server's host key, so the first one that was seen is "
    "trusted until the guest boots again."
)


class LibraryContext:
    """Holds the parts of the library, made at the first use.

    Importing the library must start nothing and load no heavy module, so whatever needs
    asyncio, QMP or YAML is imported when the first keyword asks for it.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.scopes = Scopes(settings.closing)
        self.application_scopes = Scopes(_application_closing(settings.closing))
        self.loop = LoopThread()
        self._parts: Parts | None = None
        self._sessions: SshSessions | None = None
        self._consoles: Consoles | None = None

    @property
    def parts(self) -> Parts:
        """The parts, assembled at the first use."""
        if self._parts is None:
            from DtsVirtLibrary.assembly import assemble

            self._parts = assemble(
                self.settings,
                artifacts=self.settings.artifacts or output_directory() / "vms",
                progress=logger.console,
                seed=f"{os.getpid()}/{os.urandom(8).hex()}",
                on_reset=self._sever,
            )
            for path in self.run(self._parts.runner.sweep()):
                logger.info(f"A run that is dead had left {path}; it is removed.")
        return self._parts

    @property
    def sessions(self) -> SshSessions:
        """The SSH connections that belong to VMs."""
        if self._sessions is None:
            from DtsVirtLibrary.keywords.sessions import SshSessions

            self._sessions = SshSessions()
        return self._sessions

    def _sever(self, vm: str) -> None:
        """Cut the SSH connection of a boot that has ended; called on the loop."""
        if self._sessions is not None:
            self._sessions.sever(vm)

    @property
    def consoles(self) -> Consoles:
        """The console applications."""
        if self._consoles is None:
            from DtsVirtLibrary.keywords.consoles import Consoles

            self._consoles = Consoles(self)
        return self._consoles

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop thread; Robot Framework can interrupt it."""
        return self.loop.run(coroutine)

    def machine(self, name: str) -> Machine:
        """Return a VM by name.

        :raises ConfigError: there is none of that name.
        """
        return self.parts.registry.get(name)

    def use(
        self,
        name: str,
        action: str,
        work: Callable[[Any], Coroutine[Any, Any, T]],
        *,
        needs_guest: bool = False,
    ) -> T:
        """Do something with a running VM's instance.

        :param needs_guest: the guest must do it, so a panic ends it.
        :raises VmStateError: it does not run.
        :raises VmDied: its process has ended, or ends meanwhile.
        """
        machine = self.machine(name)
        self.tell_surprises(machine)
        return self.run(machine.use(action, work, needs_guest=needs_guest))

    def tell_surprises(self, machine: Machine) -> None:
        """Warn of what befell a VM that no keyword asked for."""
        for surprise in self.run(machine.take_surprises()):
            logger.warn(f"VM '{machine.name}': {surprise}")

    def seconds(self, given: timedelta | None, default: timedelta) -> float:
        """Return the time given to a keyword, else the library's default, in seconds."""
        return (default if given is None else given).total_seconds()

    @property
    def runner(self) -> Host:
        """The machine that Robot Framework runs on; the suite's files are its."""
        return self.parts.runner

    def log_in(self, machine: Machine) -> GuestSession:
        """Log SSHLibrary in to a ready guest and return the session, now with its user.

        :raises HostKeyError: another server than the guest's answers.
        :raises SshError: the login failed.
        :raises VmDied: the VM's process ended meanwhile.
        """
        from DtsVirtLibrary.vm.login import prepare_login

        assert machine.session is not None
        login, access = self.run(prepare_login(self.parts.host, machine))
        seconds = machine.specification().timeouts.login
        try:
            host_key = self.sessions.login(machine.session, login, access.host_keys, seconds)
        except SshError:
            # A guest that is gone is the better explanation.
            self.use(machine.name, "SSH login", lambda instance: instance.status())
            raise
        if machine.host_keys.take(host_key):
            logger.info(f"VM '{machine.name}': {TRUSTED_AT_FIRST_SIGHT}")
        machine.logged_in(login.user, login.key)
        return machine.session

    def keep(self, machine: Machine) -> None:
        """Let a VM that came up outlive the run, if the import asked for it."""
        if self.settings.closing is ClosingScope.KEEP:
            self.run(machine.keep())

    def enter_scope(self, identity: str, *, is_test: bool) -> None:
        """A test or suite begins."""
        self.scopes.enter(identity, is_test=is_test)
        self.application_scopes.enter(identity, is_test=is_test)

    def leave_scope(self, identity: str) -> None:
        """A test or suite ended: stop what belongs to it.

        The host's applications come last: a VM may need them, as its back ends, to end well.
        """
        if not self.scopes.is_current(identity):
            return
        applications, _ = self.application_scopes.leave()
        if self._consoles is not None:
            self._consoles.stop(self._consoles.in_guests(applications))
        self._stop_vms()
        if self._consoles is not None:
            self._consoles.stop(applications)

    def _stop_vms(self) -> None:
        depth = self.scopes.depth
        stop, forget = self.scopes.leave()
        if self._parts is None:
            return
        self._parts.configs.forget(depth)
        registry = self._parts.registry
        patience = timedelta(0) if is_being_terminated() else self.settings.stop_timeout
        try:
            self.stop_machines([item for item in registry if item.name in stop], patience)
        finally:
            for machine in list(registry):
                if machine.name in forget:
                    registry.forget(machine)

    def stop_machines(
        self, machines: Iterable[Machine], timeout: timedelta
    ) -> dict[str, StopStage]:
        """Stop VMs side by side, tell how that went, and return the stage that worked for each."""
        chosen = list(machines)
        for machine in chosen:
            self.sessions.close(machine.name)
        told = {machine.name: len(machine.notes) for machine in chosen}
        try:
            stages = self.run(self.parts.registry.stop(chosen, timeout.total_seconds()))
        finally:
            for machine in chosen:
                for note in machine.notes[told[machine.name] :]:
                    logger.warn(f"VM '{machine.name}': {note}")
        for vm, stage in stages.items():
            if stage is not StopStage.ALREADY:
                logger.info(f"VM '{vm}' was stopped by: {stage.value}.")
        return stages

    def close(self) -> None:
        """End everything that is left, fast, at the end of the run. Quiet the second time."""
        parts, self._parts = self._parts, None
        if parts is not None:
            if self._consoles is not None:
                self._consoles.kill_all()
            if self._sessions is not None:
                self._sessions.close_all()
            keep = self.settings.closing is ClosingScope.KEEP
            for machine in parts.registry.running() if keep else ():
                logger.console(_kept(machine))
            self.run(parts.close(keep_vms=keep))
        self.loop.close()


def _application_closing(closing: ClosingScope) -> ClosingScope:
    """Return when applications are stopped; they never outlive the run."""
    return ClosingScope.RUN if closing is ClosingScope.KEEP else closing


def _kept(machine: Machine) -> str:
    """Say what is left running, how to reach it and how to end it."""
    info = machine.info()
    session = info.session
    ssh = f", SSH on {session.host}:{session.port}" if session and session.port else ""
    return f"VM '{machine.name}' was kept: process {info.pid}{ssh}. End it with: kill {info.pid}"
