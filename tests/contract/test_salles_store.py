"""The patient-room service's tables, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from mautrix.util.async_db import Database

from colloque.identity import EventId, MxcUri, RoomId, UserId
from colloque.rooms.patient_room import PatientRoom, RoomState
from colloque_salles.store.jobs import Jobs, ReceiptRow
from colloque_salles.store.rooms import PatientRooms
from colloque_salles.store.tables import salles_upgrades
from tests.servers.databases import Opener, count

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ROOM, OTHER = RoomId("!one"), RoomId("!two")
ANNE, PAUL = UserId("@anne:h.test"), UserId("@paul:h.test")


@pytest.fixture
async def own(opened: Opener) -> Database:
    return await opened(salles_upgrades(), "colloque_salles")


@pytest.fixture
async def patients(own: Database) -> PatientRooms:
    rooms = PatientRooms(own)
    for number, room in enumerate((ROOM, OTHER)):
        at = NOW + timedelta(seconds=number)
        await rooms.add(PatientRoom(room=room, opener=ANNE, opened_at=at, last_activity=at), f"Mots {number}")
    return rooms


@pytest.fixture
def jobs(own: Database) -> Jobs:
    return Jobs(own)


async def room(patients: PatientRooms) -> PatientRoom:
    kept = await patients.get(ROOM)
    assert kept is not None
    return kept.room


async def test_words_are_given_once(patients: PatientRooms) -> None:
    await patients.reserve_words("Cerise Moulin", "key")
    assert await patients.words_for("key") == "Cerise Moulin"
    assert await patients.words_for("other") is None
    assert await patients.words_taken() == {"Cerise Moulin"}
    with pytest.raises(Exception, match=r"(?i)unique"):
        await patients.reserve_words("Cerise Moulin", "other")


async def test_a_rooms_life(patients: PatientRooms) -> None:
    await patients.active(ROOM, NOW + timedelta(minutes=5))
    await patients.active(ROOM, NOW)
    assert (await room(patients)).last_activity == NOW + timedelta(minutes=5)
    assert [k.room.room for k in await patients.all()] == [OTHER, ROOM]
    await patients.members(ROOM, (PAUL, ANNE))
    assert (await room(patients)).members == (ANNE, PAUL)
    await patients.warned(ROOM, NOW + timedelta(days=1), NOW)
    assert (await room(patients)).warned_for == NOW + timedelta(days=1)
    await patients.closed(ROOM, NOW + timedelta(days=1), EventId("$bye"))
    kept = await patients.get(ROOM)
    assert kept is not None
    assert (kept.room.state, kept.close_heard) == (RoomState.CLOSED, False)
    await patients.heard_own(ROOM, EventId("$other"))
    await patients.heard_own(ROOM, EventId("$bye"))
    kept = await patients.get(ROOM)
    assert kept is not None
    assert kept.close_heard


async def test_the_closing_message_may_come_back_before_it_is_known_to_be_one(
    patients: PatientRooms, jobs: Jobs, own: Database
) -> None:
    """The sync runs beside the sweep that sent it; and a kill may lie between the two."""
    await patients.heard_own(ROOM, EventId("$bye"))
    for _ in range(2):
        await patients.closed(ROOM, NOW, EventId("$bye"))
        kept = await patients.get(ROOM)
        assert kept is not None
        assert kept.close_heard
    await patients.closed(OTHER, NOW, EventId("$other"))
    kept = await patients.get(OTHER)
    assert kept is not None
    assert not kept.close_heard, "another room's"
    await jobs.forget(ROOM)
    assert await count(own, "echo") == 0


async def test_both_at_once_lose_nothing(patients: PatientRooms) -> None:
    for number in range(20):
        each, event = RoomId(f"!r{number}"), EventId(f"$bye{number}")
        await patients.add(PatientRoom(room=each, opener=ANNE, opened_at=NOW, last_activity=NOW), f"Mots {number}")
        await asyncio.gather(patients.closed(each, NOW, event), patients.heard_own(each, event))
        kept = await patients.get(each)
        assert kept is not None
        assert kept.close_heard


async def test_what_closes_a_room_first_stands(patients: PatientRooms, jobs: Jobs) -> None:
    await patients.closed(ROOM, NOW, EventId("$bye"))
    await patients.heard_own(ROOM, EventId("$later"))
    await patients.closed(ROOM, NOW + timedelta(days=1), EventId("$later"))
    await patients.warned(ROOM, NOW + timedelta(days=9), NOW)
    kept = await patients.get(ROOM)
    assert kept is not None
    assert (kept.room.state, kept.room.closed_at, kept.room.warned_for) == (RoomState.CLOSED, NOW, None)
    assert not kept.close_heard, "another message than that which closed it"
    await jobs.start(ROOM, {})
    await patients.closed(ROOM, NOW, None)
    assert (await room(patients)).state is RoomState.ERASING


async def test_a_row_that_contradicts_itself_holds_back_no_other(
    patients: PatientRooms, own: Database, caplog: pytest.LogCaptureFixture
) -> None:
    for bad in ("members = '{'", "members = '[]', state = 'lost'", "state = 'open', last_activity = 900000000000000"):
        await own.execute(f"UPDATE patient_room SET {bad} WHERE room = $1", ROOM)
        assert [k.room.room for k in await patients.all()] == [OTHER]
        assert patients.unreadable == 1
        assert await patients.get(ROOM) is None
        assert await patients.follows(ROOM)
    assert {record.levelname for record in caplog.records} == {"ERROR"}
    assert ROOM not in caplog.text
    assert not await patients.follows(RoomId("!none"))
    await own.execute("UPDATE patient_room SET last_activity = 0")
    await patients.all()
    assert patients.unreadable == 0


async def test_a_room_out_of_reach_needs_no_echo(patients: PatientRooms) -> None:
    await patients.closed(ROOM, NOW, None)
    kept = await patients.get(ROOM)
    assert kept is not None
    assert kept.close_heard


async def test_the_ledger_counts_each_event_once(patients: PatientRooms) -> None:
    file, shared = MxcUri("mxc://h.test/a"), MxcUri("mxc://h.test/b")
    for _ in range(2):
        await patients.heard(ROOM, EventId("$1"), readable=True, files=(file, shared))
        await patients.heard(ROOM, EventId("$2"), readable=False)
    await patients.heard(OTHER, EventId("$3"), readable=True, files=(shared,))
    assert await patients.counts(ROOM) == (2, 1)
    assert await patients.files(ROOM) == [(file, False), (shared, True)]
    await patients.heard(ROOM, EventId("$2"), readable=True)
    await patients.heard(ROOM, EventId("$2"), readable=False)
    assert await patients.counts(ROOM) == (2, 0)


async def test_an_erasure_gets_one_receipt_and_leaves_nothing(
    patients: PatientRooms, jobs: Jobs, own: Database
) -> None:
    await patients.heard(ROOM, EventId("$1"), readable=True, files=(MxcUri("mxc://h.test/a"),))
    await patients.closed(ROOM, NOW, EventId("$bye"))
    for _ in range(2):
        await jobs.start(ROOM, {"files": ["mxc://h.test/a"], "été": 1})
    assert (await room(patients)).state is RoomState.ERASING
    [job] = await jobs.under_way()
    assert (job.step, job.manifest) == ("delete", {"files": ["mxc://h.test/a"], "été": 1})
    await jobs.at_step(ROOM, "receipt")
    assert await jobs.last() == (0, None)
    await jobs.add(ReceiptRow(1, "{}", "Mots", (ANNE, PAUL)), ROOM)
    with pytest.raises(Exception, match=r"(?i)unique"):
        await jobs.add(ReceiptRow(1, "{}", "Mots", ()), ROOM)
    assert (await jobs.last(), (await jobs.under_way())[0].step) == ((1, "{}"), "forget")
    assert await jobs.to_tell() == []
    assert [r.serial for r in await jobs.to_write()] == [1]
    await jobs.written(1)
    assert (await jobs.to_tell())[0].members == (ANNE, PAUL)
    await jobs.told(1)
    assert (await jobs.to_write(), await jobs.to_tell()) == ([], [])
    await jobs.forget(ROOM)
    assert await patients.get(ROOM) is None
    assert [await count(own, t) for t in ("ledger_event", "ledger_file", "erasure", "patient_room")] == [0, 0, 0, 1]
