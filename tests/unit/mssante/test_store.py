"""Cursors, mails and the outbox, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque.identity import EventId, MssanteAddress, RoomId, UserId
from colloque.mail.message import Party, Report
from colloque.store.schema import new_upgrades, open_database
from colloque_mssante.rules.sends import Send
from colloque_mssante.store.mailboxes import Cursor, Mailboxes, Place
from colloque_mssante.store.mails import Mails, StoredMail, Uploads
from colloque_mssante.store.outbox import Outbox
from colloque_mssante.store.tables import register_upgrades
from colloque_mssante.store.untold import Untold
from tests.servers.postgres import PostgresServer, postgres_server  # noqa: F401

BOX = MssanteAddress("a@medecin.mssante.test")
ANNE, BRUNO = UserId("@anne:h.test"), UserId("@bruno:h.test")
ROOM = RoomId("!room")
SINCE = datetime(2026, 3, 1, 23, 0, tzinfo=UTC)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def db(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    url = f"sqlite:{tmp_path}/b.db"
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        url = await server.new_database()
    upgrades = new_upgrades()
    register_upgrades(upgrades)
    opened = await open_database(url, upgrades, "colloque_mssante")
    yield opened
    await opened.stop()


def a_send(clock: FrozenClock, key: str = "$event", **changes: object) -> Send:
    now = clock.now()
    send = Send(
        key=key,
        caller="room",
        sender=BOX,
        recipients=("b@cabinet.mssante.test",),
        owner=ANNE,
        room=ROOM,
        event=EventId(key),
        message_id=f"<{key[1:]}@medecin.mssante.test>",
        envid=f"e{key[1:]}",
        ref=f"{key[1:].encode().hex():0>20}"[:20],
        raw=b"mail",
        state="queued",
        status="",
        tries=0,
        next_at=now,
        made_at=now,
        told="",
    )
    return replace(send, **changes)  # type: ignore[arg-type]


async def found(outbox: Outbox, key: str) -> Send:
    send = await outbox.get(key)
    assert send is not None
    return send


# mailboxes


async def test_a_cursor_is_made_once(db: Database, clock: FrozenClock) -> None:
    boxes = Mailboxes(db, clock)
    cursor = await boxes.start(BOX, ANNE, SINCE)
    assert cursor == Cursor(BOX, ANNE, SINCE, None, 0, "")
    assert await boxes.start(BOX, ANNE, SINCE + timedelta(days=9)) == cursor


async def test_how_reading_goes_is_kept_since_it_does(db: Database, clock: FrozenClock) -> None:
    boxes = Mailboxes(db, clock)
    await boxes.start(BOX, ANNE, SINCE)
    assert await boxes.states() == {}
    began = clock.now()
    await boxes.note_state(BOX, "waiting")
    clock.advance(seconds=61)
    await boxes.note_state(BOX, "waiting")
    assert await boxes.unreachable(began)
    assert not await boxes.unreachable(began - timedelta(seconds=1))
    await boxes.note_state(BOX, "ok", only_from="unscanned")
    assert await boxes.states() == {BOX: "waiting"}
    await boxes.note_state(BOX, "ok")
    assert not await boxes.unreachable(clock.now())


async def test_a_refusal_is_news_once_and_so_is_its_end(db: Database, clock: FrozenClock) -> None:
    boxes = Mailboxes(db, clock)
    await boxes.start(BOX, ANNE, SINCE)
    assert [await boxes.refuse(BOX, code) for code in ("f1", "f1", "f2", "", "")] == [True, False, True, True, False]


# mails


async def test_a_mail_is_found_by_the_events_that_show_it(db: Database, clock: FrozenClock) -> None:
    mails = Mails(db, clock)
    mail = StoredMail("k", BOX, ANNE, "<m@x.test>", ("<r@x.test>",), "Avis", Party("B", "b@x.test"), ROOM, who="rpps:1")
    place = Place(Cursor(BOX, ANNE, SINCE, 7, 0, ""), 7, 1)
    assert not await mails.seen("k", ANNE)
    for _ in range(2):
        await mails.put(mail, place, "ref1", [EventId("$one"), EventId("$two")])
    assert await mails.seen("k", ANNE)
    assert await mails.shown_by(EventId("$two")) == mail
    assert await mails.shown_by(EventId("$other")) is None
    assert await mails.event_of(BOX, "<m@x.test>", ROOM) == "$one"
    assert await mails.event_of(BOX, "<m@x.test>", RoomId("!other")) is None
    assert await mails.delivered("ref1")
    assert not await mails.delivered("ref2")


async def test_an_upload_keeps_its_first_address_until_it_is_forgotten(db: Database) -> None:
    uploads = Uploads(db)
    await uploads.begin("t", "mxc://h/1", {"k": 1})
    assert await uploads.get("t") == ("mxc://h/1", {"k": 1}, False)
    await uploads.done("t")
    assert await uploads.get("t") == ("mxc://h/1", {"k": 1}, True)
    await uploads.forget(["t"])
    assert await uploads.get("t") is None


# outbox


async def test_a_key_is_queued_once(db: Database, clock: FrozenClock) -> None:
    outbox = Outbox(db, clock)
    first = await outbox.put(a_send(clock))
    second = await outbox.put(a_send(clock, raw=b"another", message_id="<other@x.test>", envid="other"))
    assert first == second == a_send(clock)
    assert await outbox.due(BOX) == [first]


async def test_a_deferred_mail_is_due_later(db: Database, clock: FrozenClock) -> None:
    outbox = Outbox(db, clock)
    await outbox.put(a_send(clock))
    await outbox.move(await found(outbox, "$event"), "deferred", next_at=clock.now() + timedelta(minutes=1))
    assert await outbox.due(BOX) == []
    assert await outbox.next_time() == clock.now() + timedelta(minutes=1)
    clock.advance(minutes=1)
    [again] = await outbox.due(BOX)
    assert (again.state, again.tries) == ("deferred", 1)


async def test_what_left_keeps_no_text(db: Database, clock: FrozenClock) -> None:
    outbox = Outbox(db, clock)
    await outbox.put(a_send(clock))
    await outbox.leaving(await found(outbox, "$event"))
    assert [s.key for s in await outbox.interrupted()] == ["$event"]
    assert await outbox.to_file(BOX) == []
    await outbox.move(await found(outbox, "$event"), "sent")
    assert await outbox.interrupted() == []
    [waiting] = await outbox.to_file(BOX)
    assert (waiting.raw, waiting.state) == (b"mail", "sent"), "its copy is to be filed in the mailbox first"
    assert await outbox.unfiled() == [(waiting.sender, waiting.owner)]
    assert await outbox.unfilable(clock.now()) == 0
    await outbox.filed("$event")
    kept = await outbox.get("$event")
    assert kept is not None
    assert (kept.raw, kept.state) == (None, "sent")
    assert await outbox.to_file(BOX) == []


async def test_a_copy_that_could_not_be_filed_for_long_is_given_up(db: Database, clock: FrozenClock) -> None:
    outbox = Outbox(db, clock)
    await outbox.put(a_send(clock))
    await outbox.move(await found(outbox, "$event"), "sent")
    clock.advance(days=1)
    assert (await outbox.unfilable(clock.now()), await outbox.unfilable(clock.now())) == (1, 0)
    assert (await outbox.unfiled(), await outbox.to_file(BOX)) == ([], [])


async def test_a_code_is_not_filed(db: Database, clock: FrozenClock) -> None:
    outbox = Outbox(db, clock)
    await outbox.put(a_send(clock, caller="annuaire"))
    await outbox.move(await found(outbox, "$event"), "sent")
    kept = await outbox.get("$event")
    assert kept is not None
    assert kept.raw is None
    assert await outbox.to_file(BOX) == []


def a_report(kind: str, **changes: object) -> Report:
    report = Report(kind, "eevent", None, "b@cabinet.mssante.test", "5.1.1")  # type: ignore[arg-type]
    return replace(report, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kinds", "state"),
    [
        (["delivered"], "delivered"),
        (["failed"], "failed"),
        (["delayed"], "sent"),
        (["relayed"], "sent"),
        (["delivered", "read"], "read"),
        (["read", "delivered"], "read"),
        (["delivered", "delayed"], "delivered"),
        (["error"], "failed"),
    ],
)
async def test_a_report_settles_a_doubt(db: Database, clock: FrozenClock, kinds: list[str], state: str) -> None:
    outbox = Outbox(db, clock)
    await outbox.put(a_send(clock))
    await outbox.move(await found(outbox, "$event"), "doubtful", next_at=clock.now() + timedelta(minutes=15))
    for kind in kinds:
        assert await outbox.report(a_report(kind), BOX) is not None
    kept = await outbox.get("$event")
    assert kept is not None
    assert kept.state == state
    await outbox.move(await found(outbox, "$event"), "deferred")  # what the sender believed comes too late
    kept = await outbox.get("$event")
    assert kept is not None
    assert kept.state == state


async def test_a_report_is_believed_from_the_senders_mailbox_alone(db: Database, clock: FrozenClock) -> None:
    outbox = Outbox(db, clock)
    await outbox.put(a_send(clock))
    assert await outbox.report(a_report("failed"), MssanteAddress("c@medecin.mssante.test")) is None
    assert await outbox.report(a_report("failed", envid="unknown"), BOX) is None
    by_id = a_report("failed", envid=None, original_message_id="<event@medecin.mssante.test>")
    assert await outbox.report(by_id, BOX) is not None


async def test_sending_again_is_asked_once_and_only_where_it_makes_sense(db: Database, clock: FrozenClock) -> None:
    outbox = Outbox(db, clock)
    await outbox.put(a_send(clock))
    assert not await outbox.again("$event", asked_by=EventId("$ask"))
    await outbox.move(await found(outbox, "$event"), "doubtful")
    assert await outbox.again("$event", asked_by=EventId("$ask"))
    await outbox.move(await found(outbox, "$event"), "doubtful")
    assert await outbox.again("$event", asked_by=EventId("$ask"))  # heard once more after a crash
    kept = await outbox.get("$event")
    assert kept is not None
    assert kept.state == "doubtful"
    assert await outbox.again("$event", asked_by=EventId("$ask2"))
    assert [s.state for s in await outbox.due(BOX)] == ["queued"]


async def test_each_state_is_told_once(db: Database, clock: FrozenClock) -> None:
    outbox = Outbox(db, clock)
    await outbox.put(a_send(clock))
    assert await Untold(db, clock).to_tell() == []
    await outbox.move(await found(outbox, "$event"), "sent")
    [one] = await Untold(db, clock).to_tell()
    await Untold(db, clock).told(one.key, "sent", EventId("$mark"))
    assert await Untold(db, clock).to_tell() == []
    told = await outbox.of_event(EventId("$mark"))
    assert told is not None
    assert told.key == "$event"
    await outbox.report(a_report("delivered"), BOX)
    assert [s.state for s in await Untold(db, clock).to_tell()] == ["delivered"]


async def test_a_doubt_is_told_at_its_time_and_a_short_wait_not_at_all(db: Database, clock: FrozenClock) -> None:
    outbox = Outbox(db, clock)
    await outbox.put(a_send(clock))
    await outbox.move(await found(outbox, "$event"), "doubtful", next_at=clock.now() + timedelta(minutes=15))
    assert await Untold(db, clock).to_tell() == []
    clock.advance(minutes=15)
    assert [s.state for s in await Untold(db, clock).to_tell()] == ["doubtful"]
    await outbox.put(a_send(clock, "$slow"))
    for tries in range(1, 6):
        await outbox.move(await found(outbox, "$slow"), "deferred")
        assert ("$slow" in [s.key for s in await Untold(db, clock).to_tell()]) == (tries > 3)


async def test_a_services_mail_is_told_to_nobody(db: Database, clock: FrozenClock) -> None:
    outbox = Outbox(db, clock)
    await outbox.put(a_send(clock, owner=None, room=None, event=None))
    await outbox.move(await found(outbox, "$event"), "refused", status="5.1.1")
    assert await Untold(db, clock).to_tell() == []
    assert await outbox.counts() == {"refused": 1}
    assert await outbox.last_of(ANNE, 5) == []
