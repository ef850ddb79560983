"""All VMs of a library, by name."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

from DtsVirtLibrary.config import Parameters, validate_name
from DtsVirtLibrary.errors import ConfigError, nearest
from DtsVirtLibrary.results import StopStage, VmStatus
from DtsVirtLibrary.spec import VmSpec

from .machine import Machine, MachineContext


class Registry:
    """Creates VMs and finds them by name."""

    def __init__(self, context: MachineContext) -> None:
        self._context = context
        self._machines: dict[str, Machine] = {}

    def __iter__(self) -> Iterator[Machine]:
        return iter(list(self._machines.values()))

    def create(self, name: str, parameters: Parameters) -> Machine:
        """Create a VM.

        A name can be used again once its VM has ended, so that every test can create its
        own ``vm0``.

        :raises ConfigError: the name or a parameter is wrong, or the name is taken.
        """
        validate_name(name)
        holder = self._machines.get(name)
        ended = (VmStatus.STOPPED, VmStatus.CRASHED)
        if holder is not None and (holder.started or holder.status not in ended):
            raise ConfigError(
                f"There is a VM '{name}' already; it is {holder.status.value}. "
                "Stop it first ('Stop VM'), or take another name."
            )
        machine = Machine(name, parameters, self._context, self._specifications)
        self._machines[name] = machine
        return machine

    def get(self, name: str) -> Machine:
        """Return a VM by name.

        :raises ConfigError: there is none of that name; the text lists those there are.
        """
        if name not in self._machines:
            known = ", ".join(self._machines) or "none"
            raise ConfigError(
                f"There is no VM '{name}'.{nearest(name, self._machines)} "
                f"VMs: {known}. Create one with 'Create VM'."
            )
        return self._machines[name]

    def forget(self, machine: Machine) -> None:
        """Free the name of a VM that does not run."""
        if not machine.started:
            self._machines.pop(machine.name, None)

    def running(self) -> list[Machine]:
        """Return the VMs that have a process, in the order of their creation."""
        return [machine for machine in self._machines.values() if machine.started]

    def _specifications(self) -> list[VmSpec]:
        return [spec for machine in self if (spec := machine.present) is not None]

    async def stop(self, machines: Iterable[Machine], guest_seconds: float) -> dict[str, StopStage]:
        """Stop VMs side by side and return the stage that worked for each.

        :raises BaseException: the first failure, after all were tried.
        """
        chosen = list(machines)
        results = await asyncio.gather(
            *(machine.stop(guest_seconds) for machine in chosen), return_exceptions=True
        )
        stages = {}
        for machine, result in zip(chosen, results, strict=True):
            if isinstance(result, BaseException):
                raise result
            stages[machine.name] = result
        return stages
