"""What a receipt is made of: looked up in the room's order, kept while a mail is on its way; and who is told."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque.config import MssanteConfig
from colloque.errors import HomeRefused, HomeUnavailable, NotFound, Refused, Temporary
from colloque.identity import EventId, RoomId, UserId
from colloque.mail.parse import parse_mail
from colloque.matrix.home import Read
from colloque.professional import Professional
from colloque_mssante.outbox import Outbox
from colloque_mssante.reading import Reading
from colloque_mssante.receipts import Receipts
from colloque_mssante.sends import RECEIPTS
from colloque_mssante.store_mails import Mails
from colloque_mssante.store_reading import ReadMail, Reads
from tests.servers.annuaire import doctor
from tests.unit.mssante.test_reading_store import shown
from tests.unit.mssante.test_store import ANNE, BOX, ROOM, db  # noqa: F401

ASKED = "b@cabinet.mssante.test"


@dataclass
class Room:
    """The order of one room's events; `error` is what asking for it raises."""

    order: list[str] = field(default_factory=list)
    error: Exception | None = None

    async def before(self, _room: RoomId, event: EventId, count: int) -> list[EventId]:
        if self.error is not None:
            raise self.error
        upto = self.order.index(event)
        return [EventId(each) for each in self.order[max(0, upto - count) : upto + 1][::-1]]


def reading(db: Database, clock: FrozenClock, room: Room) -> Reading:  # noqa: F811
    return Reading(home=room, reads=Reads(db, clock), mails=Mails(db, clock))  # type: ignore[arg-type]


async def test_what_stands_before_ones_own_words_is_read(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    await shown(db, clock, 1)
    await shown(db, clock, 2)
    reads, room = Reads(db, clock), Room(["$1", "$said", "$2"])
    work = reading(db, clock, room)
    await work.hear(Read(ROOM, EventId("$said"), ANNE))
    room.error = HomeUnavailable()
    await work.once()
    assert len(await reads.heard()) == 1
    room.error = None
    await work.once()
    assert [mail.id for mail in await reads.to_mark(BOX)] == ["m1"]
    assert await reads.heard() == []


async def test_a_receipt_that_overtakes_our_own_note_waits(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    mails, reads = Mails(db, clock), Reads(db, clock)
    work = reading(db, clock, Room(["$1"]))
    await mails.begin("m1", ROOM)
    await work.hear(Read(ROOM, EventId("$1"), ANNE))
    await work.once()
    assert len(await reads.heard()) == 1
    await shown(db, clock, 1)
    await work.once()
    assert [mail.id for mail in await reads.to_mark(BOX)] == ["m1"]


async def test_a_receipt_in_a_room_that_is_gone_is_let_go(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    reads, room = Reads(db, clock), Room(error=HomeRefused(404, "M_NOT_FOUND"))
    work = reading(db, clock, room)
    await work.hear(Read(ROOM, EventId("$x"), ANNE))
    await work.once()
    assert await reads.heard() == []


# who is told


@dataclass
class Composer:
    """Who writes, or why nobody does."""

    person: Professional | None = None
    error: Exception | None = None

    def writer(self, _user: UserId) -> Professional:
        if self.error is not None:
            raise self.error
        assert self.person is not None
        return self.person


def receipts(db: Database, clock: FrozenClock, composer: Composer) -> Receipts:  # noqa: F811
    config = object.__new__(MssanteConfig)
    object.__setattr__(config, "nil", "DEV000001")
    return Receipts(
        config=config,
        composer=composer,  # type: ignore[arg-type]
        outbox=Outbox(db, clock),
        whitelisted=lambda domain: domain.endswith("mssante.test"),
        clock=clock,
        secret=b"k" * 32,
    )


def a_read(clock: FrozenClock, asked: str = ASKED) -> ReadMail:
    return ReadMail("m1", BOX, ANNE, 1, 1, "<1@x>", "CR DUPONT", asked, clock.now())


def anne() -> Composer:
    return Composer(doctor(1, "ESSAI", "Anne", mail=[BOX.value]))


async def test_the_author_is_told_once_when_it_was_read(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    read = a_read(clock)
    clock.advance(days=3)
    assert await receipts(db, clock, anne()).tell(read) == "queued"
    clock.advance(hours=1)
    assert await receipts(db, clock, anne()).tell(read) == "queued"
    [send] = await Outbox(db, clock).due()
    assert (send.caller, send.sender, send.recipients, send.room) == (RECEIPTS, BOX, (ASKED,), None)
    assert send.raw is not None
    mail = parse_mail(send.raw)
    assert [report.original_message_id for report in mail.reports] == ["<1@x>"]
    assert (clock.now() - timedelta(days=3, hours=1)).strftime("%d/%m/%Y") in mail.text


@pytest.mark.parametrize(
    ("asked", "composer", "outcome"),
    [
        ("", anne(), "not_asked"),
        ("b@ailleurs.example", anne(), "not_listed"),
        ("pas une adresse", anne(), "not_listed"),
        (ASKED, Composer(error=Refused("not_attested", "")), "not_attested"),
        (ASKED, Composer(doctor(1, "ESSAI", "Anne", mail=["autre@medecin.mssante.test"])), "not_theirs"),
    ],
)
async def test_nobody_else_is_told(
    db: Database,  # noqa: F811
    clock: FrozenClock,
    asked: str,
    composer: Composer,
    outcome: str,
) -> None:
    assert await receipts(db, clock, composer).tell(a_read(clock, asked)) == outcome
    assert await Outbox(db, clock).due() == []


async def test_without_message_id_or_directory(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    assert await receipts(db, clock, anne()).tell(replace(a_read(clock), message_id=None)) == "not_asked"
    with pytest.raises(Temporary):
        await receipts(db, clock, Composer(error=NotFound("none"))).tell(a_read(clock))
