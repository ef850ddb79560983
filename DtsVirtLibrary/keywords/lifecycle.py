"""Keywords that create, start and stop VMs."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robot.api import logger
from robot.api.deco import keyword

from DtsVirtLibrary.errors import DtsVirtError, VmStateError, WaitTimeout
from DtsVirtLibrary.keywords.suite import output_directory, suite_directory
from DtsVirtLibrary.keywords.times import require_some_time
from DtsVirtLibrary.results import GuestSession, Readiness, StopStage, VmInfo, VmStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from DtsVirtLibrary.keywords.context import LibraryContext
    from DtsVirtLibrary.vm.machine import Machine

NO_CONTROL_CARD = "it has no network card with a user network, so there is no SSH login"


class LifecycleKeywords:
    """Creating, starting and stopping VMs."""

    def __init__(self, context: LibraryContext) -> None:
        self._context = context

    @keyword(name="Load VM Config", tags=("VM", "Config"))
    def load_vm_config(self, path: Path) -> list[str]:
        """Loads a ``.cfg`` or YAML file and returns the names of the VMs in it.

        ``Create VM`` then finds a VM's section by the VM's name. A ``[KVM]`` section
        holds defaults for all VMs: each of its parameters is used where a VM has none
        of that name. A relative ``path`` counts from the working directory, then from the
        directory of the suite. The whole file is checked at once; an error names file and
        line. It counts until the end of the test that loaded it, or of the suite if a suite
        setup did.

        | @{vms} = | `Load VM Config` | conf/two_vms.cfg |
        | `Create VM` | vm0 |
        """
        context = self._context
        return context.run(
            context.parts.configs.load(path, suite_directory(), context.scopes.depth)
        )

    @keyword(name="Create VM", tags=("VM",))
    def create_vm(self, name: str, config: Path | None = None, **parameters: Any) -> None:
        """Creates the VM ``name``; nothing is started yet.

        With ``config``, the VM is the section ``name`` of that file. Without, it is the
        section of a file loaded by `Load VM Config`, if one has it. ``parameters`` are the
        file's own, with the same values as text or as dictionaries and lists, and each
        replaces the file's; ``${NONE}`` takes the file's away. A VM with neither disk nor
        kernel boots the embedded guest.

        | `Create VM` | vm0 |
        | `Create VM` | vm1 | conf/vxlan_sample.cfg |
        | `Create VM` | vm2 | cpu=number=2 | mem=size=1024,hugepage=yes |
        """
        context = self._context
        values = context.run(
            context.parts.configs.parameters(name, config, parameters, suite_directory())
        )
        context.parts.registry.create(name, values)
        context.scopes.created(name)

    @keyword(name="Get VM", tags=("VM", "Getter"))
    def get_vm(self, vm: str) -> VmInfo:
        """Returns what is known of a VM: ``name``, ``status``, ``pid``, ``session``, ``artifacts``.

        ``pid`` is QEMU's process id while it runs, ``session`` what `Start VM` returned, and
        ``artifacts`` the directory of the last start's files. Each is None where there is none.

        | ${vm0} = | `Get VM` | vm0 |
        | Log | ${vm0.status} |
        """
        machine = self._context.machine(vm)
        return machine.info()

    @keyword(name="Get VM Status", tags=("VM", "Getter"))
    def get_vm_status(self, vm: str) -> str:
        """Returns ``created``, ``starting``, ``running``, ``paused``, ``stopped`` or ``crashed``.

        | ${status} = | `Get VM Status` | vm0 |
        """
        return self._context.run(self._context.machine(vm).ask_status()).value

    @keyword(name="Start VM", tags=("VM",))
    def start_vm(
        self,
        vm: str,
        *,
        timeout: timedelta | None = None,
        wait_for: Readiness = Readiness.SSH,
        warm: bool | None = None,
        fresh_identity: bool | None = None,
        wait_for_host: timedelta = timedelta(minutes=5),
    ) -> GuestSession:
        """Starts a VM and returns the guest session as soon as the guest is ready.

        ``wait_for`` says how far to wait: ``ssh`` until the guest agent answers, the
        control interface ``host_connect`` has its address and SSHLibrary is logged in
        with the VM's name as alias; ``agent`` until the guest agent answers; ``process``
        until the CPUs run. ``timeout`` counts from the launch; its default is the
        configuration's ``start = wait_seconds=...``, else the library's
        ``start_timeout``, else 120 seconds. If the guest is not ready in time the
        keyword fails, the VM is stopped and its artifacts are kept.

        ``warm`` says whether to start from a template, see `Warm start`; its default is the
        configuration's ``warm = enable=...``, else the library's ``warm``. With
        ``fresh_identity=True`` a clone gets SSH host keys, a machine id and a random seed of
        its own before the keyword returns, which takes it some time; its default is the
        configuration's ``warm = fresh_identity=...``, else False.

        The session has ``name``, ``host`` and ``port`` (where SSH connects to), ``username``,
        ``key``, ``ip`` (the guest's own address), ``interfaces`` (those of `Get Guest Interfaces`
        at the start), ``pci_mapping`` (see `Get VM PCI Mapping`), ``accelerator`` and ``stages``.

        The VM is started when the host has its memory or hugepages free that nobody else
        counts on who is starting VMs (other pabot processes); ``wait_for_host`` is the deadline
        for that.

        | ${guest} = | `Start VM` | vm0 |
        | ${kernel} = | Execute Command | uname -r |
        | Log | ${guest.pci_mapping} |
        """
        context = self._context
        machine = context.machine(vm)
        context.sessions.close(vm)
        try:
            (error,) = self._start(
                [machine], timeout, wait_for, warm, fresh_identity, wait_for_host
            )
            if error is not None:
                raise error
            session = self._make_usable(machine, wait_for)
        except BaseException as error:
            self._report(machine, error)
            raise
        self._report(machine)
        return session

    @keyword(name="Start VMs", tags=("VM",))
    def start_vms(
        self,
        *vms: str,
        timeout: timedelta | None = None,
        wait_for: Readiness = Readiness.SSH,
        warm: bool | None = None,
        fresh_identity: bool | None = None,
        wait_for_host: timedelta = timedelta(minutes=5),
    ) -> dict[str, GuestSession]:
        """Starts several VMs side by side and returns their guest sessions by name.

        The arguments are those of `Start VM`. They are started when the memory and the
        hugepages for all of them are free, for which ``wait_for_host`` is the deadline. If a
        VM does not come up, the keyword fails; the others run. SSHLibrary's current connection
        is that of the last one.

        | `Create VM` | vm0 |
        | `Create VM` | vm1 |
        | ${guests} = | `Start VMs` | vm0 | vm1 | warm=True |
        | Log | ${guests}[vm1] |
        """
        context = self._context
        machines = [context.machine(vm) for vm in dict.fromkeys(vms)]
        for machine in machines:
            context.sessions.close(machine.name)
        errors = self._start(machines, timeout, wait_for, warm, fresh_identity, wait_for_host)
        sessions = {}
        for index, machine in enumerate(machines):
            if errors[index] is None:
                try:
                    sessions[machine.name] = self._make_usable(machine, wait_for)
                except DtsVirtError as error:
                    errors[index] = error
            self._report(machine, errors[index])
        if failures := [error for error in errors if error is not None]:
            raise failures[0]
        return sessions

    def _start(
        self,
        machines: Sequence[Machine],
        timeout: timedelta | None,
        wait_for: Readiness,
        warm: bool | None,
        fresh_identity: bool | None,
        wait_for_host: timedelta,
    ) -> list[BaseException | None]:
        """Start VMs side by side and return for each the error that it failed with."""
        from DtsVirtLibrary.vm.batch import Order, start_all

        context = self._context
        orders = [
            Order(
                machine,
                self._start_seconds(machine, timeout),
                self._is_warm(machine, warm),
                fresh_identity,
            )
            for machine in machines
        ]
        names = ", ".join(machine.name for machine in machines)

        def waiting(reason: str) -> None:
            logger.console(f"{names}: waiting for the host: {reason}")

        patience = wait_for_host.total_seconds()
        return context.run(start_all(context.parts.host, orders, wait_for, patience, waiting))

    @keyword(name="Log In To VM", tags=("VM",))
    def log_in_to_vm(self, vm: str) -> GuestSession:
        """Logs SSHLibrary in to a running VM, with the VM's name as alias.

        For a VM that was started with ``wait_for=agent``, or whose connection was closed; one
        that is open is closed first. The guest's SSH server must show the host key that the
        guest agent has read, or, in a guest without agent, that it showed first since its boot.
        Returns the guest session; see `Start VM`.

        | `Start VM` | vm0 | wait_for=agent |
        | `Log In To VM` | vm0 |
        | Execute Command | uptime |
        """
        from DtsVirtLibrary.vm.login import wait_for_login

        context = self._context
        machine = context.machine(vm)
        context.sessions.close(vm)
        context.run(wait_for_login(machine))
        return context.log_in(machine)

    def _make_usable(self, machine: Machine, wait_for: Readiness) -> GuestSession:
        """Note in whose scope a VM was started, and log SSHLibrary in to it if asked for."""
        context = self._context
        context.scopes.started(machine.name)
        context.keep(machine)
        assert machine.session is not None
        if wait_for is Readiness.SSH and machine.session.port is None:
            machine.notes.append(NO_CONTROL_CARD)
        elif wait_for is Readiness.SSH:
            return self._log_in_or_give_up(machine)
        return machine.session

    def _start_seconds(self, machine: Machine, timeout: timedelta | None) -> float | None:
        """Return the deadline, None for the configuration's own."""
        if timeout is not None:
            return require_some_time("timeout", timeout)
        default = self._context.settings.start_timeout
        if default is None or machine.parameters.entries("start"):
            return None
        return require_some_time("start_timeout", default)

    def _is_warm(self, machine: Machine, warm: bool | None) -> bool | None:
        """Return whether to start warm, None for what the configuration says."""
        if warm is not None or machine.parameters.entries("warm"):
            return warm
        return self._context.settings.warm

    def _log_in_or_give_up(self, machine: Machine) -> GuestSession:
        try:
            return self._context.log_in(machine)
        except BaseException as error:
            self._context.run(machine.give_up(error))
            raise

    def _report(self, machine: Machine, error: BaseException | None = None) -> None:
        from DtsVirtLibrary.keywords.report import start_report

        for note in machine.notes:
            logger.info(note)
        if machine.artifacts is None:
            return
        directory = machine.artifacts.directory
        logger.info(
            start_report(
                machine.name,
                machine.timeline.stages,
                directory,
                machine.artifacts.kept,
                output_directory(),
                failed=error is not None,
            ),
            html=True,
        )
        if isinstance(error, DtsVirtError):
            logger.debug(error.whole_text())

    @keyword(name="Stop VM", tags=("VM",))
    def stop_vm(self, vm: str, *, timeout: timedelta | None = None) -> StopStage:
        """Stops a VM and returns the stage that worked; a VM that does not run is fine.

        The stages are: shutdown by the guest agent, the ACPI power button, QMP ``quit``,
        SIGTERM, SIGKILL. ``timeout`` is the deadline of each of the first two (default:
        the library's ``stop_timeout``); the others have short ones of their own. With
        ``timeout=0`` the guest is not asked. The SSH connection of the VM is closed.

        | `Stop VM` | vm0 |
        | `Stop VM` | vm0 | timeout=1 min |
        """
        context = self._context
        machine = context.machine(vm)
        default = context.settings.stop_timeout
        return context.stop_machines([machine], default if timeout is None else timeout)[vm]

    @keyword(name="Kill VM", tags=("VM",))
    def kill_vm(self, vm: str) -> None:
        """Ends a VM at once by SIGKILL; the guest gets no chance to save anything.

        | `Kill VM` | vm0 |
        """
        context = self._context
        context.sessions.close(vm)
        context.run(context.machine(vm).kill())
        logger.info(f"VM '{vm}' was killed.")

    @keyword(name="Stop All VMs", tags=("VM",))
    def stop_all_vms(self, *, timeout: timedelta | None = None) -> None:
        """Stops every VM that runs, side by side; see `Stop VM`.

        | [Teardown] | `Stop All VMs` |
        """
        context = self._context
        default = context.settings.stop_timeout
        running = context.parts.registry.running()
        context.stop_machines(running, default if timeout is None else timeout)

    @keyword(name="VM Should Be Running", tags=("VM", "Assertion"))
    def vm_should_be_running(self, vm: str) -> None:
        """Fails unless the VM's process lives and its CPUs run; the failure says why not.

        | `VM Should Be Running` | vm0 |
        """
        status = self._context.use(vm, "VM Should Be Running", lambda instance: instance.status())
        if status != "running":
            raise VmStateError(f"VM '{vm}' should be running, but it is {status}.")

    @keyword(name="Wait Until VM Stops", tags=("VM", "Wait"))
    def wait_until_vm_stops(self, vm: str, *, timeout: timedelta = timedelta(minutes=1)) -> None:
        """Waits until the VM has ended by itself, for example after ``poweroff`` in the guest.

        | Write | poweroff |
        | `Wait Until VM Stops` | vm0 | timeout=30 s |
        """
        context = self._context
        machine = context.machine(vm)
        if machine.status is VmStatus.CREATED:
            raise VmStateError(f"VM '{vm}' was never started, so it cannot stop.")
        if not context.run(machine.wait_until_stopped(timeout.total_seconds())):
            raise WaitTimeout(
                f"VM '{vm}' did not stop within {timeout.total_seconds():g} s; "
                f"it is {machine.status.value}."
            )
        context.sessions.close(vm)
        if machine.status is VmStatus.CRASHED:
            logger.warn(f"VM '{vm}' did not end in an orderly way; see its artifacts.")
