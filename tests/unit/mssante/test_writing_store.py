"""Threads and drafts, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque.identity import EventId, MssanteAddress, RoomId, UserId
from colloque.mail.message import Mail, Party
from colloque.mail.parse import parse_mail
from colloque_mssante.mapping import drafts as states
from colloque_mssante.mapping.drafts import Draft, Line, Option
from colloque_mssante.mapping.store_drafts import Drafts
from colloque_mssante.mapping.targets import Target
from colloque_mssante.mapping.threads import Thread, Threads
from tests.unit.mssante.test_store import ANNE, ROOM, db  # noqa: F401

TARGET = Target(MssanteAddress("a@medecin.mssante.test"), (Party("B", "b@cabinet.mssante.test"),))
E1, E2, E3 = EventId("$1"), EventId("$2"), EventId("$3")


def a_mail(message_id: str | None, *parents: str) -> Mail:
    return replace(parse_mail(b"Subject: Avis\r\n\r\n"), message_id=message_id, references=parents)


async def placed(threads: Threads, mail: Mail, key: str, event: EventId, room: RoomId = ROOM) -> Thread:
    thread = await threads.place(mail, key, room)
    await threads.note(thread, mail.message_id, mail.references, event)
    return thread


async def test_mails_that_name_each_other_are_one_thread(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    threads = Threads(db, clock)
    first = await placed(threads, a_mail("<1@x>"), "k1", E1)
    assert (first.number, first.root) == (1, None)
    second = await placed(threads, a_mail("<2@x>", "<1@x>"), "k2", E2)
    assert (second.id, second.root) == ("k1", E1)
    other = await placed(threads, a_mail("<3@x>"), "k3", E3)
    assert other.number == 2
    assert await threads.of_root(E1) is not None


async def test_placing_again_changes_nothing(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    threads = Threads(db, clock)
    for _ in range(3):
        thread = await threads.place(a_mail("<1@x>", "<0@x>"), "k1", ROOM)
        assert (thread.id, thread.number, thread.root) == ("k1", 1, None)


async def test_a_mail_overtaken_by_its_answer_joins_it(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    threads = Threads(db, clock)
    await placed(threads, a_mail("<2@x>", "<1@x>"), "k2", E2)
    assert (await placed(threads, a_mail("<1@x>"), "k1", E1)).id == "k2"


async def test_a_message_id_used_twice_joins_nothing(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    threads = Threads(db, clock)
    await placed(threads, a_mail("<1@x>"), "k1", E1)
    assert (await placed(threads, a_mail("<1@x>"), "k2", E2)).id == "k2"
    assert (await placed(threads, a_mail(None), "k3", E3)).id == "k3"


async def test_threads_of_other_rooms_are_others(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    threads = Threads(db, clock)
    await placed(threads, a_mail("<1@x>"), "k1", E1)
    elsewhere = await placed(threads, a_mail("<2@x>", "<1@x>"), "k2", E2, RoomId("!other"))
    assert (elsewhere.id, elsewhere.number) == ("k2", 1)


async def test_recent_threads_come_latest_first(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    threads = Threads(db, clock)
    for rank in (1, 2, 3):
        await placed(threads, a_mail(f"<{rank}@x>"), f"k{rank}", EventId(f"${rank}"))
        clock.advance(days=1)
    found = await threads.recent(ROOM, clock.now() - timedelta(days=2, hours=1), 5)
    assert [t.number for t in found] == [3, 2]


def a_draft(clock: FrozenClock, key: str = "$1", state: str = states.WAITING, target: Target | None = TARGET) -> Draft:
    return Draft(key, ROOM, UserId(ANNE), state, target, next_at=clock.now() + timedelta(minutes=1))


async def test_a_draft_gathers_and_forgets_its_words_when_it_left(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    drafts = Drafts(db, clock)
    draft = a_draft(clock)
    for _ in range(2):
        await drafts.begin(draft, Line(E1, "un"))
    assert await drafts.due() == []
    later = clock.now() + timedelta(minutes=2)
    await drafts.add(draft, Line(E2, "", {"file": {}, "name": "x"}), state=states.WAITING, next_at=later)
    assert [(line.event, line.words, line.file) for line in await drafts.lines(draft.id)] == [
        (E1, "un", None),
        (E2, "", {"file": {}, "name": "x"}),
    ]
    assert await drafts.next_time() == later
    clock.advance(minutes=3)
    [due] = await drafts.due()
    await drafts.end(due, states.GONE)
    assert [(line.words, line.file) for line in await drafts.lines(draft.id)] == [("", None), ("", None)]
    kept = await drafts.of_line(E2)
    assert kept is not None
    assert (kept.state, kept.target, kept.subject) == (states.GONE, None, "")
    assert not await drafts.is_one_text(kept)


async def test_how_much_a_mail_had_is_known_after_it_left(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    drafts = Drafts(db, clock)
    for key, file, whole in (("$1", None, True), ("$2", {"file": {}, "name": "x"}, False)):
        draft = a_draft(clock, key)
        await drafts.begin(draft, Line(EventId(key), "un", file))
        for _ in range(2):
            await drafts.end(draft, states.GONE)
        assert await drafts.is_one_text(draft) == whole


async def test_what_ended_does_not_come_back(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    drafts = Drafts(db, clock)
    draft = a_draft(clock)
    await drafts.begin(draft, Line(E1, "un"))
    await drafts.end(draft, states.CANCELLED)
    await drafts.change(draft, state=states.WAITING, next_at=clock.now())
    assert await drafts.due() == []
    assert await drafts.live(ROOM, ANNE) == []


async def test_second_thoughts_change_what_leaves(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    drafts = Drafts(db, clock)
    draft = a_draft(clock)
    await drafts.begin(draft, Line(E1, "un"))
    await drafts.add(draft, Line(E2, "deux"), state=states.WAITING, next_at=draft.next_at)
    await drafts.reword(Line(E1, "UN"))
    await drafts.strike(E2)
    assert [line.words for line in await drafts.lines(draft.id)] == ["UN"]
    await drafts.strike(E1)
    ended = await drafts.get(draft.id)
    assert ended is not None
    assert ended.state == states.CANCELLED


async def test_a_notice_is_shown_again_after_each_change(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    drafts = Drafts(db, clock)
    draft = a_draft(clock, state=states.ASKING, target=None)
    await drafts.begin(replace(draft, options=(Option("a", TARGET), Option("b", join="$9"))), Line(E1, "un"))
    [untold] = await drafts.untold()
    assert untold.options == (Option("a", TARGET), Option("b", join="$9"))
    await drafts.told(untold, EventId("$notice"))
    assert await drafts.untold() == []
    await drafts.change(draft, state=states.WAITING, target=TARGET, options=())
    [again] = await drafts.untold()
    assert (again.notice, again.target, again.options) == ("$notice", TARGET, ())
    assert await drafts.of_notice(EventId("$notice")) == again


async def test_messages_join_another_draft(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    drafts = Drafts(db, clock)
    first, second = a_draft(clock), a_draft(clock, "$2", states.ASKING, None)
    await drafts.begin(first, Line(E1, "un"))
    await drafts.begin(second, Line(E2, "deux"))
    await drafts.merge(second, first, next_at=clock.now())
    assert [line.words for line in await drafts.lines(first.id)] == ["un", "deux"]
    assert [d.id for d in await drafts.live(ROOM, ANNE)] == [first.id]


async def test_a_number_that_chose_is_never_part_of_the_mail(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    drafts = Drafts(db, clock)
    draft = a_draft(clock, state=states.ASKING, target=None)
    await drafts.begin(draft, Line(E1, "un"))
    async with drafts.answered(draft, E2):
        await drafts.change(draft, state=states.WAITING, target=TARGET, options=())
    assert await drafts.knows(E2)
    assert await drafts.of_line(E2) is None
    assert [line.words for line in await drafts.lines(draft.id)] == ["un"]
    await drafts.strike(E2)
    kept = await drafts.get(draft.id)
    assert kept is not None
    assert kept.state == states.WAITING
