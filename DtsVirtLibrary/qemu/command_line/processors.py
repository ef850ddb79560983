"""``-accel``, ``-cpu`` and ``-smp``."""

from __future__ import annotations

import re

from DtsVirtLibrary.errors import nearest
from DtsVirtLibrary.qemu.command_line.options import Option, pairs, text
from DtsVirtLibrary.qemu.command_line.plan import Plan
from DtsVirtLibrary.spec import Accelerator

_FEATURE = re.compile(r"[+-]?[A-Za-z0-9_.-]+(=[A-Za-z0-9_.-]+)?\Z")


def processor_options(plan: Plan) -> list[Option]:
    """Return accelerator, CPU model and topology.

    :raises ConfigError: the model is not known or cannot be had, or the numbers of the
        topology do not fit together.
    """
    if plan.host.accelerator == "tcg" and plan.spec.accelerator is Accelerator.AUTO:
        reason = plan.host.accelerator_reason
        plan.note("runs on TCG, without KVM" + (f": {reason}" if reason else ""))
    return [
        text("-accel", plan.host.accelerator),
        text("-cpu", _model(plan)),
        pairs("-smp", str(plan.spec.cpu.number), _topology(plan)),
    ]


def _model(plan: Plan) -> str:
    cpu, kvm = plan.spec.cpu, plan.host.accelerator == "kvm"
    if cpu.model is None:
        return "host" if kvm else "max"
    model, *features = cpu.model.split(",")
    if model not in plan.binary.cpu_models | {"host", "max"}:
        raise plan.refusal(
            cpu.origin,
            f"QEMU {plan.binary.version_text} has no CPU model '{model}'."
            f"{nearest(model, plan.binary.cpu_models)} "
            f"All of them: {plan.binary.path} -cpu help",
        )
    for feature in features:
        if not _FEATURE.match(feature):
            raise plan.refusal(
                cpu.origin,
                f"CPU model '{cpu.model}' has the feature '{feature}', which is none. "
                "Allowed: +name, -name or name=value",
            )
    if model == "host" and not kvm:
        _explain_host_model(plan)
        model = "max"
    return ",".join([model, *features])


def _explain_host_model(plan: Plan) -> None:
    if plan.spec.accelerator is Accelerator.TCG:
        raise plan.refusal(
            plan.spec.cpu.origin,
            "CPU model 'host' needs KVM, and KVM is switched off. "
            "Use model 'max', or leave it out.",
        )
    plan.note("CPU model 'host' needs KVM; 'max' is used in its place")


def _topology(plan: Plan) -> dict[str, int]:
    """Give all of sockets, cores and threads: QEMU's defaults changed in 6.2."""
    cpu = plan.spec.cpu
    most = plan.binary.machine(plan.machine)
    if cpu.number < 1 or (most and cpu.number > most.cpu_max):
        limit = most.cpu_max if most else "many"
        raise plan.refusal(
            cpu.origin, f"{cpu.number} vCPUs; machine {plan.machine} takes from 1 to {limit}"
        )
    levels = {"sockets": cpu.sockets, "cores": cpu.cores, "threads": cpu.threads}
    given = 1
    for value in levels.values():
        given *= value or 1
    # What is left over goes to the first open level in this order.
    for level in ("cores", "sockets", "threads"):
        if levels[level] is None:
            levels[level] = cpu.number // given if cpu.number % given == 0 else 0
            given *= levels[level] or 1
    product = (levels["sockets"] or 0) * (levels["cores"] or 0) * (levels["threads"] or 0)
    if product != cpu.number:
        said = ", ".join(f"{k}={v}" for k, v in _given(plan).items())
        raise plan.refusal(
            cpu.origin,
            f"{cpu.number} vCPUs do not fit {said}: sockets x cores x threads must be the number",
        )
    return {level: value or 1 for level, value in levels.items()}


def _given(plan: Plan) -> dict[str, int]:
    cpu = plan.spec.cpu
    levels = {"sockets": cpu.sockets, "cores": cpu.cores, "threads": cpu.threads}
    return {level: value for level, value in levels.items() if value is not None}
