"""Logging in to a guest through SSHLibrary.

SSHLibrary's methods are called, not its keywords: Robot Framework would log a keyword's
arguments, the password among them.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any

from DtsVirtLibrary.errors import Evidence, SshAuthError, SshError, SshTimeout
from DtsVirtLibrary.printable import printable
from DtsVirtLibrary.results import GuestSession
from DtsVirtLibrary.spec import Login

# The usual ends of a shell's prompt; without a prompt SSHLibrary waits 1 s for silence.
PROMPT = "REGEXP:[#$>%] ?$"


def log_in(library: Any, session: GuestSession, login: Login, seconds: float) -> int:
    """Open a connection under the VM's name as alias, log in and return its index.

    :param library: the SSHLibrary instance that the suite uses.
    :raises SshAuthError: the guest refuses the user, password or key.
    :raises SshTimeout: the login took longer than `seconds`.
    """
    index = int(
        library.open_connection(
            session.host,
            alias=session.name,
            port=session.port,
            timeout=f"{seconds} seconds",
            prompt=login.prompt or PROMPT,
            term_type="dumb",
            width=1000,
        )
    )
    try:
        _authenticate(library, login)
    except Exception as error:
        text = printable(str(error))
        if _authenticated(library):
            # Only the prompt was not recognised, and every keyword can be used.
            return _without_delay(library, index)
        close(library, index)
        raise _explained(session, login, text, seconds) from error
    return _without_delay(library, index)


def _authenticate(library: Any, login: Login) -> None:
    if login.key:
        library.login_with_public_key(login.user, login.key, delay="0 seconds")
    else:
        # None would be sent as the word "None"; the empty password asks for no password.
        library.login(login.user, login.password or "", delay="0 seconds")


def _authenticated(library: Any) -> bool:
    with suppress(Exception):
        return bool(library.current.client.get_transport().is_authenticated())
    return False


def _without_delay(library: Any, index: int) -> int:
    """Switch Nagle's algorithm off: a command then takes 12 ms instead of 44."""
    transport = library.current.client.get_transport()
    transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return index


def close(library: Any, index: int) -> None:
    """Close a connection by its index, which no other connection shares."""
    library.switch_connection(index)
    library.close_connection()


def _explained(session: GuestSession, login: Login, text: str, seconds: float) -> SshError:
    place = f"VM '{session.name}': SSH login of '{login.user}' on {session.host}:{session.port}"
    if "uthentication" in text:
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
