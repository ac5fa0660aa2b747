"""Logging in by a session: with its token of that moment, once more with another, never with somebody else's."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from colloque.errors import LoginRefused, MailDeferred, Refused, ServiceUnavailable, Temporary
from colloque.files import write_private
from colloque.identity import MssanteAddress, Rpps, UserId
from colloque.mail.access import Auth, Password, XOAuth2
from colloque.professional import Mailbox, MailboxKind
from colloque.sockets import Client, Server
from colloque_mssante.access.credentials import Credentials, fingerprint
from colloque_mssante.access.sessions import MailboxClosed, OnApproval, Sessions
from colloque_mssante.access.token_keeper import CLOSED, digest_of
from tests.servers.annuaire import Shelf, doctor, rpps

BOX, NAMED, TEAM = (MssanteAddress(f"{name}@m.test") for name in ("anne", "paul", "accueil"))
ANNE, PAUL = UserId("@anne:h.test"), UserId("@paul:h.test")
OPEN = OnApproval(rpps(1), "s1")


class Keeper:
    """Its answers to `token`: tokens, or errors; what it was asked."""

    def __init__(self) -> None:
        self.answers: list[str | Exception] = []
        self.refused: list[str] = []

    async def state(self) -> dict[str, Any]:
        return {"sessions": {rpps(1).value: "s1"}, "questions": {}, "problem": ""}

    async def token(self, rpps: str, refused: str) -> dict[str, Any]:
        self.refused.append(refused)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {"token": answer}


class Operator:
    """Admits what is in `good`."""

    def __init__(self, *good: str) -> None:
        self.good, self.shown = good, list[Auth]()

    async def connect(self, auth: Auth) -> str:
        self.shown.append(auth)
        if isinstance(auth, XOAuth2) and auth.token not in self.good:
            raise LoginRefused("no")
        return "in"


def holds(user: UserId, number: Rpps) -> bool:
    return (user, number) == (ANNE, rpps(1))


@pytest.fixture
async def keeper(tmp: Path) -> AsyncIterator[Keeper]:
    made = Keeper()
    verbs = {"mssante": {"token": made.token, "state": made.state}}
    server = Server(tmp / "keeper.sock", {"mssante": os.geteuid()}, verbs)
    await server.start()
    yield made
    await server.stop()


@pytest.fixture
async def credentials(tmp: Path, keeper: Keeper) -> Credentials:
    write_private(tmp / "boxes.yaml", f"{NAMED}: {{password: p}}")
    team = Mailbox(TEAM, MailboxKind.ORG)
    directory = Shelf(doctor(1, "MARTIN", "Anne", mail=[BOX.value, NAMED.value]), others=[team])
    sessions = Sessions(Client(tmp / "keeper.sock", "mssante"), directory, ["m.test"], holds)
    await sessions.update()
    return Credentials(tmp / "boxes.yaml", sessions=sessions)


def test_what_the_file_names_opens_as_it_says_and_shared_mailboxes_never_by_a_session(credentials: Credentials) -> None:
    assert credentials.of(BOX) == OPEN
    assert credentials.of(NAMED) == Password("p")
    assert credentials.of(TEAM) is None


def test_a_session_is_used_for_its_holder_alone(credentials: Credentials) -> None:
    """What somebody wrote from a mailbox that has become another's must not leave by the other's word."""
    assert credentials.of(BOX, ANNE) == OPEN
    assert credentials.of(BOX, PAUL) is None
    assert credentials.of(NAMED, PAUL) == Password("p"), "that is the administrator's word"


def test_each_session_is_another_credential_and_none_waits() -> None:
    told = [fingerprint(OnApproval(rpps(n), session)) for n in (1, 2) for session in ("s1", "s2", "", None)]
    assert len(set(told)) == len(told)


async def test_it_shows_the_token_of_that_moment(credentials: Credentials, keeper: Keeper) -> None:
    operator, keeper.answers = Operator("a"), ["a"]
    assert await credentials.login(OPEN, operator.connect) == "in"
    assert (operator.shown, keeper.refused) == ([XOAuth2("a")], [""])


async def test_a_refused_token_is_renewed_once(credentials: Credentials, keeper: Keeper) -> None:
    operator, keeper.answers = Operator("b"), ["a", "b"]
    assert await credentials.login(OPEN, operator.connect) == "in"
    assert keeper.refused == ["", digest_of("a")]
    keeper.answers = ["c", "d"]
    with pytest.raises(LoginRefused):
        await credentials.login(OPEN, operator.connect)
    assert len(operator.shown) == 4


@pytest.mark.parametrize(
    ("answers", "raised"),
    [
        ([Refused(CLOSED)], MailboxClosed),
        (["a", Refused(CLOSED)], MailboxClosed),
        ([Temporary("psc is away")], Temporary),
        (["a", Temporary("psc is away")], Temporary),
        ([LoginRefused("psc refuses our name")], ServiceUnavailable),
    ],
)
async def test_without_a_token_a_mailbox_is_closed_or_waits_and_is_not_refused(
    credentials: Credentials, keeper: Keeper, answers: list[str | Exception], raised: type[Exception]
) -> None:
    keeper.answers = answers
    with pytest.raises(raised) as met:
        await credentials.login(OPEN, Operator().connect)
    assert isinstance(met.value, Temporary)
    assert isinstance(met.value, MailDeferred) is (raised is MailboxClosed)


async def test_before_the_keeper_was_heard_nothing_is_said_to_be_closed(credentials: Credentials) -> None:
    with pytest.raises(ServiceUnavailable):
        await credentials.login(OnApproval(rpps(1), None), Operator().connect)


def test_while_the_directory_is_away_a_mailbox_waits(credentials: Credentials) -> None:
    directory = credentials.sessions._directory  # type: ignore[union-attr]
    directory.empty = True  # type: ignore[attr-defined]
    with pytest.raises(Temporary):
        credentials.of(BOX)
