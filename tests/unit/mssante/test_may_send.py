"""A mail that waits in the outbox leaves while its writer may still write from there, and not a moment longer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from mautrix.util.async_db import Database

from colloque.attestation import Attestation, Kind, Method, snapshot
from colloque.book import AttestationBook
from colloque.clock import FrozenClock
from colloque.errors import MailDeferred, NotFound, Refused, Temporary
from colloque.identity import MssanteAddress, UserId
from colloque.mail.smtp import Submitted
from colloque.professional import Mailbox, MailboxKind
from colloque.snapshot import SnapshotWriter
from colloque_mssante.access.authors import Authors
from colloque_mssante.mailboxes import sender as module
from colloque_mssante.mailboxes.may_send import check_writer
from colloque_mssante.rules.sends import CODES, RECEIPTS, ROOMS
from colloque_mssante.rules.teams import Teams
from colloque_mssante.store.choices import OFF, PAUSED, Choices
from colloque_mssante.store.mailboxes import Mailboxes
from tests.servers.annuaire import Shelf, doctor, rpps
from tests.unit.mssante.test_sender import Desk, desk
from tests.unit.mssante.test_store import ANNE, BOX, SINCE, a_send, db, found

__all__ = ["db", "desk"]
ZOE = UserId("@zoe:h.test")
TEAM = MssanteAddress("accueil@hopital.mssante.test")


class Keys:
    """What opens mailboxes."""

    lost = False

    def of(self, _address: MssanteAddress, _user: UserId | None = None) -> object:
        return None if self.lost else object()


class House:
    """Anne with a mailbox of her own; Zoé, her secretary, of the team of another."""

    def __init__(self, db: Database, folder: Path, clock: FrozenClock) -> None:
        self.clock, self.keys, self.serial = clock, Keys(), 0
        self.writer = SnapshotWriter(folder / "snapshot", b"k" * 32)
        self.shelf = Shelf(doctor(1, "MARTIN", "Anne", mail=[BOX.value]), others=[Mailbox(TEAM, MailboxKind.ORG)])
        book = AttestationBook(folder / "snapshot", b"k" * 32)
        self.choices, self.teams, self.mailboxes = Choices(db, clock), Teams(db, book, clock), Mailboxes(db, clock)
        self.authors = Authors(
            book=book,
            directory=self.shelf,
            credentials=cast("Any", self.keys),
            choices=self.choices,
            teams=self.teams,
            clock=clock,
        )

    def attest(self, *users: UserId) -> None:
        now = self.clock.now()
        anne = Attestation(ANNE, rpps(1), "Dr Anne", Method.PSC, now, now + timedelta(days=90))
        zoe = replace(anne, user=ZOE, name="Zoé", kind=Kind.SUPERVISED, under=rpps(1))
        self.serial += 1
        self.writer.publish(snapshot(self.serial, now, [{ANNE: anne, ZOE: zoe}[user] for user in users]))

    def check(self, user: UserId = ANNE, mailbox: MssanteAddress = BOX, caller: str = "room") -> None:
        send = a_send(self.clock, owner=user, sender=mailbox, caller=caller)
        check_writer(send, self.authors, cast("Any", self.keys))

    def why(self, user: UserId = ANNE, mailbox: MssanteAddress = BOX) -> str:
        with pytest.raises(Refused) as refusal:
            self.check(user, mailbox)
        return refusal.value.reason


@pytest.fixture
async def house(db: Database, tmp_path: Path, clock: FrozenClock) -> House:
    made = House(db, tmp_path, clock)
    made.attest(ANNE, ZOE)
    await made.teams.add(TEAM, ZOE)
    await made.mailboxes.start(BOX, ANNE, SINCE)
    made.check()
    made.check(ZOE, TEAM)
    return made


async def test_who_disconnected_a_mailbox_sends_nothing_more_from_it(house: House) -> None:
    await house.choices.close(ANNE, PAUSED)
    house.check()
    await house.choices.close(ANNE, OFF)
    assert house.why() == "mailbox_off"
    await house.choices.open(ANNE, None)
    house.check()


async def test_who_is_verified_no_more_sends_nothing_more(house: House) -> None:
    house.attest(ZOE)
    assert house.why() == "not_attested"
    house.attest(ANNE)
    assert house.why(ZOE, TEAM) == "not_attested"


async def test_who_left_a_team_sends_nothing_more_in_its_name(house: House) -> None:
    await house.teams.remove(TEAM, ZOE)
    assert house.why(ZOE, TEAM) == "not_yours"


async def test_a_mailbox_that_went_to_somebody_else_is_not_theirs(house: House) -> None:
    house.shelf.people = [doctor(1, "MARTIN", "Anne"), doctor(2, "PETIT", "Bob", mail=[BOX.value])]
    assert house.why() == "not_yours"
    house.keys.lost = True
    assert house.why() == "login"


def nowhere(shelf: Shelf) -> None:
    shelf.empty = True


def unlisted(shelf: Shelf) -> None:
    shelf.people = []


@pytest.mark.parametrize("change", [nowhere, unlisted])
async def test_what_the_directory_does_not_say_today_is_waited_for(
    house: House, change: Callable[[Shelf], None]
) -> None:
    change(house.shelf)
    with pytest.raises(Temporary):
        house.check()


@pytest.mark.parametrize("caller", [CODES, ROOMS, RECEIPTS])
async def test_what_nobody_wrote_asks_nobody(house: House, caller: str) -> None:
    house.attest()
    house.check(caller=caller)


# at the sender


@pytest.mark.parametrize(
    ("no", "status", "words"),
    [
        ({"name": Refused("not_attested")}, "not_attested", "votre identité n'est plus vérifiée"),
        ({"sender": Refused("mailbox_off")}, "mailbox_off", "vous avez déconnecté cette boîte"),
        ({"sender": Refused("no_mailbox")}, "not_yours", "vous n'écrivez plus depuis cette boîte"),
    ],
)
async def test_a_deferred_mail_whose_writer_may_not_send_any_more_ends_and_frees_its_thread(
    desk: Desk, no: dict[str, Exception], status: str, words: str
) -> None:
    send = await desk.attempt(MailDeferred("wait"), thread="t")
    await desk.outbox.put(a_send(desk.clock, "$behind", thread="t", owner=ZOE))
    desk.clock.advance(hours=1)
    desk.writers.no, desk.answer = no, None
    assert len(desk.seen) == 1
    await desk.sender.attempt(await found(desk.outbox, send.key))
    assert len(desk.seen) == 1, "the operator hears nothing of it"
    kept = await found(desk.outbox, send.key)
    assert (kept.state, kept.status) == ("refused", status)
    [(_, body)] = await desk.tell()
    assert words in body
    assert [each.key for each in await desk.outbox.due(BOX)] == ["$behind"]


async def test_who_loses_the_right_while_the_operator_answers_sends_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the login and the text."""

    async def slow(*args: Any, **given: Any) -> Submitted:
        desk.writers.no = {"sender": Refused("mailbox_off")}
        return await desk.submit(*args, **given)

    monkeypatch.setattr(module, "submit", slow)
    kept = await desk.attempt()
    assert (kept.state, kept.status, kept.attempt) == ("refused", "mailbox_off", 0)


async def test_while_the_directory_is_away_it_waits(desk: Desk) -> None:
    desk.writers.no = {"sender": NotFound("no directory")}
    kept = await desk.attempt()
    assert (kept.state, desk.seen) == ("deferred", [])
