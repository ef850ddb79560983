"""Where the guest's SSH server is, as real QEMUs list it and as nothing may list it."""

from __future__ import annotations

import time

import pytest

from DtsVirtLibrary.qemu.running.usernet import ssh_forward

LISTED = """\
Hub -1 (host-connect):\r
  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r
  TCP[ESTABLISHED]   15       127.0.0.1 40124       10.0.2.15    22     0     0\r
  UDP[HOST_FORWARD]   3               * 38796       10.0.2.15    22     0     0\r
  TCP[HOST_FORWARD]   9       127.0.0.1 43477       10.0.2.15    80     0     0\r
  TCP[HOST_FORWARD]  14       127.0.0.1 40123       10.0.2.15    22     0     0\r
  TCP[HOST_FORWARD]   8               * 32809       10.0.2.15    22     0     0\r
"""
DIGITS = "9" * 5000


def row(address: str = "127.0.0.1", port: str = "40123") -> str:
    return f"  TCP[HOST_FORWARD]   14  {address} {port}  10.0.2.15    22     0     0\r\n"


def test_the_first_tcp_forward_to_port_22() -> None:
    assert ssh_forward(LISTED) == ("127.0.0.1", 40123)


def test_all_addresses_of_the_host_are_reached_by_loopback() -> None:
    assert ssh_forward(row("*")) == ("127.0.0.1", 40123)


def test_another_address_of_the_host() -> None:
    assert ssh_forward(row("192.0.2.7")) == ("192.0.2.7", 40123)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "unknown command: 'info usernet'\r\n",
        row(port="0"),
        row(port="65536"),
        row(port=DIGITS),
        row(port="٤٢"),
        row("720.1.0.1"),
        row("localhost"),
        row("01.02.03.04"),
        row().replace(" 22 ", " 2222 "),
        row().replace("TCP", "UDP"),
    ],
)
def test_what_is_no_forward_leads_nowhere(text: str) -> None:
    assert ssh_forward(text) is None
    assert ssh_forward(text + row(port="1")) == ("127.0.0.1", 1)


@pytest.mark.parametrize("filler", ["\n", " ", "\r\n  "])
def test_emptiness_is_read_in_linear_time(filler: str) -> None:
    start = time.process_time()
    assert ssh_forward(filler * 200_000 + row()) == ("127.0.0.1", 40123)
    # In quadratic time it would be many minutes.
    assert time.process_time() - start < 5
