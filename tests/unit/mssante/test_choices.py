"""Mailboxes that their owners paused, disconnected, or have read again: the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import timedelta

import pytest
from mautrix.util.async_db import Database

from colloque.clock import FrozenClock, start_of_day_in_paris
from colloque.errors import Temporary
from colloque.identity import MssanteAddress
from colloque_mssante.rules.teams import SHARED
from colloque_mssante.store.choices import OFF, PAUSED, Choices
from colloque_mssante.store.inbox import Inbox
from colloque_mssante.store.mailboxes import Mailboxes
from tests.unit.mssante.test_store import ANNE, BOX, BRUNO, SINCE, db  # noqa: F401

OTHER = MssanteAddress("service@medecin.mssante.test")


async def chosen(db: Database, clock: FrozenClock) -> Choices:  # noqa: F811
    choices = Choices(db, clock)
    await choices.load()
    return choices


async def test_a_pause_goes_on_where_it_stopped(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    boxes, choices = Mailboxes(db, clock), await chosen(db, clock)
    before = await boxes.start(BOX, ANNE, SINCE)
    await Inbox(db, clock).store(before, 7, 12, [])
    assert choices.closed(BOX, ANNE) == ""
    [paused] = await choices.close(ANNE, PAUSED)
    assert (paused.closed, paused.at) == (PAUSED, clock.now())
    assert choices.closed(BOX, ANNE) == (await chosen(db, clock)).closed(BOX, ANNE) == PAUSED
    assert choices.closed(BOX, BRUNO) == ""
    [again] = await choices.open(ANNE, None)
    assert (again.closed, again.since, again.opened) == ("", SINCE, 1)
    after = await boxes.start(BOX, ANNE, SINCE)
    assert (after.uidvalidity, after.uid) == (7, 12)
    with pytest.raises(Temporary):
        await Inbox(db, clock).store(before, 7, 99, [])
    assert await boxes.start(BOX, ANNE, SINCE) == after


async def test_who_was_off_begins_today_and_older_mails_come_on_request(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    boxes, choices = Mailboxes(db, clock), await chosen(db, clock)
    await Inbox(db, clock).store(await boxes.start(BOX, ANNE, SINCE), 7, 12, [])
    await choices.close(ANNE, OFF)
    clock.advance(days=3)
    [opened] = await choices.open(ANNE, None)
    assert opened.since == start_of_day_in_paris(clock.now())
    cursor = await boxes.start(BOX, ANNE, SINCE)
    assert (cursor.uidvalidity, cursor.uid, cursor.since) == (None, 0, opened.since)
    await Inbox(db, clock).store(cursor, 7, 20, [])
    older = SINCE - timedelta(days=30)
    [opened] = await choices.open(ANNE, older)
    cursor = await boxes.start(BOX, ANNE, SINCE)
    assert (cursor.uid, cursor.since, cursor.opened) == (0, older, 2)


async def test_what_one_owner_chose_binds_no_other(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    boxes, choices = Mailboxes(db, clock), await chosen(db, clock)
    await boxes.start(BOX, ANNE, SINCE)
    await choices.open(ANNE, None)
    await choices.close(ANNE, OFF)
    later = SINCE + timedelta(days=9)
    cursor = await boxes.start(BOX, BRUNO, later)
    await Inbox(db, clock).store(cursor, 7, 3, [])
    assert (await boxes.start(BOX, BRUNO, later)).uid == 3
    assert [choice.closed for choice in await choices.of(BRUNO)] == [""]
    assert await choices.close(ANNE, PAUSED) == []


async def test_what_is_read_for_nobody_takes_no_persons_place(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    """Our services' own mailbox, where it was somebody's before."""
    boxes, choices = Mailboxes(db, clock), await chosen(db, clock)
    await Inbox(db, clock).store(await boxes.start(BOX, ANNE, SINCE), 7, 12, [])
    await choices.close(ANNE, OFF)
    theirs = await boxes.get(BOX)
    assert await boxes.start(BOX, SHARED, SINCE, instead=False) == theirs
    assert (await chosen(db, clock)).closed(BOX, ANNE) == OFF
    assert (await boxes.start(OTHER, SHARED, SINCE, instead=False)).owner == SHARED
