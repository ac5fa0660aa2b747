"""What a receipt is made of: looked up in the room's order, kept while a mail is on its way; and who is told."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque.config import MssanteConfig
from colloque.errors import HomeRefused, HomeUnavailable, NotFound, Refused, Temporary
from colloque.identity import EventId, MssanteAddress, RoomId, UserId
from colloque.mail.message import Party
from colloque.mail.parse import parse_mail
from colloque.matrix.home import Read
from colloque_mssante.mailboxes.reading import Reading
from colloque_mssante.mailboxes.receipts import Receipts
from colloque_mssante.rules.sends import RECEIPTS
from colloque_mssante.store.mails import Mails
from colloque_mssante.store.outbox import Outbox
from colloque_mssante.store.reading import ReadMail, Reads
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
class Reader:
    """Stands for the authors: how who reads is written, or why nobody is."""

    error: Exception | None = None

    def reader(self, _owner: UserId, mailbox: MssanteAddress) -> Party:
        if self.error is not None:
            raise self.error
        return Party("Dr Anne ESSAI", mailbox.value)


def receipts(db: Database, clock: FrozenClock, authors: Reader) -> Receipts:  # noqa: F811
    config = object.__new__(MssanteConfig)
    object.__setattr__(config, "nil", "DEV000001")
    return Receipts(
        config=config,
        authors=authors,  # type: ignore[arg-type]
        outbox=Outbox(db, clock),
        whitelisted=lambda domain: domain.endswith("mssante.test"),
        clock=clock,
        secret=b"k" * 32,
    )


def a_read(clock: FrozenClock, asked: str = ASKED) -> ReadMail:
    return ReadMail("m1", BOX, ANNE, 1, 1, "<1@x>", "CR DUPONT", asked, clock.now())


async def test_the_author_is_told_once_when_it_was_read(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    read = a_read(clock)
    clock.advance(days=3)
    assert await receipts(db, clock, Reader()).tell(read) == "queued"
    clock.advance(hours=1)
    assert await receipts(db, clock, Reader()).tell(read) == "queued"
    [send] = await Outbox(db, clock).due(BOX)
    assert (send.caller, send.sender, send.recipients, send.room) == (RECEIPTS, BOX, (ASKED,), None)
    assert send.raw is not None
    mail = parse_mail(send.raw)
    assert [report.original_message_id for report in mail.reports] == ["<1@x>"]
    assert (clock.now() - timedelta(days=3, hours=1)).strftime("%d/%m/%Y") in mail.text


@pytest.mark.parametrize(
    ("asked", "authors", "outcome"),
    [
        ("", Reader(), "not_asked"),
        ("b@ailleurs.example", Reader(), "not_listed"),
        ("pas une adresse", Reader(), "not_listed"),
        (ASKED, Reader(error=Refused("not_attested", "")), "not_attested"),
        (ASKED, Reader(error=Refused("no_mailbox", "")), "no_mailbox"),
    ],
)
async def test_nobody_else_is_told(
    db: Database,  # noqa: F811
    clock: FrozenClock,
    asked: str,
    authors: Reader,
    outcome: str,
) -> None:
    assert await receipts(db, clock, authors).tell(a_read(clock, asked)) == outcome
    assert await Outbox(db, clock).due(BOX) == []


async def test_without_message_id_or_directory(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    assert await receipts(db, clock, Reader()).tell(replace(a_read(clock), message_id=None)) == "not_asked"
    with pytest.raises(Temporary):
        await receipts(db, clock, Reader(error=NotFound("none"))).tell(a_read(clock))
