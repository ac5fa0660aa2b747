"""An empty database for each test, on SQLite and on PostgreSQL.

`url`, `opened` and `db` are fixtures that tests/contract/conftest.py imports; PostgreSQL is one for the whole run.
`bridge_db` is the bridge's, for tests that need one, whichever (tests/conftest.py).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from mautrix.util.async_db import Database

from colloque.identity import RoomId
from colloque.store.schema import new_upgrades, open_database
from colloque_mssante.store.tables import register_upgrades
from tests.servers.postgres import PostgresServer

ROOM, OTHER = RoomId("!one"), RoomId("!two")
Opener = Callable[..., Awaitable[Database]]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database's address."""
    if request.param == "sqlite":
        return f"sqlite:{tmp_path}/store.db"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return await server.new_database()


@pytest.fixture
async def opened(url: str) -> AsyncIterator[Opener]:
    """Opens the database, again and again as after restarts; all are closed at the end."""
    dbs: list[Database] = []

    async def open_(upgrades: object = None, owner: str = "salles") -> Database:
        db = await open_database(url, upgrades or new_upgrades(), owner)  # type: ignore[arg-type]
        dbs.append(db)
        return db

    yield open_
    for db in dbs:
        await db.stop()


@pytest.fixture
async def db(opened: Opener) -> Database:
    return await opened()


@pytest.fixture
async def bridge_db(tmp_path: Path) -> AsyncIterator[Database]:
    """The bridge's, with its tables, on SQLite."""
    upgrades = new_upgrades()
    register_upgrades(upgrades)
    opened = await open_database(f"sqlite:{tmp_path}/b.db", upgrades, "colloque_mssante")
    yield opened
    await opened.stop()


async def count(db: Database, table: str) -> int:
    return int(await db.fetchval(f"SELECT COUNT(*) FROM {table}"))
