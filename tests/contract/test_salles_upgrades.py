"""A room of the first release goes on after an upgrade, with its end, its ledger, its receipts; on both databases."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from colloque.clock import FrozenClock, SystemClock, from_millis, to_millis
from colloque.identity import MxcUri
from colloque.rooms.lifecycle import end_of
from colloque.rooms.patient_room import RoomState
from colloque.store.schema import new_upgrades
from colloque_salles.store.evicted import register_evicted
from colloque_salles.store.jobs import Jobs
from colloque_salles.store.life import register_life
from colloque_salles.store.rooms import PatientRooms, register_upgrades
from colloque_salles.store.tables import salles_upgrades
from tests.servers.databases import Opener
from tests.servers.salles_server import ANNE, BOB
from tests.servers.salles_ward import DAY, ROOM, RULE, Ward


async def test_a_room_of_the_first_release_goes_on(opened: Opener, tmp_path: Path, clock: FrozenClock) -> None:
    first = new_upgrades()
    register_upgrades(first)
    db = await opened(first)
    at = to_millis(clock.now())
    await db.execute(
        "INSERT INTO patient_room (room, words, opener, members, state, opened_at, last_activity) "
        "VALUES ($1, 'Pin Merle', $2, '[]', 'open', $3, $3)",
        ROOM,
        ANNE,
        at,
    )
    await db.execute("INSERT INTO ledger_event VALUES ($1, '$e', true)", ROOM)
    await db.execute("INSERT INTO ledger_file VALUES ($1, 'mxc://h.test/1')", ROOM)
    await db.execute("INSERT INTO receipt (serial, body, words, members) VALUES (1, '{}', 'Lac Tulipe', '[]')")
    await db.stop()
    ward = Ward(tmp_path, await opened(salles_upgrades()), clock)
    kept = await ward.kept()
    assert (kept.words, kept.room.state, end_of(kept.room, RULE)) == (
        "Pin Merle",
        RoomState.OPEN,
        ward.begin + 30 * DAY,
    )
    assert await ward.patients.files(ROOM) == [(MxcUri("mxc://h.test/1"), False)]
    assert (await Jobs(ward.db).last())[0] == 1
    assert "a prolongé" in await ward.typed(ANNE, "!patient prolonger 15 jours")
    await Jobs(ward.db).forget(ROOM)
    assert await ward.patients.get(ROOM) is None


@pytest.mark.parametrize(("job", "state"), [(False, RoomState.CLOSED), (True, RoomState.ERASING)])
async def test_a_room_that_was_closed_while_its_end_was_announced_can_be_read_again(
    opened: Opener, job: bool, state: RoomState
) -> None:
    first = new_upgrades()
    register_upgrades(first)
    db = await opened(first)
    await db.execute(
        "INSERT INTO patient_room (room, words, opener, members, state, opened_at, last_activity, warned_for, "
        "warned_at, closed_at) VALUES ($1, 'Pin Merle', $2, '[]', 'warned', 1, 1, 9, 2, 2)",
        ROOM,
        ANNE,
    )
    if job:
        await db.execute("INSERT INTO erasure VALUES ($1, 'files', '{}')", ROOM)
    await db.stop()
    (kept,) = await PatientRooms(await opened(salles_upgrades())).all()
    assert kept.room.state is state


async def test_what_another_server_dated_in_the_future_ends_all_the_same(opened: Opener) -> None:
    first = new_upgrades()
    register_upgrades(first)
    register_evicted(first)
    register_life(first)
    db = await opened(first)
    now = SystemClock().now()
    never, soon, ahead = 253_402_128_000_000, to_millis(now + timedelta(minutes=5)), to_millis(now + 300 * DAY)
    for room, active, warned_at, prolonged in (
        ("!far", never, None, never),
        ("!soon", soon, to_millis(now - DAY), ahead),
        ("!clock", ahead, ahead, None),
    ):
        await db.execute(
            "INSERT INTO patient_room (room, words, opener, members, state, opened_at, last_activity, warned_for, "
            "warned_at, prolonged_until) VALUES ($1, $1, $2, '[]', 'open', 1, $3, $4, $4, $5)",
            room,
            ANNE,
            active,
            warned_at,
            prolonged,
        )
    await db.stop()
    far, *others = (kept.room for kept in await PatientRooms(await opened(salles_upgrades())).all())
    assert abs(far.last_activity - now) < timedelta(minutes=5)
    assert far.prolonged_until == far.last_activity + 90 * DAY
    left = [to_millis(room.last_activity) for room in others]
    assert left == [soon, ahead], "what passes by itself, and our own clock's fault"
    assert [room.prolonged_until for room in others] == [from_millis(ahead), None]


async def test_a_hold_of_an_earlier_version_stands(opened: Opener, tmp_path: Path, clock: FrozenClock) -> None:
    earlier = new_upgrades()
    for register in (register_upgrades, register_evicted, register_life):
        register(earlier)
    db = await opened(earlier)
    at, until = to_millis(clock.now()), to_millis(clock.now() + 90 * DAY)
    await db.execute(
        "INSERT INTO patient_room (room, words, opener, members, state, opened_at, last_activity, held_until) "
        "VALUES ($1, 'Pin Merle', $2, '[]', 'open', $3, $3, $4)",
        ROOM,
        ANNE,
        at,
        until,
    )
    await db.execute("INSERT INTO hold VALUES ($1, $2, $3, $4, 'expertise', true)", ROOM, BOB, at, until)
    await db.stop()
    ward = Ward(tmp_path, await opened(salles_upgrades()), clock)
    (hold,) = await ward.life.held(ROOM, clock.now())
    assert (hold.by, hold.until, hold.reason) == (BOB, clock.now() + 90 * DAY, "expertise")
    assert (hold.warned, hold.told) == (True, False)
    await ward.typed(ANNE, "!patient suspendre-effacement aussi")
    assert len(await ward.life.held(ROOM, clock.now())) == 2
    assert "n'est plus suspendu" in await ward.typed(ANNE, "!patient reprendre-effacement")
