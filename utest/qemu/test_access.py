"""Who is let in to a guest, and by what: a key of the user's, else the configured password."""

from __future__ import annotations

import base64

import pytest

from DtsVirtLibrary.errors import AgentCommandError
from DtsVirtLibrary.qemu.agent.agent import Agent
from DtsVirtLibrary.qemu.inside.access import IS_OURS, LoginKey, let_in
from DtsVirtLibrary.spec import Boot, Disk, Login, VmSpec
from utest.fakes.agent import Answer, Request, fake_agent, properly, refuse, reply

EMBEDDED = VmSpec("vm0", boot=Boot(guest="default"))
ON_DISK = VmSpec("vm0", disks=(Disk("/i/debian.qcow2"),))
KEY = "/home/ada/.cache/dtsvirt/guest/id_ed25519"


def guest(*, ours: bool, code: int = 0) -> Answer:
    """Return a guest's answers: whether the library made it, how its other commands end."""
    codes: list[int] = []

    def answer(request: Request) -> bytes:
        if request["execute"] == "guest-exec":
            asked = IS_OURS in request["arguments"]["arg"]
            codes.append(int(not ours) if asked else code)
            return reply(request, {"pid": 7})
        if request["execute"] == "guest-exec-status":
            return reply(request, {"exited": True, "exitcode": codes[-1]})
        return properly(request)

    return answer


async def entered(
    spec: VmSpec, login: Login, answer: Answer | None = None
) -> tuple[str | None, list[str]]:
    """Return the key file to log in with, and what the guest was given."""

    async def own_key() -> LoginKey:
        return LoginKey(KEY, "AAAAC3")

    async with fake_agent() as (ours, fake):
        if answer is not None:
            fake.answer = answer
        agent = Agent("vm0", ours)
        try:
            key = await let_in(agent, spec, login, own_key)
        finally:
            await agent.close()
        inputs = [item["arguments"].get("input-data") for item in fake.requests if _runs(item)]
        return key, [base64.b64decode(data).decode() for data in inputs if data]


def _runs(request: Request) -> bool:
    return str(request["execute"]) == "guest-exec"


@pytest.mark.parametrize(
    ("spec", "answer"),
    [(EMBEDDED, None), (ON_DISK, guest(ours=True)), (ON_DISK, guest(ours=False))],
    ids=["embedded", "ours on disk", "another"],
)
async def test_a_key_of_the_testers_is_used_and_nothing_changed(
    spec: VmSpec, answer: Answer | None
) -> None:
    assert await entered(spec, Login(key="/k", password="x"), answer) == ("/k", [])


async def test_the_embedded_guest_has_the_key_since_it_booted() -> None:
    assert await entered(EMBEDDED, Login()) == (KEY, [])


async def test_a_guest_on_disk_of_the_librarys_is_given_the_key() -> None:
    key, given = await entered(ON_DISK, Login(), guest(ours=True))
    assert key == KEY
    assert given == ["ssh-ed25519 AAAAC3 dtsvirt\n"]


@pytest.mark.parametrize("spec", [EMBEDDED, ON_DISK], ids=["embedded", "on disk"])
async def test_guests_of_the_librarys_are_given_the_configured_password(spec: VmSpec) -> None:
    entry = await entered(spec, Login(password="swordfish"), guest(ours=True))
    assert entry == (None, ["swordfish\n"])


@pytest.mark.parametrize("password", [None, "swordfish"])
@pytest.mark.parametrize("user", ["root", "ada"])
async def test_the_guest_of_somebody_else_is_left_as_it_is(user: str, password: str | None) -> None:
    entry = await entered(ON_DISK, Login(user, password), guest(ours=False))
    assert entry == (None, [])


async def test_a_guest_that_runs_no_commands_is_somebody_elses() -> None:
    def refusing(request: Request) -> bytes:
        if _runs(request):
            return refuse(request, "Command guest-exec has been disabled")
        return properly(request)

    assert await entered(ON_DISK, Login(), refusing) == (None, [])


@pytest.mark.parametrize(
    ("login", "what"),
    [
        (Login(), f"public half of the key {KEY}"),
        (Login(password="x"), "password of the parameter 'login'"),
    ],
)
async def test_what_the_guest_refuses_is_told(login: Login, what: str) -> None:
    with pytest.raises(AgentCommandError) as caught:
        await entered(ON_DISK, login, guest(ours=True, code=1))
    assert caught.value.summary == f"VM 'vm0': the guest refused the {what}."
