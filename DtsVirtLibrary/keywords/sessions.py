"""The connections to guests in the running SSHLibrary, by the VM's name as alias."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from robot.api import logger
from robot.libraries.BuiltIn import BuiltIn

from DtsVirtLibrary.errors import SshError
from DtsVirtLibrary.guest import ssh

if TYPE_CHECKING:
    from DtsVirtLibrary.results import GuestSession
    from DtsVirtLibrary.spec import Login


class SshSessions:
    """Opens a connection for each VM and closes just those it opened.

    Testers close, switch and open connections as they like, and SSHLibrary gives an index
    anew after ``Close All Connections``: so a connection is remembered by itself.
    """

    def __init__(self) -> None:
        self._open: dict[str, tuple[Any, Any]] = {}

    def login(
        self,
        session: GuestSession,
        login: Login,
        host_keys: frozenset[str] | None,
        seconds: float,
    ) -> str:
        """Open a connection, log in, and make it SSHLibrary's current one.

        :param host_keys: the guest's host keys; None to trust the one that is shown.
        :return: the host key that was shown.
        :raises HostKeyError: it is none of the guest's.
        :raises SshAuthError: the guest refuses the login.
        :raises SshTimeout: the login took too long.
        """
        self.close(session.name)
        library = _running_ssh_library()
        trust = ssh.Trust(session, host_keys)
        self._open[session.name] = (library, ssh.log_in(library, session, login, trust, seconds))
        return trust.shown

    def client(self, vm: str) -> Any:
        """Return the SSH client (paramiko's) that is logged in to a VM.

        :raises SshError: there is none.
        """
        if vm not in self._open:
            raise SshError(
                f"VM '{vm}' has no SSH connection. Start it with wait_for=ssh (the default)."
            )
        return self._open[vm][1].client

    def sever(self, vm: str) -> None:
        """Cut the VM's connection off without a wait: what a keyword does over it fails now.

        Its boot has ended, so no answer would ever come.
        """
        if vm in self._open:
            ssh.sever(self._open[vm][1])

    def close(self, vm: str) -> None:
        """Close the VM's connection, if there is one; other connections stay as they are."""
        if vm in self._open:
            ssh.close(*self._open.pop(vm))

    def close_all(self) -> None:
        """Close every connection that was opened here."""
        for vm in list(self._open):
            self.close(vm)


def _running_ssh_library() -> Any:
    """Return the suite's SSHLibrary whatever name it was imported by, importing it if need be."""
    from SSHLibrary import SSHLibrary

    def find() -> Any:
        libraries: dict[str, Any] = BuiltIn().get_library_instance(all=True)  # type: ignore[assignment]
        return next((item for item in libraries.values() if isinstance(item, SSHLibrary)), None)

    library = find()
    if library is None:
        BuiltIn().import_library("SSHLibrary")
        logger.debug("SSHLibrary was imported for this suite.")
        library = find()
    return library
