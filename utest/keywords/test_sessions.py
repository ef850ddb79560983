"""Connections in an SSHLibrary that testers use as they like."""

from __future__ import annotations

from typing import Any

import pytest
from robot.utils import ConnectionCache
from SSHLibrary.sshconnectioncache import SSHConnectionCache

from DtsVirtLibrary.errors import HostKeyError, SshAuthError, SshTimeout
from DtsVirtLibrary.guest import ssh
from DtsVirtLibrary.results import GuestSession
from DtsVirtLibrary.spec import Login

SESSION = GuestSession("vm0", host="127.0.0.1", port=22)


class Config:
    def __init__(self, index: int, alias: str | None) -> None:
        self.index, self.alias = index, alias


class Connection:
    """SSHLibrary's client, with paramiko's inside."""

    def __init__(self, index: int, alias: str | None) -> None:
        self.config = Config(index, alias)
        self.closed = 0
        self.authenticated = False
        self.client = self

    def close(self) -> None:
        self.closed += 1

    def set_missing_host_key_policy(self, policy: ssh.Trust) -> None:
        self.policy = policy

    def get_transport(self) -> Connection:
        return self

    def is_authenticated(self) -> bool:
        return self.authenticated

    @property
    def sock(self) -> Connection:
        return self

    def setsockopt(self, *_: int) -> None:
        self.authenticated = True


class Key:
    """A host key as paramiko gives it."""

    def __init__(self, name: str, text: str) -> None:
        self._name, self._text = name, text

    def get_name(self) -> str:
        return self._name

    def get_base64(self) -> str:
        return self._text


class Library:
    """SSHLibrary with its own cache of connections; `failure` is what a login raises."""

    def __init__(self) -> None:
        self.cache: ConnectionCache[Any] = SSHConnectionCache()
        self.failure: Exception | None = None
        self.lets_in = True
        self.host_key = Key("ssh-ed25519", "a2V5")

    @property
    def current(self) -> Any:
        return self.cache.current

    def open_connection(self, host: str | None, alias: str | None = None, **_: Any) -> int:
        connection = Connection(len(list(self.cache)) + 1, alias)
        return self.cache.register(connection, alias)

    def switch_connection(self, index: int) -> None:
        self.cache.switch(index)

    def close_connection(self) -> None:
        self.cache.close_current()  # type: ignore[attr-defined]

    def close_all_connections(self) -> None:
        self.cache.close_all()

    def login(self, *_: Any, **__: Any) -> None:
        self.current.policy.missing_host_key(None, "[127.0.0.1]:22", self.host_key)
        self.current.authenticated = self.lets_in
        if self.failure is not None:
            raise self.failure


def logged_in(library: Library) -> Any:
    return ssh.log_in(library, SESSION, Login(password="x"), ssh.Trust(SESSION, None), 1.0)


def test_a_host_key_of_the_guest_is_trusted() -> None:
    keys = frozenset({"ssh-rsa AAAA", "ssh-ed25519 a2V5"})
    library, trust = Library(), ssh.Trust(SESSION, keys)
    assert ssh.log_in(library, SESSION, Login(password="x"), trust, 1.0) is library.current


def test_an_unknown_host_key_is_trusted_and_told() -> None:
    trust = ssh.Trust(SESSION, None)
    ssh.log_in(Library(), SESSION, Login(password="x"), trust, 1.0)
    assert trust.shown == "ssh-ed25519 a2V5"


@pytest.mark.fault(67)
def test_another_host_key_gets_no_password() -> None:
    library = Library()
    trust = ssh.Trust(SESSION, frozenset({"ssh-ed25519 b3RoZXI="}))
    with pytest.raises(HostKeyError) as caught:
        ssh.log_in(library, SESSION, Login(password="x"), trust, 1.0)
    assert "shows the host key ssh-ed25519 SHA256:LHDhK3oGRv" in str(caught.value)
    assert "the guest's is ssh-ed25519 SHA256:" in str(caught.value)
    assert not library.current, "it is closed, and its alias free"


def test_the_connection_is_closed_and_its_alias_free() -> None:
    library = Library()
    connection = logged_in(library)
    ssh.close(library, connection)
    assert connection.closed
    assert not library.current
    with pytest.raises(RuntimeError):
        library.cache.switch("vm0")


def test_the_connection_that_was_current_stays_so() -> None:
    library = Library()
    connection = logged_in(library)
    library.open_connection("elsewhere", alias="mine")
    mine = library.current
    ssh.close(library, connection)
    assert connection.closed
    assert library.current is mine
    assert not mine.closed


def test_a_connection_that_the_tester_closed_is_no_error() -> None:
    library = Library()
    connection = logged_in(library)
    library.close_connection()
    ssh.close(library, connection)
    assert not library.current


def test_a_foreign_connection_with_the_same_index_is_left_alone() -> None:
    library = Library()
    connection = logged_in(library)
    library.close_all_connections()
    library.open_connection("elsewhere", alias="mine")
    mine = library.current
    assert mine.config.index == connection.config.index
    ssh.close(library, connection)
    assert not mine.closed
    assert library.current is mine


@pytest.mark.fault(66)
@pytest.mark.parametrize(
    "failure",
    [
        RuntimeError("No match found for '#'"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    ],
)
def test_a_prompt_that_is_not_recognised_is_a_login_all_the_same(failure: Exception) -> None:
    library = Library()
    library.failure = failure
    assert logged_in(library) is library.current


@pytest.mark.fault(66)
@pytest.mark.parametrize(
    "words",
    ["Authentication failed for user 'root'.", "Login with public key failed for user 'root'."],
)
def test_a_refused_login_is_told_and_closed(words: str) -> None:
    library = Library()
    library.lets_in, library.failure = False, RuntimeError(words)
    with pytest.raises(SshAuthError, match=r"VM 'vm0': SSH login of 'root' on 127\.0\.0\.1:22"):
        logged_in(library)
    assert not library.current


@pytest.mark.fault(66)
def test_a_server_that_hangs_is_told() -> None:
    library = Library()
    library.lets_in, library.failure = False, OSError("timed out")
    with pytest.raises(SshTimeout, match="did not succeed within 1 s"):
        logged_in(library)


def test_what_robot_framework_interrupts_passes() -> None:
    class Stopped(Exception):
        """Robot Framework's ExecutionFailed is an Exception too."""

    library = Library()
    library.failure = Stopped()
    with pytest.raises(Stopped):
        logged_in(library)
