"""Quiet rooms: which mails go there, and the list of the day."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque.errors import HomeRefused, HomeUnavailable
from colloque.identity import EventId, MssanteAddress, RoomId
from colloque.mail.message import Mail, Party
from colloque.mail.parse import parse_mail
from colloque.matrix.home import JsonDict
from colloque.professional import Mailbox, MailboxKind
from colloque_mssante.arriving.daily import LINES, DailyList
from colloque_mssante.arriving.quiet import Quiet
from colloque_mssante.people.ghosts import Correspondent
from colloque_mssante.store.documents import Documents
from colloque_mssante.store.mailboxes import Cursor, Place
from colloque_mssante.store.mails import Mails, StoredMail
from tests.unit.mssante.test_store import ANNE, BOX, BRUNO, ROOM, SINCE, db  # noqa: F401

LAB = Correspondent("address:labo@labo.mssante.test", "Labo", verified=True, label="Labo <labo@labo.mssante.test>")
PLACE = Cursor(BOX, ANNE, SINCE, 1, 0, "")


class Shelf:
    """A directory of two mailboxes: a machine's and a structure's."""

    def by_mssante(self, address: MssanteAddress) -> Mailbox | None:
        kinds = {"labo@labo.mssante.test": MailboxKind.APP, "accueil@labo.mssante.test": MailboxKind.ORG}
        kind = kinds.get(address.value)
        return Mailbox(address, kind, "Laboratoire d'essai") if kind is not None else None

    def by_rpps(self, _number: object) -> None:
        return None


@dataclass
class Room:
    """Records what is said; `error` is what sending raises."""

    said: list[tuple[str, str]] = field(default_factory=list)
    error: Exception | None = None

    async def send(self, _room: RoomId, content: JsonDict, *, txn: str, type_: str = "m.room.message") -> EventId:
        if self.error is not None:
            raise self.error
        self.said.append((txn, content["body"]))
        return EventId("$list")


def a_mail(sender: str = "labo@labo.mssante.test", **changes: bool) -> Mail:
    return replace(parse_mail(f"From: {sender}\n\nBonjour".encode()), **changes)  # type: ignore[arg-type]


def quiet(db: Database, clock: FrozenClock) -> Quiet:  # noqa: F811
    shelf, mails, documents = Shelf(), Mails(db, clock), Documents(db)
    return Quiet(home=Room(), directory=shelf, ghosts=None, mails=mails, documents=documents)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("mail", "expected"),
    [
        (a_mail(), True),
        (a_mail("accueil@labo.mssante.test"), False),
        (a_mail("inconnu@x.mssante.test"), False),
        (a_mail("accueil@labo.mssante.test", coded=True), True),
        (a_mail(coded=True, urgent=True), False),
        (a_mail("pas une adresse", coded=True), True),
    ],
)
async def test_machines_do_not_ring(db: Database, clock: FrozenClock, mail: Mail, expected: bool) -> None:  # noqa: F811
    assert await quiet(db, clock).is_quiet(mail, "k", ANNE, LAB) is expected


async def test_what_its_owner_chose_comes_first_but_for_what_is_urgent(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    rule, documents, person = quiet(db, clock), Documents(db), a_mail("accueil@labo.mssante.test")
    await documents.choose(ANNE, LAB.key, rings=True)
    assert not await rule.is_quiet(a_mail(coded=True), "k", ANNE, LAB)
    assert await rule.is_quiet(a_mail(coded=True), "k", BRUNO, LAB)
    await documents.choose(ANNE, LAB.key, rings=False)
    assert await rule.is_quiet(person, "k", ANNE, LAB)
    assert not await rule.is_quiet(replace(person, urgent=True), "k", ANNE, LAB)


async def test_a_mail_goes_on_where_it_was_begun(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    rule, documents, mails = quiet(db, clock), Documents(db), Mails(db, clock)
    await documents.begin(ROOM, ANNE, None)
    await mails.begin("k", ROOM)
    await documents.choose(ANNE, LAB.key, rings=True)
    assert await rule.is_quiet(a_mail(), "k", ANNE, LAB)
    await mails.begin("other", RoomId("!conversation"))
    await documents.choose(ANNE, LAB.key, rings=False)
    assert not await rule.is_quiet(a_mail(), "other", ANNE, LAB)


async def came(db: Database, clock: FrozenClock, number: int, subject: str = "CR") -> None:  # noqa: F811
    author = Party("X", "labo@labo.mssante.test")
    mail = StoredMail(f"m{number}", BOX, ANNE, f"<{number}@x>", (), subject, author, ROOM)
    await Mails(db, clock).put(mail, Place(PLACE, 1, number), f"r{number}", [EventId(f"${number}")])


def at(hour: int, day: int = 2) -> datetime:
    """That hour in Paris, in winter."""
    return datetime(2026, 3, day, hour - 1, 0, tzinfo=UTC)


async def test_one_list_a_day(db: Database) -> None:  # noqa: F811
    clock, room = FrozenClock(at(10)), Room()
    documents = Documents(db)
    daily = DailyList(home=room, directory=Shelf(), documents=documents, clock=clock)  # type: ignore[arg-type]
    await documents.begin(ROOM, ANNE, None)
    await came(db, clock, 1)
    await came(db, clock, 2, "")
    await daily.once()
    assert room.said == []
    clock.advance(hours=8, minutes=1)
    await came(db, clock, 3)
    room.error = HomeUnavailable()
    await daily.once()
    room.error = None
    await daily.once()
    await daily.once()
    [(_, words)] = room.said
    assert words.startswith("📄 Documents de santé : 2 depuis la dernière liste")
    assert "• 02/03 à 10:00, Laboratoire d'essai <labo@labo.mssante.test> : CR\n" in words
    clock.advance(days=1)
    await daily.once()
    assert "1 depuis la dernière liste" in room.said[1][1]
    clock.advance(days=1)
    await daily.once()
    assert len(room.said) == 2


async def test_a_long_list_is_cut_and_a_room_that_is_gone_holds_nobody(db: Database) -> None:  # noqa: F811
    clock, room, documents = FrozenClock(at(10)), Room(), Documents(db)
    daily = DailyList(home=room, directory=Shelf(), documents=documents, clock=clock)  # type: ignore[arg-type]
    await documents.begin(ROOM, ANNE, None)
    for number in range(LINES + 5):
        await came(db, clock, number, "É" * 1000)
        clock.advance(seconds=1)
    clock.advance(hours=9)
    await daily.once()
    assert len(room.said[0][1].encode()) < 40_000  # of the 65,536 bytes of an event, base64 takes a third
    assert "… et 5 autres, plus haut dans ce salon." in room.said[0][1]
    await came(db, clock, 900)
    clock.advance(days=1)
    room.error = HomeRefused(413, "M_TOO_LARGE")
    await daily.once()
    assert (await documents.rooms())[0][1] < clock.now() - timedelta(hours=1)
    room.error = HomeRefused(403, "M_FORBIDDEN")
    await daily.once()
    room.error = None
    await daily.once()
    assert len(room.said) == 1
    assert (await documents.rooms())[0][1] > at(10) + timedelta(hours=9)
