"""Which mails a receipt makes read, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import timedelta

import pytest
from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque.identity import EventId, MssanteAddress, RoomId
from colloque.mail.message import Party
from colloque.matrix.home import Read
from colloque_mssante.mapping.threads import Thread, Threads
from colloque_mssante.store.mailboxes import Cursor, Place
from colloque_mssante.store.mails import Mails, StoredMail
from colloque_mssante.store.reading import AT_ONCE, SEEN, Reads
from tests.unit.mssante.test_store import ANNE, BOX, BRUNO, ROOM, SINCE, db  # noqa: F401

OTHER = RoomId("!other")
PLACE = Cursor(BOX, ANNE, SINCE, 1, 0, "")


async def shown(
    db: Database,  # noqa: F811
    clock: FrozenClock,
    number: int,
    *,
    thread: str = "",
    room: RoomId = ROOM,
    asked: str = "",
) -> None:
    """Mail `m<number>`, shown by `$<number>` and `$<number>b`, in a thread that the first of them began."""
    clock.advance(seconds=1)
    threads, first = Threads(db, clock), EventId(f"${number}")
    found = await threads.begin(thread or f"m{number}", room, "Avis")
    assert isinstance(found, Thread)
    await threads.note(found, None, (), first)
    mail = StoredMail(
        f"m{number}", BOX, ANNE, f"<{number}@x>", (), "Avis", Party("B", "b@x"), room, found.id, receipt_to=asked
    )
    await Mails(db, clock).put(mail, Place(PLACE, 1, number), f"r{number}", [first, EventId(f"${number}b")])


@pytest.mark.parametrize(
    ("thread", "event", "read"),
    [
        ("", "$3", {1, 2, 3}),
        ("", "$2b", {1, 2}),
        ("main", "$4", {1, 2, 4}),
        ("$2", "$3", {2, 3}),
        ("$1", "$1", {1}),
        ("$nothing", "$3", set()),
    ],
)
async def test_up_to_where_it_stands(
    db: Database,  # noqa: F811
    clock: FrozenClock,
    thread: str,
    event: str,
    read: set[int],
) -> None:
    """1 and 2 begin threads, 3 answers in the second, 4 begins one; 9 is in another room."""
    for number, of in ((1, ""), (2, ""), (3, "m2"), (4, "")):
        await shown(db, clock, number, thread=of)
    await shown(db, clock, 9, room=OTHER)
    reads = Reads(db, clock)
    await reads.hear(Read(ROOM, EventId(event), ANNE, thread))
    assert await reads.heard() == [Read(ROOM, EventId(event), ANNE, thread)]
    await reads.read(Read(ROOM, EventId(event), ANNE, thread), EventId(event))
    assert {mail.uid for mail in await reads.to_mark(BOX)} == read
    assert await reads.waiting() == ([(BOX, ANNE)] if read else [])
    assert await reads.heard() == []


async def test_a_newer_receipt_waits_while_an_older_is_made_out(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    await shown(db, clock, 1)
    await shown(db, clock, 2)
    reads = Reads(db, clock)
    await reads.hear(Read(ROOM, EventId("$1"), ANNE))
    await reads.hear(Read(ROOM, EventId("$2"), ANNE))
    await reads.read(Read(ROOM, EventId("$1"), ANNE, ""), EventId("$1"))
    assert await reads.heard() == [Read(ROOM, EventId("$2"), ANNE)]


async def test_what_its_mailbox_knows_comes_no_more(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    await shown(db, clock, 1)
    await shown(db, clock, 2)
    reads = Reads(db, clock)
    await reads.read(Read(ROOM, EventId("$2"), ANNE, ""), EventId("$2"))
    await reads.marked("m1")
    [left] = await reads.to_mark(BOX)
    assert (left.id, left.read_at) == ("m2", clock.now())
    assert await reads.give_up(clock.now()) == 0
    clock.advance(days=8)
    assert await reads.give_up(clock.now() - timedelta(days=7)) == 1
    assert await reads.to_mark(BOX) == []


async def test_an_event_that_shows_no_mail_of_that_room(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    await shown(db, clock, 1)
    reads = Reads(db, clock)
    assert await reads.shows(ROOM, EventId("$1b"))
    assert not await reads.shows(OTHER, EventId("$1"))
    await reads.read(Read(ROOM, EventId("$x"), ANNE, ""), None)
    assert await reads.to_mark(BOX) == []


async def test_one_mailbox_does_not_stand_in_the_way_of_another(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    other = MssanteAddress("b@cabinet.mssante.test")
    for number in range(AT_ONCE + 1):
        await shown(db, clock, number)
    late = StoredMail("late", other, BRUNO, "<late@x>", (), "Avis", Party("B", "b@x"), OTHER)
    await Mails(db, clock).put(late, Place(Cursor(other, BRUNO, SINCE, 1, 0, ""), 1, 1), "late", [EventId("$late")])
    reads = Reads(db, clock)
    await reads.read(Read(ROOM, EventId("$1"), ANNE, ""), EventId(f"${AT_ONCE}"))
    await reads.read(Read(OTHER, EventId("$late"), BRUNO, ""), EventId("$late"))
    assert set(await reads.waiting()) == {(BOX, ANNE), (other, BRUNO)}
    assert len(await reads.to_mark(BOX)) == AT_ONCE
    assert [mail.id for mail in await reads.to_mark(other)] == ["late"]


async def test_who_answered_here_has_still_to_tell_that_it_was_read(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    for number in (1, 2, 3):
        await shown(db, clock, number, asked="b@x")
    reads = Reads(db, clock)
    await reads.happened("m2", SEEN)
    await reads.answered_here(BOX, 1, 1)
    await reads.answered_here(BOX, 1, 1)
    await reads.answered_here(BOX, 1, 2)
    assert [mail.id for mail in await reads.shown(BOX, 1, SINCE, 9)] == ["m3"]
    await reads.read(Read(ROOM, EventId("$3"), ANNE, ""), EventId("$3"))
    assert [mail.receipt_to for mail in await reads.to_mark(BOX)] == ["b@x", "", "b@x"]
