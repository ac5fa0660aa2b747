"""Who is shown a mail, and once: a mailbox that passes to somebody else, and one that gives a mail again."""

from __future__ import annotations

from pathlib import Path

import pytest
from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque.errors import HomeUnavailable
from colloque.identity import EventId, RoomId
from colloque.mail.parse import parse_mail
from colloque.matrix.home import Read
from colloque_mssante.mapping import mapping
from colloque_mssante.rules.teams import SHARED
from tests.unit.mssante.inbound_desk import Desk, a_mail
from tests.unit.mssante.test_store import ANNE, BOX, BRUNO, SINCE, db  # noqa: F401

RAW = a_mail("1")
WHO = "address:b@cabinet.mssante.test"


@pytest.fixture
def desk(db: Database, clock: FrozenClock, tmp_path: Path) -> Desk:  # noqa: F811
    return Desk(db, clock, tmp_path)


async def test_each_holder_of_a_mailbox_is_shown_its_mails_once(desk: Desk) -> None:
    """Somebody else's, a team's, or the same person's under a new account."""
    for owner in (ANNE, BRUNO, SHARED, ANNE):
        for uid in (1, 2):
            await desk.deliver(owner, uid, RAW)
            assert await desk.inbox.due() == []
    assert desk.home.rooms() == [f"!{ANNE} {WHO}", f"!{BRUNO} {WHO}", f"!{BOX} {WHO}"]
    for number, owner in enumerate((ANNE, BRUNO, SHARED), 1):
        mail = await desk.mails.shown_by(EventId(f"${number}"))
        assert mail is not None
        assert (mail.owner, mail.room) == (owner, desk.home.stood[number - 1][0])
        thread = await desk.threads.get(mail.thread)
        assert thread is not None
        assert (thread.room, thread.root) == (mail.room, f"${number}")


async def test_a_mail_that_one_was_being_shown_is_the_others_own(desk: Desk) -> None:
    desk.home.losing = 0
    with pytest.raises(HomeUnavailable):
        await desk.deliver(ANNE, 1, RAW)
    desk.home.losing = None
    await desk.deliver(BRUNO, 1, RAW)
    assert desk.home.rooms() == [f"!{ANNE} {WHO}", f"!{BRUNO} {WHO}"]
    mail = await desk.mails.shown_by(EventId("$2"))
    assert mail is not None
    thread = await desk.threads.get(mail.thread)
    assert thread is not None
    assert thread.room == mail.room


async def test_who_had_a_mailbox_before_acts_and_learns_no_more(desk: Desk) -> None:
    await desk.deliver(ANNE, 1, RAW)
    await desk.deliver(BRUNO, 1, RAW)
    hers, his = (RoomId(f"!{owner} {WHO}") for owner in (ANNE, BRUNO))
    await desk.reads.read(Read(hers, EventId("$1"), ANNE, ""), EventId("$1"))
    assert (await desk.reads.waiting(), await desk.reads.to_mark(BOX)) == ([], [])
    assert [mail.event for mail in await desk.reads.shown(BOX, 7, SINCE, 9)] == ["$2"]
    await desk.reads.read(Read(his, EventId("$2"), BRUNO, ""), EventId("$2"))
    assert await desk.reads.waiting() == [(BOX, BRUNO)]
    assert [mail.owner for mail in await desk.reads.to_mark(BOX)] == [BRUNO]


@pytest.mark.parametrize("begun", [True, False])
async def test_what_a_release_before_showed_or_began_is_known(desk: Desk, begun: bool) -> None:
    place = await desk.came(ANNE, 1, RAW)
    digest = parse_mail(RAW).digest
    key = mapping.mail_key(BOX.value, digest)
    if begun:
        await desk.mails.begin(key, RoomId(f"!{ANNE} {WHO}"))
        await desk.inbound.deliver(place, RAW)
        assert desk.home.stood[0][1] == mapping.txn(BOX.value, digest, 0)
    else:
        await desk.inbound.deliver(place, RAW)
        await desk.db.execute("UPDATE mail SET id = $1", key)
    await desk.deliver(ANNE, 2, RAW)
    assert len(desk.home.stood) == 1


async def test_a_mail_that_comes_again_stands_where_it_came(desk: Desk) -> None:
    await desk.deliver(ANNE, 30, RAW)
    room = RoomId(f"!{ANNE} {WHO}")
    await desk.reads.read(Read(room, EventId("$1"), ANNE, ""), EventId("$1"))
    await desk.deliver(ANNE, 2, RAW, validity=8)
    [read] = await desk.reads.to_mark(BOX)
    assert (read.uidvalidity, read.uid, len(desk.home.stood)) == (8, 2, 1)
