"""The points of the life cycle at which the kill matrix ends a runner.

Each names a function of the product; the runner ends itself there (killer.py), so that a
point is met exactly and never by a pause that happened to fit.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Hook:
    """A call of a function of the product.

    :ivar function: ``module:qualified.name``.
    :ivar words: texts that the arguments, printed, must have.
    :ivar before: whether the moment is the call, not the return.
    """

    function: str
    words: tuple[str, ...] = ()
    before: bool = False


@dataclass(frozen=True)
class Point:
    """A moment of a run.

    :ivar title: what has happened by then, for people.
    :ivar scene: test of ``suites/victims.robot`` that comes by there.
    :ivar armed_by: a moment before which `hook` does not count.
    :ivar until_serial: wait at the hook until the guest has written on its console.
    """

    name: str
    title: str
    scene: str
    hook: Hook
    armed_by: Hook | None = None
    until_serial: bool = False


def _stage(name: str) -> Hook:
    return Hook("DtsVirtLibrary.timeline:Timeline.reached", (f"'{name}'",))


_MAKE = "DtsVirtLibrary.host.private:make"
_SPAWNED = Hook("DtsVirtLibrary.qemu.launch:_spawn")
_MIGRATE = "DtsVirtLibrary.qemu.templates.migration:_start"

POINTS = (
    Point("before-directory", "nothing is made yet", "Cold", Hook(_MAKE, before=True)),
    Point("directory-made", "the private directory is made", "Cold", Hook(_MAKE)),
    Point(
        "overlay-made",
        "the disk's overlay is made",
        "Cold",
        Hook("DtsVirtLibrary.qemu.start.resources:StartResources._overlay"),
    ),
    Point(
        "tap-made",
        "the tap is made",
        "Cold",
        Hook("DtsVirtLibrary.qemu.start.resources:StartResources._tap"),
    ),
    Point(
        "supervisor-told",
        "the supervisor is told to spawn QEMU",
        "Cold",
        Hook("DtsVirtLibrary.host.supervisor:Supervisor._send", ("'do': 'spawn'", "'-name'")),
    ),
    Point("qemu-spawned", "QEMU is spawned", "Cold", _SPAWNED),
    Point(
        "qmp-greeted",
        "QEMU's monitor has greeted",
        "Cold",
        Hook("qemu.qmp.qmp_client:QMPClient._negotiate", before=True),
        armed_by=_SPAWNED,
    ),
    Point("qmp-answered", "QEMU's monitor has answered", "Cold", _stage("QMP answered")),
    Point("cpus-running", "the CPUs run", "Cold", _stage("CPUs started")),
    Point(
        "serial-output",
        "the guest has written on its console",
        "Cold",
        Hook("DtsVirtLibrary.qemu.instance:QemuInstance.resume"),
        until_serial=True,
    ),
    Point("agent-answered", "the guest agent has answered", "Cold", _stage("agent answered")),
    Point("cloning", "a clone loads its template's state", "Warm", Hook(_MIGRATE, ("incoming",))),
    Point(
        "ssh-logged-in",
        "SSHLibrary is logged in",
        "Warm",
        Hook("DtsVirtLibrary.vm.machine:Machine.logged_in"),
    ),
    Point(
        "hot-plug",
        "a card's tap and back end are plugged in, the card is not",
        "Warm",
        Hook("DtsVirtLibrary.qemu.hotplug.plugging:_run"),
    ),
    Point(
        "executing",
        "a command runs in the guest",
        "Warm",
        Hook("DtsVirtLibrary.qemu.agent.commands:_started", ("sleep 1000",)),
    ),
    Point(
        "stopping",
        "in Stop VM, the guest was told to shut down",
        "Warm stop",
        Hook("DtsVirtLibrary.qemu.agent.agent:Agent.shutdown"),
    ),
    Point(
        "stopped",
        "after Stop VM",
        "Warm stop",
        Hook("DtsVirtLibrary.vm.machine:Machine.stop"),
    ),
    Point(
        "closing",
        "the run ends and the library closes",
        "Application",
        Hook("DtsVirtLibrary.assembly:Parts.close", before=True),
    ),
    Point(
        "application",
        "a console application, hugepages, a network namespace with a veth pair and a VM are there",
        "Application",
        Hook("DtsVirtLibrary.keywords.applications:ApplicationKeywords.start_application"),
    ),
    Point(
        "template-begun",
        "the directory of a new template is made",
        "Template",
        Hook("DtsVirtLibrary.qemu.templates.store:TemplateStore.draft"),
    ),
    Point(
        "template-saving",
        "a template's state is being saved",
        "Template",
        Hook(_MIGRATE, ("'migrate'",)),
    ),
    Point(
        "template-publishing",
        "a template is whole, but not at its place",
        "Template",
        Hook("DtsVirtLibrary.host.local:LocalHost.rename", (".draft-",), before=True),
    ),
)


@dataclass(frozen=True)
class Ending:
    """Another way for a run to end, which the matrix brings about from outside.

    :ivar scene: test of ``suites/victims.robot``; it says ``ready`` when it has everything.
    """

    name: str
    title: str
    scene: str = "Stuck"


SECOND_INTERRUPT = Ending("second-ctrl-c", "Ctrl-C, and a second one in the teardown")
TERMINATION = Ending("sigterm", "SIGTERM while a keyword waits", "Waiting")
PROCESS_TIMEOUT = Ending("pabot-timeout", "pabot --processtimeout")
BOTH_KILLED = Ending(
    "supervisor-too",
    "the supervisor too, at the same moment; then another run sweeps",
    "Stuck With Everything",
)
ENDINGS = (SECOND_INTERRUPT, TERMINATION, PROCESS_TIMEOUT, BOTH_KILLED)
