"""The library class: import arguments, composition of the keywords, and the listener."""

from __future__ import annotations

import atexit
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from robotlibcore import DynamicCore

from DtsVirtLibrary.accelerators import Accelerator
from DtsVirtLibrary.keywords.applications import ApplicationKeywords
from DtsVirtLibrary.keywords.commands import CommandKeywords
from DtsVirtLibrary.keywords.context import LibraryContext
from DtsVirtLibrary.keywords.devices import DeviceKeywords
from DtsVirtLibrary.keywords.guest import GuestKeywords
from DtsVirtLibrary.keywords.host import HostKeywords
from DtsVirtLibrary.keywords.lifecycle import LifecycleKeywords
from DtsVirtLibrary.keywords.monitor import MonitorKeywords
from DtsVirtLibrary.keywords.network import NetworkKeywords
from DtsVirtLibrary.keywords.power import PowerKeywords
from DtsVirtLibrary.keywords.settings import ClosingScope, Settings
from DtsVirtLibrary.keywords.snapshots import SnapshotKeywords
from DtsVirtLibrary.keywords.states import StateKeywords
from DtsVirtLibrary.keywords.times import require_times
from DtsVirtLibrary.keywords.types import documented
from DtsVirtLibrary.version import VERSION


class DtsVirtLibrary(DynamicCore):  # type: ignore[misc] # robotlibcore is not typed
    """DtsVirtLibrary starts and drives QEMU virtual machines for Robot Framework tests.

    = A first test =

    | ***** Settings *****
    | Library           DtsVirtLibrary
    | Library           SSHLibrary
    | Test Teardown     Stop VM    vm0
    |
    | ***** Test Cases *****
    | The guest answers
    |     Create VM    vm0
    |     ${guest} =    Start VM    vm0
    |     ${kernel} =    Execute Command    uname -r
    |     Log    ${guest.pci_mapping}

    A VM with neither disk nor kernel boots the embedded guest, a small Debian-based Linux
    that is built once and cached. ``Start VM`` returns when the guest agent answers, the
    control interface ``host_connect`` has its address and SSHLibrary is logged in, with
    the VM's name as alias.

    = VMs and their names =

    Every keyword takes the VM's name first. A name is made of letters, digits, ``.``,
    ``_`` and ``-``. It can be used again once its VM has ended.

    = Configuration =

    A VM comes from a section of a ``.cfg`` file, from a YAML document, from named
    parameters, or from all of them, the latter replacing the former. The parameters and
    their options are listed in the project's ``docs/parameters.md``.

    = When VMs are stopped =

    A VM that a test started is stopped at the end of the test, one that a suite setup
    started at the end of the suite. The import argument ``closing`` changes that. Unless it
    is ``KEEP``, QEMU never outlives the run, however the run ended.

    = Warm start =

    With ``warm=True`` (at the import, or for one `Start VM`) the first start of a
    specification boots the guest, saves it as a template and starts a clone of that; every
    later start, in this run or another one, clones it in a fraction of a second. A clone has
    disks, ports, clock and random numbers of its own, and is a VM as any other. Whatever
    differs in the specification, in QEMU or in an image makes another template. Where no
    template can serve, the VM boots cold and the log says why in one line.

    = What is kept =

    For each start there is a directory ``vms/<vm>/start-<n>`` under the output directory,
    with the command line, QEMU's stderr, the serial console and the QMP transcript. The
    log links to it and shows the stages of the start.
    """

    ROBOT_LIBRARY_SCOPE = "GLOBAL"
    ROBOT_LIBRARY_VERSION = VERSION
    ROBOT_LIBRARY_DOC_FORMAT = "ROBOT"
    ROBOT_LISTENER_API_VERSION = 3
    ROBOT_LIBRARY_CONVERTERS = documented()

    def __init__(
        self,
        *,
        accelerator: Accelerator = Accelerator.AUTO,
        qemu: str | None = None,
        start_timeout: timedelta | None = None,
        stop_timeout: timedelta = timedelta(seconds=30),
        agent_timeout: timedelta = timedelta(seconds=10),
        monitor_timeout: timedelta = timedelta(seconds=10),
        artifacts: Path | None = None,
        closing: ClosingScope = ClosingScope.AUTO,
        warm: bool = False,
    ) -> None:
        """Importing starts nothing.

        ``accelerator``: ``auto`` takes KVM where it works and TCG (emulation) elsewhere;
        ``kvm`` and ``tcg`` demand one. ``qemu``: the binary for VMs that name none.
        ``start_timeout``: deadline of `Start VM` for VMs whose configuration sets none
        (default 120 seconds). ``stop_timeout``: how long a guest may take to shut down.
        ``agent_timeout``: deadline of one answer of the guest agent in keywords that ask
        it. ``monitor_timeout``: deadline of one answer of the monitor. ``artifacts``:
        directory for the files kept of VMs, instead of ``${OUTPUT_DIR}/vms``.
        ``closing``: when VMs are stopped.
        ``warm``: start VMs from templates, see `Warm start`.

        | Library | DtsVirtLibrary | accelerator=tcg | start_timeout=5 min |
        """
        self._context = LibraryContext(
            Settings(
                accelerator=accelerator,
                qemu=qemu,
                start_timeout=start_timeout,
                stop_timeout=stop_timeout,
                agent_timeout=agent_timeout,
                monitor_timeout=monitor_timeout,
                artifacts=artifacts,
                closing=closing,
                warm=warm,
            )
        )
        self.ROBOT_LIBRARY_LISTENER = self
        atexit.register(self._context.close)
        super().__init__(
            [
                component(self._context)
                for component in (
                    LifecycleKeywords,
                    PowerKeywords,
                    DeviceKeywords,
                    GuestKeywords,
                    MonitorKeywords,
                    HostKeywords,
                    NetworkKeywords,
                    ApplicationKeywords,
                    CommandKeywords,
                    SnapshotKeywords,
                    StateKeywords,
                )
            ]
        )

    def run_keyword(
        self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run a keyword, unless a time that it is given is none."""
        require_times(kwargs or {})
        return super().run_keyword(name, args, kwargs)

    def add_library_components(self, library_components: list[Any], *more: Any) -> None:
        """Take the keywords of the components, and of nothing else.

        The library itself has none of its own, but its attributes are those of the
        components: looking at them too would triple the time of the import.
        """
        components = [item for item in library_components if item is not self]
        super().add_library_components(components, *more)

    def start_suite(self, data: Any, result: Any) -> None:
        """A suite that imports the library begins."""
        self._context.enter_scope(data.id, is_test=False)

    def start_test(self, data: Any, result: Any) -> None:
        """A test begins."""
        self._context.enter_scope(data.id, is_test=True)

    def end_test(self, data: Any, result: Any) -> None:
        """A test ended, its teardown included."""
        self._context.leave_scope(data.id)

    def end_suite(self, data: Any, result: Any) -> None:
        """A suite ended, its teardown included."""
        self._context.leave_scope(data.id)

    def close(self) -> None:
        """The run ended, in whatever way."""
        self._context.close()
