"""A mail that stands in the room already is linked to what was written there, and only such a one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque.identity import EventId, MssanteAddress, RoomId, UserId
from colloque.mail.parse import parse_mail
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque_mssante.arriving.twins import Twins
from colloque_mssante.mapping.drafts import Line
from colloque_mssante.mapping.mapping import Written
from colloque_mssante.mapping.store_talk import Sayings
from colloque_mssante.people.ghosts import Correspondent
from colloque_mssante.store.inbox import Inbox, Taken
from colloque_mssante.store.mailboxes import Cursor, Place
from colloque_mssante.store.mails import Mails
from colloque_mssante.store.outbox import Outbox
from colloque_mssante.store.reading import Reads
from tests.unit.mssante.test_store import ANNE, BOX, BRUNO, ROOM, SINCE, a_send, db  # noqa: F401

THEIRS = MssanteAddress("b@cabinet.mssante.test")
EVENT = EventId("$event")
WHO = Correspondent("rpps:1", "Dr A · MSSanté", verified=True, label="Dr A")


def mail(sender: str = BOX.value, message_id: str = "<event@medecin.mssante.test>") -> bytes:
    return f"Message-ID: {message_id}\r\nFrom: {sender}\r\nTo: {THEIRS}\r\nSubject: x\r\n\r\nmot\r\n".encode()


@pytest.mark.parametrize("seen", [True, False])
async def test_it_is_linked_and_read_if_it_was(db: Database, tmp_path: Path, clock: FrozenClock, *, seen: bool) -> None:  # noqa: F811
    twins, place = await bench(db, tmp_path, clock)
    if seen:
        sayings = Sayings(db, clock)
        await sayings.put(ROOM, ANNE, Written(Line(EVENT, "mot")))
        await sayings.see(ROOM, BRUNO, "", EVENT)
    assert await twins.took(place, parse_mail(mail()), WHO, ROOM, "key")
    shown = await Mails(db, clock).shown_by(EVENT)
    assert shown is not None
    assert (shown.owner, shown.mailbox, shown.thread) == (BRUNO, THEIRS, "t1")
    assert bool(await Reads(db, clock).waiting()) is seen
    assert await Inbox(db, clock).next(THEIRS) is None


@pytest.mark.parametrize(
    "case",
    [
        (mail(sender="c@cabinet.mssante.test"), ROOM, BRUNO),
        (mail(message_id="<other@medecin.mssante.test>"), ROOM, BRUNO),
        (mail(), RoomId("!other"), BRUNO),
        (mail(), ROOM, ANNE),
    ],
)
async def test_anything_else_is_shown(
    db: Database,  # noqa: F811
    tmp_path: Path,
    clock: FrozenClock,
    case: tuple[bytes, RoomId, UserId],
) -> None:
    """From somebody else under a copied Message-ID; unknown; written in another room; to a mailbox of the writer's."""
    raw, room, owner = case
    twins, place = await bench(db, tmp_path, clock)
    place = replace(place, box=replace(place.box, owner=owner))
    assert not await twins.took(place, parse_mail(raw), WHO, room, "key")
    assert await Mails(db, clock).shown_by(EVENT) is None


async def bench(db: Database, folder: Path, clock: FrozenClock) -> tuple[Twins, Place]:  # noqa: F811
    await Outbox(db, clock).put(a_send(clock, thread="t1"))
    cursor = Cursor(THEIRS, BRUNO, SINCE, None, 0, "")
    await db.execute("INSERT INTO mailbox (address, owner, since) VALUES ($1, $2, 0)", THEIRS.value, BRUNO)
    moved = await Inbox(db, clock).store(cursor, 1, 5, [Taken(5, mail())])
    twins = Twins(
        db=db,
        inbox=Inbox(db, clock),
        mails=Mails(db, clock),
        outbox=Outbox(db, clock),
        sayings=Sayings(db, clock),
        reads=Reads(db, clock),
        keys=RoomKeys(db),
        journal=Journal.open(folder / "journal.jsonl", clock),
    )
    return twins, Place(moved, 1, 5)
