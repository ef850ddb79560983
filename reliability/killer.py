"""A listener that kills its own Robot Framework at one point of the life cycle.

``--listener reliability.killer.Killer:POINT``; with ``:POINT:tell`` it lives on and says
``ready`` there, and with ``:none`` it does neither. It tells the kill matrix what the run took
from the host, and the moment of the kill, as JSON lines on the pipe that
``RELIABILITY_REPORT`` names.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import inspect
import json
import os
import signal
import time
from collections.abc import Callable
from typing import Any

from reliability.points import POINTS, Hook, Point
from reliability.processes import descendants

REPORT = "RELIABILITY_REPORT"
SERIAL_PAUSE = 0.002

Moment = Callable[[Any], Any]


def report(**facts: object) -> None:
    """Tell the kill matrix something; each line arrives whole."""
    with open(os.environ[REPORT], "wb", buffering=0) as pipe:
        pipe.write(json.dumps(facts).encode() + b"\n")


class Killer:
    """Kills at the point of this name, or tells that it was met."""

    ROBOT_LISTENER_API_VERSION = 3

    def __init__(self, point: str, then: str = "kill") -> None:
        found = [known for known in POINTS if known.name == point]
        self._armed = True
        self._then = then
        report(runner=os.getpid())
        watch_taken(lambda undo: report(undo=undo))
        if found:
            self._set(found[0])

    def _set(self, point: Point) -> None:
        if point.armed_by is not None:
            self._armed = False
            watch(point.armed_by, self._arm)
        watch(point.hook, self._wait_and_die if point.until_serial else self._die)

    def _arm(self, _: Any) -> None:
        self._armed = True

    def _die(self, _: Any) -> None:
        if not self._armed:
            return
        if self._then == "tell":
            report(ready=os.getpid())
        else:
            report(killed=time.monotonic(), children=descendants(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)

    async def _wait_and_die(self, instance: Any) -> None:
        log = instance.placement.serial_log
        while not (os.path.exists(log) and os.path.getsize(log)):
            await asyncio.sleep(SERIAL_PAUSE)
        self._die(instance)


def watch(hook: Hook, moment: Moment) -> None:
    """Have `moment` called, with the call's first argument, whenever the hook's call happens."""
    module, _, path = hook.function.partition(":")
    *outer, name = path.split(".")
    owner = functools.reduce(getattr, outer, importlib.import_module(module))
    function = getattr(owner, name)
    wrap = _watched_coroutine if inspect.iscoroutinefunction(function) else _watched
    setattr(owner, name, wrap(hook, function, moment))


def _watched(hook: Hook, function: Callable[..., Any], moment: Moment) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        meant = _is_meant(hook, arguments, named)
        if meant and hook.before:
            moment(arguments[0])
        result = function(*arguments, **named)
        if meant and not hook.before:
            moment(arguments[0])
        return result

    return call


def _watched_coroutine(
    hook: Hook, function: Callable[..., Any], moment: Moment
) -> Callable[..., Any]:
    async def come(argument: Any) -> None:
        waiting = moment(argument)
        if waiting is not None:
            await waiting

    @functools.wraps(function)
    async def call(*arguments: Any, **named: Any) -> Any:
        meant = _is_meant(hook, arguments, named)
        if meant and hook.before:
            await come(arguments[0])
        result = await function(*arguments, **named)
        if meant and not hook.before:
            await come(arguments[0])
        return result

    return call


def _is_meant(hook: Hook, arguments: tuple[Any, ...], named: dict[str, Any]) -> bool:
    text = repr((arguments, named)) if hook.words else ""
    return all(word in text for word in hook.words)


def watch_taken(note: Callable[[list[str]], object]) -> None:
    """Have each change of the host noted, as the command that takes it back."""
    from DtsVirtLibrary.host.local import LocalHost

    register = LocalHost.on_runner_death

    @functools.wraps(register)
    async def call(host: LocalHost, argv: Any) -> str:
        note(list(argv))
        return await register(host, argv)

    setattr(LocalHost, "on_runner_death", call)  # noqa: B010 - a method cannot be assigned to
