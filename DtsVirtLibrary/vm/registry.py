"""All VMs of a library, by name."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from weakref import WeakSet

from DtsVirtLibrary.config import Parameters, validate_name
from DtsVirtLibrary.errors import ConfigError, nearest
from DtsVirtLibrary.results import StopStage, VmStatus
from DtsVirtLibrary.spec import VmSpec
from DtsVirtLibrary.vm.context import MachineContext
from DtsVirtLibrary.vm.machine import Machine

# A run that imports the library with other arguments has more than one; their VMs share
# the host, SSHLibrary's aliases and the artifacts directory all the same.
_registries: WeakSet[Registry] = WeakSet()


class Registry:
    """Creates VMs and finds them by name."""

    def __init__(self, context: MachineContext) -> None:
        self._context = context
        self._machines: dict[str, Machine] = {}
        _registries.add(self)

    def __iter__(self) -> Iterator[Machine]:
        return iter(list(self._machines.values()))

    def create(self, name: str, parameters: Parameters) -> Machine:
        """Create a VM.

        A name can be used again once its VM has ended, so that every test can create its
        own ``vm0``.

        :raises ConfigError: the name or a parameter is wrong, or the name is taken.
        """
        validate_name(name)
        holder = next((item for item in _of_this_run() if _holds(item, name, self)), None)
        if holder is not None:
            raise ConfigError(
                f"There is a VM '{holder.name}' already; it is {holder.status.value}. "
                "Stop it first ('Stop VM'), or take another name; case alone makes no other."
            )
        machine = Machine(name, parameters, self._context, _specifications)
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


def _of_this_run() -> Iterator[Machine]:
    for registry in list(_registries):
        yield from registry


def _holds(machine: Machine, name: str, registry: Registry) -> bool:
    """Whether a VM keeps `name` from being used in `registry`.

    One of another import does so only while it runs: it may be created there in vain.
    """
    if machine.name.casefold() != name.casefold():
        return False
    if machine.started or machine.status is VmStatus.STARTING:
        return True
    return machine.status is VmStatus.CREATED and machine in registry


def _specifications() -> list[VmSpec]:
    return [spec for machine in _of_this_run() if (spec := machine.present) is not None]
