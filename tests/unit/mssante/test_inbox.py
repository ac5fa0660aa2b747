"""What stands between a mailbox and its rooms, the same on SQLite and PostgreSQL: nothing is in neither, or in both."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque.errors import Temporary
from colloque_mssante.store import inbox as store_inbox
from colloque_mssante.store.choices import OFF, PAUSED, Choices
from colloque_mssante.store.inbox import Inbox, Taken, give_back
from colloque_mssante.store.mailboxes import Cursor, Mailboxes, Place
from tests.unit.mssante.test_store import ANNE, BOX, BRUNO, SINCE, db  # noqa: F401


async def _fetched(db: Database, clock: FrozenClock, *uids: int) -> tuple[Inbox, Cursor]:  # noqa: F811
    inbox = Inbox(db, clock)
    cursor = await Mailboxes(db, clock).start(BOX, ANNE, SINCE)
    return inbox, await inbox.store(cursor, 7, max(uids), [Taken(uid, b"mail %d" % uid) for uid in uids])


async def _uids(inbox: Inbox) -> list[int]:
    """What waits, taken away on the way."""
    found = []
    while (waiting := await inbox.next(BOX)) is not None:
        found.append(waiting.place.uid)
        await inbox.take_away(waiting.place)
    return found


async def test_mails_and_cursor_go_together(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    inbox, cursor = await _fetched(db, clock, 3, 5)
    assert cursor == await Mailboxes(db, clock).get(BOX)
    assert (cursor.uidvalidity, cursor.uid) == (7, 5)
    assert await inbox.due() == [(BOX, ANNE)]
    first = await inbox.next(BOX)
    assert first is not None
    assert (first.place, first.raw, first.tries) == (Place(cursor, 7, 3), b"mail 3", 0)
    assert await _uids(inbox) == [3, 5]
    assert await inbox.due() == []


@pytest.mark.parametrize(
    "stale", [{"uid": 4}, {"uidvalidity": 6}, {"uidvalidity": None}, {"owner": BRUNO}, {"opened": 1}]
)
async def test_who_was_overtaken_stores_nothing(
    db: Database,  # noqa: F811
    clock: FrozenClock,
    stale: dict[str, object],
) -> None:
    inbox, cursor = await _fetched(db, clock, 5)
    with pytest.raises(Temporary):
        await inbox.store(replace(cursor, **stale), 7, 9, [Taken(9, b"x")])  # type: ignore[arg-type]
    assert await _uids(inbox) == [5]
    assert await Mailboxes(db, clock).get(BOX) == cursor


async def test_a_mailbox_that_is_paused_keeps_nothing_here_and_goes_on_later(
    db: Database,  # noqa: F811
    clock: FrozenClock,
) -> None:
    inbox, cursor = await _fetched(db, clock, 3, 5)
    await inbox.take_away(Place(cursor, 7, 3))
    choices = Choices(db, clock)
    await choices.close(ANNE, PAUSED)
    assert await _uids(inbox) == []
    with pytest.raises(Temporary):
        await inbox.store(cursor, 7, 6, [Taken(6, b"x")])
    with pytest.raises(Temporary):
        await inbox.store(replace(cursor, uid=4), 7, 6, [Taken(6, b"x")])
    await choices.open(ANNE, None)
    resumed = await Mailboxes(db, clock).get(BOX)
    assert resumed is not None
    assert (resumed.uidvalidity, resumed.uid) == (7, 4)


async def test_a_mailbox_that_is_off_keeps_nothing(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    inbox, _ = await _fetched(db, clock, 3)
    await Choices(db, clock).close(ANNE, OFF)
    assert await inbox.due() == []


async def test_another_owner_begins_anew_and_sees_nothing_of_before(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    inbox, _ = await _fetched(db, clock, 3)
    later = SINCE + timedelta(days=9)
    assert await Mailboxes(db, clock).start(BOX, BRUNO, later) == Cursor(BOX, BRUNO, later, None, 0, "")
    assert await inbox.due() == []


async def test_what_is_given_back_is_fetched_again(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    inbox, cursor = await _fetched(db, clock, 3, 5)
    await inbox.store(cursor, 8, 2, [Taken(2, b"new")])  # the mailbox began anew meanwhile
    await give_back(db, BOX)
    again = await Mailboxes(db, clock).get(BOX)
    assert again is not None
    assert (again.uidvalidity, again.uid) == (8, 1)
    assert await inbox.due() == []
    await give_back(db, BOX)
    assert await Mailboxes(db, clock).get(BOX) == again


async def test_those_of_before_the_mailbox_began_anew_come_first(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    inbox, cursor = await _fetched(db, clock, 30)
    await inbox.store(cursor, 8, 2, [Taken(1, b"a"), Taken(2, b"b")])
    assert await _uids(inbox) == [30, 1, 2]


async def test_a_mail_that_fails_rests_and_lets_others_pass(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    inbox, cursor = await _fetched(db, clock, 3, 5)
    place = Place(cursor, 7, 3)
    assert await inbox.failed(place, clock.now() + timedelta(seconds=30)) == 1
    assert await _uids(inbox) == [5]
    assert await inbox.due() == []
    clock.advance(seconds=31)
    assert await inbox.failed(place, clock.now()) == 2
    assert await _uids(inbox) == [3]
    assert await inbox.failed(place, clock.now()) == 0


async def test_what_could_not_be_fetched_is_not_shown_before_it_is(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    inbox, cursor = await _fetched(db, clock, 3)
    cursor = await inbox.store(cursor, 7, 4, [Taken(4, None)])
    assert await inbox.unfetched(BOX, 7) == [4]
    assert await inbox.unfetched(BOX, 8) == []
    assert await _uids(inbox) == [3]
    await inbox.fetched(Place(cursor, 7, 4), b"at last")
    assert await inbox.unfetched(BOX, 7) == []
    assert await _uids(inbox) == [4]


async def test_a_mailbox_has_so_much_room(
    db: Database,  # noqa: F811
    clock: FrozenClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inbox, cursor = await _fetched(db, clock, 3, 4)
    assert not await inbox.full(BOX)
    monkeypatch.setattr(store_inbox, "ROOM_MAILS", 2)
    assert await inbox.full(BOX)
    monkeypatch.setattr(store_inbox, "ROOM_MAILS", 3)
    monkeypatch.setattr(store_inbox, "ROOM_BYTES", 12)
    assert await inbox.full(BOX)
    await inbox.take_away(Place(cursor, 7, 3))
    assert not await inbox.full(BOX)
