"""@salles' own stores under the look, on SQLite and on PostgreSQL."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from mautrix.util.async_db import Scheme

from colloque.config import Listen, ServiceConfig
from colloque.identity import RoomId
from colloque_salles.erasing.own_stores import OwnStores
from colloque_salles.store.jobs import DROPPED_LAST
from colloque_salles.store.tables import salles_upgrades
from tests.servers.databases import Opener

ROOM = RoomId("!aaaaaaaaaaaaaaaaaa:h.test")


def stores(url: str, folder: Path) -> OwnStores:
    with closing(sqlite3.connect(folder / "crypto.sqlite")) as keys, keys:
        keys.execute("CREATE TABLE IF NOT EXISTS sessions (room_id TEXT)")
    return OwnStores(ServiceConfig("salles", folder, folder, url, folder, folder, Listen(1)))


async def test_what_the_last_step_drops_is_passed_over(opened: Opener, url: str, tmp_path: Path) -> None:
    db = await opened(salles_upgrades())
    own = stores(url, tmp_path)
    await db.execute("INSERT INTO ledger_event (room, event, readable) VALUES ($1, '$e', true)", ROOM)
    assert own.look(ROOM, ["$eeeeeeeeeeeeeeee"], []) == {}
    await db.execute("INSERT INTO used_words (words, key) VALUES ('Pin Merle', $1)", f"x {ROOM}")
    with closing(sqlite3.connect(tmp_path / "crypto.sqlite")) as keys, keys:
        keys.executemany("INSERT INTO sessions VALUES (?)", [(ROOM,), ("$eeeeeeeeeeeeeeee",)])
    assert own.look(ROOM, ["$eeeeeeeeeeeeeeee"], []) == {"salles_database": 1, "salles_keys": 2}


async def test_every_table_that_names_a_room_is_dropped_with_it(opened: Opener) -> None:
    db = await opened(salles_upgrades())
    if db.scheme is Scheme.SQLITE:
        sql = "SELECT m.name AS t FROM sqlite_master m, pragma_table_info(m.name) c WHERE c.name = 'room'"
    else:
        sql = "SELECT table_name AS t FROM information_schema.columns WHERE column_name = 'room'"
    named = {row["t"] for row in await db.fetch(sql)}
    assert {"ledger_event", "copy_file"} <= named
    assert named - {"doorbell"} <= DROPPED_LAST  # doorbells stand in home rooms
