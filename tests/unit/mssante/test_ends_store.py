"""Threads that end, holds and shared files as rows: the same on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from mautrix.util.async_db import Database, Scheme

from colloque.clock import FrozenClock
from colloque.identity import EventId, MxcUri, RoomId, UserId
from colloque.mail.imap_finding import Sought
from colloque.mail.message import Party, Report
from colloque.rooms.mail_thread import Rule
from colloque.store.schema import transaction
from colloque_mssante.ends.forgetting import Forgetting
from colloque_mssante.mapping.threads import Threads
from colloque_mssante.store import ends as steps
from colloque_mssante.store.ends import End, Ends
from colloque_mssante.store.life import Hold, RoomLife
from colloque_mssante.store.mailboxes import Cursor, Place
from colloque_mssante.store.mails import Mails, StoredMail
from colloque_mssante.store.outbox import Outbox
from colloque_mssante.store.presence import Seeking, Wanted
from tests.unit.mssante.test_store import ANNE, BOX, BRUNO, ROOM, SINCE, a_send, db
from tests.unit.mssante.test_writing_store import a_mail

__all__ = ["db"]

DAY = timedelta(days=1)
RULE = Rule(90 * DAY)
OTHER = RoomId("!other")
E1, E2, E3 = EventId("$e1"), EventId("$e2"), EventId("$e3")
M1, M2 = MxcUri("mxc://h.test/one"), MxcUri("mxc://h.test/two")
SECRET = "Prothese de hanche"


class Shelf:
    """The stores, and one thread: a mail that came (`k1`, shown by E1), and an answer that left (`$event`)."""

    def __init__(self, db: Database, clock: FrozenClock) -> None:
        self.db, self.clock = db, clock
        self.ends, self.life, self.forgetting = Ends(db, clock), RoomLife(db, clock), Forgetting(db)
        self.seeking = Seeking(db)
        self.threads, self.mails, self.outbox = Threads(db, clock), Mails(db, clock), Outbox(db, clock)
        self.place = Place(Cursor(BOX, ANNE, SINCE, 7, 0, ""), 7, 12)

    async def mail(self, key: str = "k1", event: EventId = E1, *parents: str) -> None:
        mail = replace(a_mail(f"<{key}@x>", *parents), subject=SECRET)
        thread = await self.threads.place(mail, key, ROOM)
        await self.threads.note(thread, mail.message_id, mail.references, event)
        kept = StoredMail(
            key, BOX, ANNE, mail.message_id, mail.references, SECRET, Party("Paul Secret", "p@cabinet.test"), ROOM,
            thread.id, to=(Party("Anne", BOX.value),), who="address:p@cabinet.test",
        )  # fmt: skip
        await self.mails.put(kept, self.place, "ref", [event])

    async def answer(self) -> None:
        send = replace(a_send(self.clock), thread="k1", target=f'{{"subject": "{SECRET}"}}')
        await self.outbox.put(send)
        await self.outbox.move(send, "sent")
        await self.outbox.filed(send.key)
        await self.db.execute("UPDATE outbox SET handled = true, told = state")

    async def ready(self) -> None:
        await self.db.execute("INSERT INTO conversation (room_id, owner, who) VALUES ($1, $2, 'x:y')", ROOM, ANNE)
        await self.mail()
        await self.answer()
        await self.life.told(ROOM, 90 * 86400, EventId("$entry"))
        self.clock.advance(days=91)

    async def begun(self) -> End:
        assert await self.ends.begin_due(RULE) == 1
        [end] = await self.ends.due()
        return end

    async def wanted(self) -> list[Wanted]:
        return [each for box in await self.seeking.waiting() for each in await self.seeking.wanted(*box)]

    async def everything(self) -> str:
        if self.db.scheme is Scheme.SQLITE:
            query = "SELECT name FROM sqlite_master WHERE type = 'table'"
        else:
            query = "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'"
        rows = [await self.db.fetch(f"SELECT * FROM {row['name']}") for row in await self.db.fetch(query)]
        return repr([tuple(row) for table in rows for row in table])


@pytest.fixture
async def shelf(db: Database, clock: FrozenClock) -> Shelf:
    made = Shelf(db, clock)
    await made.ready()
    return made


async def test_an_old_thread_is_asked_about_once(shelf: Shelf) -> None:
    end = await shelf.begun()
    assert (end.step, end.room, end.number, end.serial) == (steps.ASKING, ROOM, 1, 0)
    assert len(end.token) == 32
    assert await shelf.ends.begin_due(RULE) == 0
    assert await shelf.seeking.waiting() == [(BOX, ANNE)]
    came, left = sorted(await shelf.wanted(), key=lambda wanted: wanted.mail, reverse=True)
    assert came.sought == Sought("<k1@x>", 7, 12)
    assert left.sought == Sought("<event@medecin.mssante.test>")
    await shelf.seeking.answered(came, found=True)
    assert (await shelf.ends.standing(end)).originals.count(True) == 1
    assert await shelf.ends.silent(end.thread) == [(BOX, ANNE)]
    await shelf.seeking.answered(left, found=False)
    assert sorted((await shelf.ends.standing(end)).originals, key=str) == [False, True]
    await shelf.ends.ask_again(end)
    assert (await shelf.ends.standing(end)).originals == (None, None)


@pytest.mark.parametrize("why", ["young", "untold", "told_lately", "held", "room_held"])
async def test_a_thread_whose_time_has_not_come_is_left_alone(shelf: Shelf, why: str) -> None:
    match why:
        case "young":
            await shelf.mail("k2", E2, "<k1@x>")
        case "untold":
            await shelf.db.execute("DELETE FROM room_life")
        case "told_lately":
            await shelf.life.told(ROOM, 30 * 86400, None)
        case _:
            thread = "k1" if why == "held" else ""
            await shelf.life.hold(Hold(ROOM, thread, ANNE, "expertise", shelf.clock.now() + DAY))
    assert await shelf.ends.begin_due(RULE) == 0


async def test_a_hold_of_another_thread_or_one_that_is_over_keeps_nothing(shelf: Shelf) -> None:
    await shelf.life.hold(Hold(ROOM, "another", ANNE, "x", shelf.clock.now() + DAY))
    await shelf.life.hold(Hold(ROOM, "k1", ANNE, "x", shelf.clock.now()))
    assert await shelf.ends.begin_due(RULE) == 1


async def test_what_is_under_way_makes_it_busy(shelf: Shelf) -> None:
    end = await shelf.begun()
    assert not (await shelf.ends.standing(end)).busy
    for change, undo in (
        ("UPDATE outbox SET state = 'doubtful', told = 'doubtful'", "UPDATE outbox SET state = 'sent', told = 'sent'"),
        ("UPDATE outbox SET told = ''", "UPDATE outbox SET told = state"),
        ("UPDATE outbox SET filed = false", "UPDATE outbox SET filed = true"),
        ("INSERT INTO arriving (mail, room_id) VALUES ('k9', '!room')", "DELETE FROM arriving"),
        (
            (
                "INSERT INTO draft (id, room_id, owner, state, target, options, loose, next_at) "
                "VALUES ('$d', '!room', '@anne:h.test', 'asking', '', '[]', false, 0)"
            ),
            "UPDATE draft SET state = 'cancelled'",
        ),
    ):
        await shelf.db.execute(change)
        assert (await shelf.ends.standing(end)).busy, change
        await shelf.db.execute(undo)
        assert not (await shelf.ends.standing(end)).busy, undo


async def test_what_is_forgotten_and_what_stays(shelf: Shelf) -> None:
    end = await shelf.begun()
    assert SECRET in await shelf.everything()
    await shelf.ends.read(end, [E1, E2], [(M1, ANNE)])
    async with transaction(shelf.db):
        await shelf.ends.lock(end)
        await shelf.forgetting.forget(end)
    await shelf.ends.attested(end, 12)
    said = await shelf.everything()
    for word in (SECRET, "Paul Secret", "p@cabinet.test", "b@cabinet.mssante.test", E1, E2, M1, "<k1@x>"):
        assert word not in said, word
    assert await shelf.mails.seen("k1", ANNE), "it is never shown again"
    found = await shelf.ends.get("k1")
    assert found is not None
    assert (found.step, found.serial) == (steps.TELLING, 12)
    # A report that comes late is known for ours, and shows nothing.
    known = await shelf.outbox.report(Report("read", None, "<event@medecin.mssante.test>", None, ""), BOX)
    assert known is not None
    assert known.room is None
    # An answer to it begins another thread, under a number of its own.
    await shelf.mail("k2", E3, "<k1@x>", "<event@medecin.mssante.test>")
    thread = await shelf.threads.get("k2")
    assert thread is not None
    assert thread.number == 2
    await shelf.ends.over(found)
    assert await shelf.ends.get("k1") is None
    assert await shelf.ends.begin_due(RULE) == 0, "what ended is not ended again"


async def test_a_mail_that_finds_its_place_wins_over_the_end_and_after_it_begins_anew(shelf: Shelf) -> None:
    end = await shelf.begun()
    async with transaction(shelf.db):
        thread = await shelf.threads.place(a_mail("<k2@x>", "<k1@x>"), "k2", ROOM)
        await shelf.mails.begin("k2", ROOM)
    assert thread.id == "k1"
    assert (await shelf.ends.standing(end)).busy
    await shelf.mails.abandon("k2")
    # The mail looked for its place before the end, and takes it after.
    named = await shelf.threads._named(ROOM, "<k1@x>", None, shown=None)
    assert named is not None
    await shelf.forgetting.forget(end)
    assert not await shelf.threads.lives(named)
    assert (await shelf.threads.place(a_mail("<k2@x>", "<k1@x>"), "k2", ROOM)).id == "k2"


async def test_an_end_and_a_mail_at_the_same_time_never_both_have_the_thread(shelf: Shelf) -> None:
    end = await shelf.begun()

    async def ending() -> bool:
        async with transaction(shelf.db):
            await shelf.ends.lock(end)
            if (await shelf.ends.standing(end)).busy:
                return False
            await shelf.forgetting.forget(end)
            return True

    async def placing() -> str:
        async with transaction(shelf.db):
            thread = await shelf.threads.place(a_mail("<k2@x>", "<k1@x>"), "k2", ROOM)
            await shelf.mails.begin("k2", ROOM)
            return thread.id

    for order in ((ending, placing), (placing, ending)) * 10:
        before = [await shelf.db.fetch(f"SELECT * FROM {table}") for table in ("thread", "thread_ref", "mail")]
        found: list[object] = await asyncio.gather(*(act() for act in order))
        ended, placed = found if order[0] is ending else reversed(found)
        assert ended == (placed == "k2"), order
        await shelf.db.execute("DELETE FROM arriving")
        for table, rows in zip(("thread", "thread_ref", "mail"), before, strict=True):
            await shelf.db.execute(f"DELETE FROM {table}")
            for row in rows:
                names = list(row.keys())
                marks = ", ".join(f"${n}" for n in range(1, len(names) + 1))
                sql = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"
                await shelf.db.execute(sql, *row)


async def test_a_file_that_another_thread_or_room_shares_is_known_for_that(shelf: Shelf) -> None:
    end = await shelf.begun()
    await shelf.life.shares(ROOM, {E1: [M1, M2], E2: [M1]})
    await shelf.ends.read(end, [E1, E2], [(M1, ANNE), (M2, BRUNO)])
    assert await shelf.ends.files(end.thread) == [(M1, ANNE, False), (M2, BRUNO, False)]
    await shelf.life.shares(OTHER, {E3: [M2]})
    assert await shelf.ends.files(end.thread) == [(M1, ANNE, False), (M2, BRUNO, True)]
    await shelf.life.shares_no_more([E3])
    assert await shelf.ends.files(end.thread) == [(M1, ANNE, False), (M2, BRUNO, False)]


async def test_what_was_read_of_it_comes_back_and_is_withdrawn(shelf: Shelf) -> None:
    end = await shelf.begun()
    for _ in range(2):
        await shelf.ends.read(end, [E1, E2], [(M1, ANNE)])
    await shelf.ends.withdrawn(E1)
    assert await shelf.ends.events(end.thread) == [E1, E2]
    assert await shelf.ends.events(end.thread, left=True) == [E2]
    await shelf.ends.back([E1])
    assert await shelf.ends.events(end.thread, left=True) == [E1, E2]
    await shelf.ends.at_step(end, steps.CHECKING, tries=1)
    later = await shelf.ends.get(end.thread)
    assert later is not None
    assert (later.step, later.counts) == (steps.CHECKING, {"tries": 1})
    await shelf.ends.spare(end, shelf.clock.now())
    assert await shelf.ends.get(end.thread) is None
    assert await shelf.ends.events(end.thread) == []
    assert await shelf.ends.begin_due(RULE) == 0, "somebody wrote in it"


async def test_holds_are_renewed_announced_and_forgotten(shelf: Shelf) -> None:
    first = Hold(ROOM, "k1", ANNE, "expertise", shelf.clock.now() + DAY)
    await shelf.life.hold(first)
    await shelf.life.warned(first)
    [stands] = await shelf.life.holds()
    assert stands.warned
    assert "expertise" not in repr(stands)
    renewed = replace(first, by=BRUNO, until=first.until + DAY)
    await shelf.life.hold(renewed)
    await shelf.life.release(first)
    assert await shelf.life.held(ROOM, "k1") == renewed
    assert await shelf.life.held(ROOM, "") is None
    await shelf.life.release(renewed)
    assert await shelf.life.holds() == []


async def test_rooms_are_told_once_a_lifetime_and_read_once(shelf: Shelf) -> None:
    before = await shelf.life.untold(3600)
    assert [room for room, _ in before] == [ROOM]
    assert before[0][1] > 0
    await shelf.life.told(ROOM, 3600, E1)
    assert await shelf.life.untold(3600) == []
    assert await shelf.life.unwalked() == [ROOM]
    await shelf.life.walked(ROOM)
    assert await shelf.life.unwalked() == []


async def test_nobody_of_a_shared_mailbox_is_asked_for_by_name(shelf: Shelf) -> None:
    await shelf.db.execute("UPDATE mail SET owner = ''")
    end = await shelf.begun()
    assert (BOX, UserId("")) in await shelf.ends.silent(end.thread)
    assert sorted(await shelf.seeking.waiting(), key=str) == [(BOX, UserId("")), (BOX, ANNE)]
