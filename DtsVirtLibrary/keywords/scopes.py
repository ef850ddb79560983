"""In which test or suite each VM was started, and so when it is closed."""

from __future__ import annotations

from dataclasses import dataclass, field

from DtsVirtLibrary.keywords.settings import ClosingScope


@dataclass
class _Scope:
    """A running suite or test and what was created and started inside it."""

    identity: str
    is_test: bool
    created: list[str] = field(default_factory=list)
    started: list[str] = field(default_factory=list)


class Scopes:
    """Follows the running suites and tests by the listener's calls.

    A VM belongs to the innermost of them at the time of its start. Suites that do not
    import the library send no calls, so there may be none.
    """

    def __init__(self, closing: ClosingScope) -> None:
        self._closing = closing
        self._stack: list[_Scope] = []

    @property
    def depth(self) -> int:
        """How many suites and tests run, one inside the other."""
        return len(self._stack)

    def enter(self, identity: str, *, is_test: bool) -> None:
        """A suite or test begins; `identity` is Robot Framework's id of it."""
        self._stack.append(_Scope(identity, is_test))

    def is_current(self, identity: str) -> bool:
        """Whether this suite or test is the innermost that was seen to begin.

        One that imported the library while it ran ends without having begun here.
        """
        return bool(self._stack) and self._stack[-1].identity == identity

    def leave(self) -> tuple[list[str], list[str]]:
        """The current one ended: return the VMs to stop, and those whose names to free."""
        scope = self._stack.pop()
        if self._closes(scope):
            return scope.started, scope.created
        if self._stack:
            self._stack[-1].created += scope.created
            self._stack[-1].started += scope.started
        return [], []

    def created(self, vm: str) -> None:
        """A VM was created here."""
        if self._stack:
            self._stack[-1].created.append(vm)

    def started(self, vm: str) -> None:
        """A VM was started here, so it is closed here, wherever it was started before."""
        for scope in self._stack:
            if vm in scope.started:
                scope.started.remove(vm)
        if self._stack:
            self._stack[-1].started.append(vm)

    def _closes(self, scope: _Scope) -> bool:
        if self._closing is ClosingScope.AUTO:
            return True
        return self._closing is ClosingScope.SUITE and not scope.is_test
