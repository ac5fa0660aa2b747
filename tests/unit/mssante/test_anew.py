"""A mailbox whose UIDs begin anew, under another UIDVALIDITY or the same: nothing is missed, old places say nothing."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque.errors import Temporary
from colloque.identity import EventId
from colloque.mail.access import Password
from colloque.mail.imap import Box, ImapClient
from colloque.mail.message import Party
from colloque.matrix.home import Read
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque_mssante.store.flags import FlagMarks
from colloque_mssante.store.inbox import Inbox, Taken
from colloque_mssante.store.mailboxes import Cursor, Mailboxes, Place
from colloque_mssante.store.mails import Mails, StoredMail
from colloque_mssante.store.reading import Reads
from tests.unit.mssante.test_store import ANNE, BOX, ROOM, SINCE, db  # noqa: F401
from tests.unit.mssante.test_watch import BOX as WATCHED
from tests.unit.mssante.test_watch import Mailbox, _watcher


async def begun(db: Database, clock: FrozenClock, uid: int, *taken: Taken) -> tuple[Inbox, Cursor]:  # noqa: F811
    inbox = Inbox(db, clock)
    return inbox, await inbox.store(await Mailboxes(db, clock).start(BOX, ANNE, SINCE), 7, uid, taken)


async def shown(db: Database, clock: FrozenClock, uid: int) -> None:  # noqa: F811
    """Mail `m<uid>` of that place, read."""
    mail = StoredMail(f"m{uid}", BOX, ANNE, f"<{uid}@x>", (), "Avis", Party("B", "b@x"), ROOM)
    place = Place(Cursor(BOX, ANNE, SINCE, 7, 0, ""), 7, uid)
    await Mails(db, clock).put(mail, place, f"r{uid}", [EventId(f"${uid}")])
    await Reads(db, clock).read(Read(ROOM, EventId(f"${uid}"), ANNE, ""), EventId(f"${uid}"))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (Box(1, 4, 3), [2, 3]),
        (Box(1, 900, 3), [1, 2, 3]),
        (Box(1, 1001, 3), []),
        (Box(1, 0, 3), []),
        (Box(2, 1001, 3), [1, 2, 3]),
    ],
)
async def test_uids_that_go_back_are_read_from_the_beginning(
    bridge_db: Database, tmp_path: Path, clock: FrozenClock, found: Box, expected: list[int]
) -> None:
    """The cursor stood at 1000: an operator who restores a snapshot may give less under the same UIDVALIDITY."""
    journal = Journal.open(tmp_path / "journal.jsonl", clock)
    watcher, box = await _watcher(bridge_db, tmp_path, clock, journal), Mailbox(clock, None)
    since = clock.now() - timedelta(hours=1 if found.uidnext == 4 else 99)
    cursor = await Mailboxes(bridge_db, clock).start(WATCHED, ANNE, since)
    cursor = await watcher._inbox.store(cursor, 1, 1000, ())
    cursor = await watcher._anew(found, cursor)
    for _ in range(2):  # what the server said when the session began is not asked again
        cursor, _ = await watcher._catch_up(cast("ImapClient", box), found, cursor)
    assert await Mailboxes(bridge_db, clock).get(WATCHED) == cursor
    shown = []
    while (waiting := await watcher._inbox.next(WATCHED)) is not None:
        shown.append(waiting.place.uid)
        await watcher._inbox.take_away(waiting.place)
    assert shown == expected
    assert len(box.asked) == len(set(box.asked)), "once"
    assert (cursor.uidvalidity, cursor.uid) == ((found.uidvalidity, 3) if expected else (1, 1000))
    journal.close()


async def test_a_session_begins_with_where_the_mailbox_stands(
    bridge_db: Database, tmp_path: Path, clock: FrozenClock
) -> None:
    journal = Journal.open(tmp_path / "journal.jsonl", clock)
    watcher, box = await _watcher(bridge_db, tmp_path, clock, journal), Mailbox(clock, None)

    async def answer(found: object = None, *_args: object, **_named: object) -> object:
        return found

    client = SimpleNamespace(
        examine=partial(answer, Box(1, 900, 3)), uids=box.uids, fetch=box.fetch, close=partial(answer, None)
    )
    rest: dict[str, object] = {
        "_budget": SimpleNamespace(login=nullcontext, idle=partial(answer, False)),
        "_credentials": SimpleNamespace(open=partial(answer, client)),
        "_elsewhere": SimpleNamespace(look=partial(answer, None)),
        "_imap": None,
        "_incidents": Incidents(bridge_db, clock),
        "_journal": journal,
        "_mailboxes": Mailboxes(bridge_db, clock),
    }
    for name, part in rest.items():
        setattr(watcher, name, part)
    cursor = await Mailboxes(bridge_db, clock).start(WATCHED, ANNE, clock.now() - timedelta(days=9))
    cursor = await watcher._inbox.store(cursor, 1, 1000, ())
    await watcher._session(cursor, Password("x"))
    assert box.asked == [1, 2, 3]
    journal.close()


async def test_what_waits_is_still_shown_and_gives_its_place_to_another(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    inbox, cursor = await begun(db, clock, 30, Taken(10, b"early"), Taken(29, b"late"), Taken(30, None))
    cursor = await inbox.anew(cursor, 7, 20)
    assert (cursor.uidvalidity, cursor.uid) == (7, 0)
    assert await inbox.unfetched(BOX, 7) == [], "it is not in the mailbox any more"
    await inbox.store(cursor, 7, 29, [Taken(29, b"another")])
    said = []
    while (waiting := await inbox.next(BOX)) is not None:
        said.append(waiting.raw)
        await inbox.take_away(waiting.place)
    assert said == [b"late", b"early", b"another"]


async def test_a_place_that_another_mail_has_now_is_nobodys(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    inbox, cursor = await begun(db, clock, 30)
    for uid in (10, 30):
        await shown(db, clock, uid)
    await FlagMarks(db).move(BOX, 7, 99, fresh=["m10", "m30"], lowest=0)
    await inbox.anew(cursor, 7, 20)
    reads = Reads(db, clock)
    assert [mail.id for mail in await reads.to_mark(BOX)] == ["m10"]
    assert [mail.id for mail in await reads.shown(BOX, 7, SINCE, 9)] == ["m10"]
    assert await FlagMarks(db).get(BOX, 7) == 0


async def test_a_mail_that_came_again_is_marked_where_it_stands_now(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    inbox, cursor = await begun(db, clock, 30)
    await shown(db, clock, 30)
    reads, mails = Reads(db, clock), Mails(db, clock)
    cursor = await inbox.anew(cursor, 8, 3)
    assert (await reads.to_mark(BOX), await reads.waiting()) == ([], []), "nobody knows where it is"
    await mails.stands("m30", Place(cursor, 8, 2))
    [read] = await reads.to_mark(BOX)
    assert ((read.uidvalidity, read.uid), await reads.waiting()) == ((8, 2), [(BOX, ANNE)])


async def test_who_was_overtaken_begins_nothing_anew(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    inbox, cursor = await begun(db, clock, 30)
    await inbox.store(cursor, 7, 31, [Taken(31, b"x")])
    with pytest.raises(Temporary):
        await inbox.anew(cursor, 8, 3)
    [owner] = await inbox.due()
    assert owner == (BOX, ANNE)
