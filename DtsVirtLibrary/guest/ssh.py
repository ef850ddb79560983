"""Logging in to a guest through SSHLibrary.

SSHLibrary's methods are called, not its keywords: Robot Framework would log a keyword's
arguments, the password among them.
"""

from __future__ import annotations

import base64
import hashlib
import socket
from contextlib import suppress
from typing import Any

import paramiko

from DtsVirtLibrary.errors import Evidence, HostKeyError, SshAuthError, SshError, SshTimeout
from DtsVirtLibrary.printable import printable
from DtsVirtLibrary.results import GuestSession
from DtsVirtLibrary.spec import Login

# The usual ends of a shell's prompt; without a prompt SSHLibrary waits 1 s for silence.
PROMPT = "REGEXP:[#$>%] ?$"

# SSHLibrary's words for a login that the server refused.
REFUSED = ("uthentication", "public key failed")

# What SSHLibrary lets through of itself, paramiko and the system; Robot Framework's own
# signals (a stop by Ctrl-C is an Exception too) must pass.
FAILURES = (
    RuntimeError,
    OSError,
    EOFError,
    KeyError,
    UnicodeError,  # a shell that greets with bytes that are no text
    paramiko.SSHException,
)


class Trust:
    """Lets paramiko talk to the guest's own SSH server and to no other; no file is touched.

    :param host_keys: the server's public keys; None to trust the one that is shown.
    :ivar shown: the key that the server showed, once it did.
    """

    def __init__(self, session: GuestSession, host_keys: frozenset[str] | None) -> None:
        self._session = session
        self._host_keys = host_keys
        self.shown = ""

    def missing_host_key(self, _client: Any, _name: str, key: Any) -> None:
        """Look at the key that a server shows; paramiko knows none by itself.

        :raises HostKeyError: it is none of the guest's.
        """
        self.shown = f"{key.get_name()} {key.get_base64()}"
        if self._host_keys is None or self.shown in self._host_keys:
            return
        vm, place = self._session.name, f"{self._session.host}:{self._session.port}"
        known = ", ".join(sorted(map(fingerprint, self._host_keys)))
        raise HostKeyError(
            f"VM '{vm}': the SSH server on {place} shows the host key {fingerprint(self.shown)}, "
            f"and the guest's is {known}. Nothing was sent to it. Either something else answers "
            "there, or the guest's keys were changed since it booted.",
            Evidence(vm=vm, stage="SSH login"),
        )


def fingerprint(key: str) -> str:
    """Return a public key's fingerprint as OpenSSH writes it: ``ssh-ed25519 SHA256:...``."""
    kind, _, text = key.partition(" ")
    try:
        digest = hashlib.sha256(base64.b64decode(text)).digest()
    except ValueError:
        return f"{printable(kind, 40)} (malformed)"
    return f"{printable(kind, 40)} SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def log_in(library: Any, session: GuestSession, login: Login, trust: Trust, seconds: float) -> Any:
    """Open a connection under the VM's name as alias, log in and return SSHLibrary's client.

    :param library: the SSHLibrary instance that the suite uses.
    :raises HostKeyError: another server than the guest's answers.
    :raises SshAuthError: the guest refuses the user, password or key.
    :raises SshTimeout: the login took longer than `seconds`.
    """
    library.open_connection(
        session.host,
        alias=session.name,
        port=session.port,
        timeout=f"{seconds} seconds",
        prompt=login.prompt or PROMPT,
        term_type="dumb",
        width=1000,
    )
    connection = library.current
    connection.client.set_missing_host_key_policy(trust)
    try:
        _authenticate(library, login)
    except HostKeyError:
        close(library, connection)
        raise
    except FAILURES as error:
        # If it is authenticated, only the prompt was not recognised: it can be used.
        if not _authenticated(connection):
            close(library, connection)
            raise _explained(session, login, printable(str(error)), seconds) from error
    # Nagle's algorithm makes a command take 44 ms instead of 12.
    transport = connection.client.get_transport()
    transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _authenticate(library: Any, login: Login) -> None:
    if login.key:
        library.login_with_public_key(login.user, login.key, delay="0 seconds")
    else:
        # None would be sent as the word "None"; the empty password asks for no password.
        library.login(login.user, login.password or "", delay="0 seconds")


def _authenticated(connection: Any) -> bool:
    transport = connection.client.get_transport()
    return transport is not None and bool(transport.is_authenticated())


def close(library: Any, connection: Any) -> None:
    """Close a connection and no other; the one that is current stays so.

    Quiet if it has ended, and if SSHLibrary has forgotten it.
    """
    current = library.current
    with suppress(*FAILURES):
        library.switch_connection(connection.config.index)
        if library.current is connection:
            # SSHLibrary forgets its alias too, so that a later connection may take it.
            library.close_connection()
    with suppress(*FAILURES):
        connection.close()
    if current is not connection:
        with suppress(*FAILURES):
            library.switch_connection(current.config.index)


def sever(connection: Any) -> None:
    """End a connection at once from any thread; whoever waits on it is told that it ended."""
    transport = connection.client.get_transport()
    if transport is not None:
        with suppress(OSError):
            transport.sock.shutdown(socket.SHUT_RDWR)


def _explained(session: GuestSession, login: Login, text: str, seconds: float) -> SshError:
    place = f"VM '{session.name}': SSH login of '{login.user}' on {session.host}:{session.port}"
    if any(words in text for words in REFUSED):
        by = "key" if login.key else "password"
        return SshAuthError(
            f"{place} was refused. Set the right user and {by}: login = user=...,password=...; "
            "or key=...",
            Evidence(vm=session.name, stage="SSH login", facts=[f"SSHLibrary: {text}"]),
        )
    return SshTimeout(
        f"{place} did not succeed within {seconds:g} s.",
        Evidence(vm=session.name, stage="SSH login", facts=[f"SSHLibrary: {text}"]),
    )
