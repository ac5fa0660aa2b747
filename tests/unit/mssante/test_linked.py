"""Whoever taps or answers a mail may be faster than the bridge's note of what shows it: on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio

import pytest
from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque.identity import EventId, RoomId
from colloque.mail.message import Party
from colloque_mssante.store import mails as module
from colloque_mssante.store.mailboxes import Cursor, Place
from colloque_mssante.store.mails import Mails, StoredMail
from tests.unit.mssante.test_store import ANNE, BOX, ROOM, SINCE, db  # noqa: F401

MAIL = EventId("$mail")


@pytest.fixture
async def mails(db: Database, clock: FrozenClock) -> Mails:  # noqa: F811
    made = Mails(db, clock)
    await made.begin("k", ROOM)
    return made


async def _is_put(mails: Mails) -> None:
    stored = StoredMail("k", BOX, ANNE, "<1@x>", (), "Avis", Party("", "b@x"), ROOM)
    await mails.put(stored, Place(Cursor(BOX, ANNE, SINCE, 1, 0, ""), 1, 1), "00000000000000000001", [MAIL])


async def test_it_is_waited_for_while_a_mail_is_being_shown_there(mails: Mails) -> None:
    waits = asyncio.create_task(mails.linked(ROOM, MAIL))
    done, _ = await asyncio.wait([waits], timeout=0.3)
    assert not done
    await _is_put(mails)
    await waits
    assert await mails.shown_by(MAIL) is not None


async def test_what_is_known_and_what_stands_where_nothing_arrives_waits_for_nobody(mails: Mails) -> None:
    await mails.linked(RoomId("!elsewhere"), MAIL)
    await _is_put(mails)
    await mails.begin("another", ROOM)
    await mails.linked(ROOM, MAIL)
    await mails.abandon("another")
    await mails.linked(ROOM, EventId("$said"))


async def test_a_mail_that_a_crash_left_half_shown_keeps_nobody_for_ever(
    mails: Mails, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SHOWING_S", 0.2)
    await mails.linked(ROOM, MAIL)
