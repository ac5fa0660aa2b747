"""A room of the first release goes on after an upgrade, with its end, its ledger, its receipts; on both databases."""

from __future__ import annotations

from pathlib import Path

from colloque.clock import FrozenClock, to_millis
from colloque.identity import MxcUri
from colloque.rooms.lifecycle import end_of
from colloque.rooms.patient_room import RoomState
from colloque.store.schema import new_upgrades
from colloque_salles.store.jobs import Jobs
from colloque_salles.store.rooms import register_upgrades
from colloque_salles.store.tables import salles_upgrades
from tests.servers.databases import Opener
from tests.servers.salles_server import ANNE
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
