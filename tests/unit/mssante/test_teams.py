"""Who acts for a shared mailbox, and in whose name: on SQLite and PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from mautrix.util.async_db import Database

from colloque.attestation import Attestation, Kind, Method, snapshot
from colloque.book import AttestationBook
from colloque.clock import FrozenClock
from colloque.errors import Refused
from colloque.identity import MssanteAddress, UserId
from colloque.mail.message import Party
from colloque.professional import Mailbox, MailboxKind
from colloque.snapshot import SnapshotWriter
from colloque_mssante.access.authors import Authors
from colloque_mssante.rules.teams import SHARED, Teams
from colloque_mssante.store.choices import Choices
from tests.servers.annuaire import Shelf, doctor, rpps
from tests.unit.mssante.test_store import db  # noqa: F401

DESK, LAB = MssanteAddress("accueil@hopital.mssante.test"), MssanteAddress("labo@hopital.mssante.test")
OWN = MssanteAddress("anne@medecin.mssante.test")
ANNE, BRUNO, ZOE = UserId("@anne:h.test"), UserId("@bruno:h.test"), UserId("@zoe:h.test")
ADMIN = UserId("@admin:h.test")


BOXES = [Mailbox(DESK, MailboxKind.ORG, structure="Hôpital du Lac"), Mailbox(LAB, MailboxKind.ORG)]


class Keys:
    """Every mailbox has a password."""

    def of(self, _address: MssanteAddress, _user: UserId | None = None) -> object:
        return object()


class House:
    def __init__(self, db: Database, folder: Path, clock: FrozenClock) -> None:  # noqa: F811
        self.writer = SnapshotWriter(folder / "snapshot", b"k" * 32)
        self.clock, self.serial = clock, 0
        self.book = AttestationBook(folder / "snapshot", b"k" * 32)
        self.teams = Teams(db, self.book, clock)
        self.authors = Authors(
            book=self.book,
            directory=Shelf(doctor(1, "MARTIN", "Anne", mail=[OWN.value]), doctor(2, "PETIT", "Bruno"), others=BOXES),
            credentials=Keys(),  # type: ignore[arg-type]
            choices=Choices(db, clock),
            teams=self.teams,
            clock=clock,
        )

    def attest(self, *users: UserId) -> None:
        now = self.clock.now()
        anne = Attestation(ANNE, rpps(1), "Dr Anne", Method.PSC, now, now + timedelta(days=90))
        known = {
            ANNE: anne,
            BRUNO: replace(anne, user=BRUNO, rpps=rpps(2)),
            ZOE: replace(anne, user=ZOE, name="Zoé DURAND · secrétaire", kind=Kind.SUPERVISED, under=rpps(1)),
            ADMIN: replace(anne, user=ADMIN, kind=Kind.STAFF),
        }
        self.serial += 1
        self.writer.publish(snapshot(self.serial, now, [known[user] for user in users]))
        self.book.refresh()


@pytest.fixture
async def house(db: Database, tmp_path: Path, clock: FrozenClock) -> House:  # noqa: F811
    made = House(db, tmp_path, clock)
    made.attest(ANNE, BRUNO, ZOE, ADMIN)
    return made


async def test_only_who_is_verified_today_counts(house: House) -> None:
    for user in (ANNE, ZOE, ADMIN):
        await house.teams.add(DESK, user)
        house.clock.advance(seconds=1)
    assert house.teams.members(DESK) == (ANNE, ZOE)
    assert house.teams.of(ZOE) == (DESK,)
    assert house.teams.of(BRUNO) == ()
    house.attest(ZOE)
    assert house.teams.members(DESK) == (), "the secretary's doctor is gone"
    house.attest(ANNE, ZOE)
    assert house.teams.members(DESK) == (ANNE, ZOE)
    house.clock.advance(days=91)
    assert house.teams.members(DESK) == ()
    assert len(house.teams.listed(DESK)) == 3


async def test_a_stand_in_has_a_last_day(house: House) -> None:
    for mailbox in (DESK, LAB):
        await house.teams.add(mailbox, ANNE)
    until = house.clock.now() + timedelta(days=2)
    assert set(await house.teams.replace(ANNE, BRUNO, until)) == {DESK, LAB}
    assert house.teams.has(LAB, BRUNO)
    assert await house.teams.replace(BRUNO, ZOE, until) == (), "a stand-in names no other"
    await house.teams.replace(ANNE, ZOE, until)
    assert house.teams.members(DESK) == (ANNE, ZOE), "one stand-in at a time"
    house.clock.advance(days=2)
    assert house.teams.members(DESK) == (ANNE,)


async def test_coming_back_and_leaving_end_it(house: House) -> None:
    until = house.clock.now() + timedelta(days=2)
    await house.teams.add(DESK, ANNE)
    await house.teams.replace(ANNE, BRUNO, until)
    assert await house.teams.back(ANNE)
    assert not await house.teams.back(ANNE)
    assert house.teams.members(DESK) == (ANNE,)
    await house.teams.replace(ANNE, BRUNO, until)
    assert await house.teams.remove(DESK, ANNE)
    assert house.teams.mailboxes() == ()
    assert not await house.teams.remove(DESK, ANNE)


async def test_a_member_needs_no_standing_in(house: House) -> None:
    await house.teams.add(DESK, ANNE)
    await house.teams.add(DESK, BRUNO)
    await house.teams.replace(ANNE, BRUNO, house.clock.now() + timedelta(days=1))
    await house.teams.back(ANNE)
    assert set(house.teams.members(DESK)) == {ANNE, BRUNO}
    await house.teams.replace(ANNE, ZOE, house.clock.now() + timedelta(days=1))
    await house.teams.add(DESK, ZOE)
    house.clock.advance(days=2)
    assert house.teams.has(DESK, ZOE), "an administrator made the stand-in a member"


async def test_who_stands_in_for_two_does_so_until_the_later_day(house: House) -> None:
    day = timedelta(days=1)
    for user in (ANNE, ZOE):
        await house.teams.add(DESK, user)
    await house.teams.replace(ANNE, BRUNO, house.clock.now() + day)
    await house.teams.replace(ZOE, BRUNO, house.clock.now() + 3 * day)
    house.clock.advance(days=2)
    assert house.teams.has(DESK, BRUNO)
    await house.teams.replace(ANNE, BRUNO, house.clock.now() + 3 * day)
    await house.teams.back(ZOE)
    assert house.teams.has(DESK, BRUNO), "the other is still away"
    await house.teams.back(ANNE)
    assert house.teams.members(DESK) == (ANNE, ZOE)


async def test_what_was_decided_outlives_a_restart(house: House, db: Database) -> None:  # noqa: F811
    await house.teams.add(DESK, ANNE)
    await house.teams.replace(ANNE, BRUNO, house.clock.now() + timedelta(days=1))
    again = Teams(db, house.book, house.clock)
    await again.load()
    assert [again.listed(DESK), again.since(DESK)] == [house.teams.listed(DESK), house.clock.now()]


async def test_each_writes_from_what_is_theirs(house: House) -> None:
    await house.teams.add(DESK, ZOE)
    authors = house.authors
    assert authors.mailboxes(ANNE) == (OWN,)
    assert authors.mailboxes(ZOE) == (), "who works under somebody never has their mailbox"
    assert authors.sender(ZOE, DESK) == authors.reader(SHARED, DESK) == Party("Hôpital du Lac", DESK.value)
    assert authors.sender(ANNE, OWN) == Party("Dr_Anne_MARTIN", OWN.value)
    assert authors.signature(ZOE, DESK) == "— Zoé DURAND · secrétaire, pour Hôpital du Lac"
    assert authors.signature(ANNE, OWN) == ""
    for user, mailbox in ((ANNE, DESK), (ZOE, OWN), (BRUNO, OWN), (ZOE, LAB), (ADMIN, DESK)):
        with pytest.raises(Refused):
            authors.sender(user, mailbox)
    house.attest(ANNE)
    with pytest.raises(Refused):
        authors.sender(ZOE, DESK)
