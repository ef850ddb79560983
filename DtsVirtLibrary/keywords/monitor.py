"""Keywords on QEMU itself: command line, monitor, PCI, display."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from robot.api import logger
from robot.api.deco import keyword

from DtsVirtLibrary.errors import MonitorCommandError
from DtsVirtLibrary.results import VmDisplay

if TYPE_CHECKING:
    from DtsVirtLibrary.keywords.context import LibraryContext

# QEMU's words for an argument of another type.
WRONG_TYPE = "Invalid parameter type"
HOW_TO_TYPE = "Values keep their type: write ${True}, ${False} or ${1} where QMP wants no text."


class MonitorKeywords:
    """QEMU's command line and monitor."""

    def __init__(self, context: LibraryContext) -> None:
        self._context = context

    def _seconds(self, timeout: timedelta | None) -> float:
        return self._context.seconds(timeout, self._context.settings.monitor_timeout)

    @keyword(name="Get VM Command Line", tags=("VM", "Getter"))
    def get_vm_command_line(
        self, vm: str, format: Literal["list", "shell"] = "list"
    ) -> list[str] | str:
        """Returns QEMU's command line for a VM; nothing is started.

        ``format=list`` gives a list of arguments, ``format=shell`` a text that can be
        pasted into a shell.

        | ${arguments} = | `Get VM Command Line` | vm0 |
        | ${text} = | `Get VM Command Line` | vm0 | format=shell |
        """
        context = self._context
        specification = context.machine(vm).specification()
        arguments, text = context.run(context.parts.hypervisor.command_line(specification))
        return text if format == "shell" else list(arguments)

    @keyword(name="Get QEMU Version", tags=("VM", "Getter"))
    def get_qemu_version(self, binary: str | None = None) -> str:
        """Returns the version of a QEMU binary, by default of the library's, as ``7.2.22``.

        | ${version} = | `Get QEMU Version` |
        """
        return str(self._context.run(self._context.parts.hypervisor.version(binary)))

    @keyword(name="Run QMP Command", tags=("Monitor",))
    def run_qmp_command(
        self, vm: str, command: str, *, timeout: timedelta | None = None, **arguments: Any
    ) -> Any:
        """Runs a QMP command with its arguments by name and returns what QEMU returns.

        Values keep their Robot Framework type, so write ``${1}`` and ``${True}`` where QMP
        wants a number or a truth value. Underscores in names stay as they are.

        | ${status} = | `Run QMP Command` | vm0 | query-status |
        | `Run QMP Command` | vm0 | set_link | name=nic0 | up=${False} |
        """
        seconds = self._seconds(timeout)
        try:
            return self._context.use(
                vm,
                "Run QMP Command",
                lambda instance: instance.execute(command, arguments, timeout=seconds),
            )
        except MonitorCommandError as error:
            if WRONG_TYPE in error.summary:
                facts = [*error.evidence.facts, HOW_TO_TYPE]
                error.evidence = replace(error.evidence, facts=facts)
            raise

    @keyword(name="Run Monitor Command", tags=("Monitor",))
    def run_monitor_command(
        self, vm: str, command: str, *, timeout: timedelta | None = None
    ) -> str:
        """Runs a line of the human monitor and returns its text; fails if that is an error.

        | ${text} = | `Run Monitor Command` | vm0 | info pci |
        """
        seconds = self._seconds(timeout)
        text = self._context.use(
            vm, "Run Monitor Command", lambda instance: instance.human(command, timeout=seconds)
        )
        return str(text)

    @keyword(name="Get VM PCI Mapping", tags=("Monitor", "Getter"))
    def get_vm_pci_mapping(self, vm: str) -> dict[str, str]:
        """Returns the guest PCI address of every device that has an id, by id.

        Addresses are as the guest writes them, in hexadecimal with the domain:
        ``0000:00:1f.0``.

        | &{mapping} = | `Get VM PCI Mapping` | vm0 |
        | Log | ${mapping}[nic0] |
        """
        functions = self._context.use(
            vm, "Get VM PCI Mapping", lambda instance: instance.pci_functions()
        )
        return {item.id: item.address for item in functions if item.id}

    @keyword(name="Get Guest PCI Address", tags=("Monitor", "Getter"))
    def get_guest_pci_address(self, vm: str, device: str) -> str:
        """Returns a device's PCI address in the guest, such as ``0000:00:04.0``.

        ``device`` is the device's id, or, for a passed-through device, its address on the
        host. Devices behind bridges are found too.

        | ${address} = | `Get Guest PCI Address` | vm0 | pt_0 |
        | ${address} = | `Get Guest PCI Address` | vm0 | 0000:07:10.0 |
        """
        return str(
            self._context.use(
                vm,
                "Get Guest PCI Address",
                lambda instance: instance.guest_pci_address(device),
            )
        )

    @keyword(name="Get VM Display", tags=("Monitor", "Getter"))
    def get_vm_display(self, vm: str) -> VmDisplay:
        """Returns where a VNC viewer finds the VM's display: host, port and password.

        The password is the configuration's (``vnc = password=...``), else a random one. It
        is not shown in the log, nor written anywhere.

        | `Create VM` | vm0 | vnc=auto=yes |
        | `Start VM` | vm0 |
        | ${display} = | `Get VM Display` | vm0 |
        | Log | ${display.host}:${display.port} |
        """
        display: VmDisplay = self._context.use(
            vm, "Get VM Display", lambda instance: instance.display()
        )
        return display

    @keyword(name="Capture VM Screenshot", tags=("Monitor",))
    def capture_vm_screenshot(self, vm: str, file: Path | None = None) -> str:
        """Saves the VM's display as PNG, shows it in log.html and returns the file's path.

        The VM needs a display: ``vnc=auto=yes`` gives it one. Without ``file``, the
        picture is kept with the artifacts of the VM. The embedded guest writes to its serial
        console, so that its display keeps what the firmware showed.

        | `Create VM` | vm0 | vnc=auto=yes |
        | `Start VM` | vm0 |
        | `Capture VM Screenshot` | vm0 |
        """
        from DtsVirtLibrary.keywords.report import picture_html
        from DtsVirtLibrary.vm.screenshot import capture_screenshot

        context = self._context
        path, picture = context.run(capture_screenshot(context.machine(vm), context.runner, file))
        logger.info(picture_html(picture, f"Display of VM '{vm}'"), html=True)
        return str(path)
