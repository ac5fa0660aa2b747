"""What only one of SQLite and PostgreSQL can show: files, full disks, servers away."""

from __future__ import annotations

import os
import secrets
import stat
import threading
from collections.abc import Awaitable, Iterable
from pathlib import Path

import asyncpg
import pytest
from mautrix.util.async_db import Scheme

from colloque.clock import FrozenClock
from colloque.errors import ConfigError, Inconsistent, Temporary
from colloque.files import free_port
from colloque.identity import EventId
from colloque.store.handled import Handled
from colloque.store.pools import translate
from colloque.store.roomkeys import RoomKeys
from colloque.store.schema import new_upgrades, open_database
from tests.servers.databases import ROOM
from tests.servers.postgres import PostgresServer
from tests.waiting import until


async def one_by_one(steps: Iterable[Awaitable[None]]) -> None:
    for step in steps:
        await step


def listing(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


async def test_sqlite_is_private_durable_and_overwrites_what_it_deletes(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        db = await open_database(f"sqlite:{tmp_path}/a b%20c?.db", new_upgrades(), "salles")
    finally:
        os.umask(before)
    keys = RoomKeys(db)
    await keys.token(ROOM, "$event")
    secret = bytes(await db.fetchval("SELECT key FROM room_key"))
    files = listing(tmp_path)
    assert [p.name for p in files] == [f"a b%20c?.db{end}" for end in ("", "-shm", "-wal")]
    assert {stat.S_IMODE(p.stat().st_mode) for p in files} == {0o600}
    assert any(secret in p.read_bytes() for p in files)
    await keys.destroy(ROOM)
    assert not any(secret in p.read_bytes() for p in files)
    assert await db.fetchval("PRAGMA journal_mode") == "wal"
    assert await db.fetchval("PRAGMA synchronous") == 2
    assert await db.fetchval("PRAGMA foreign_keys") == 1
    assert await db.fetchval("PRAGMA busy_timeout") == 10_000
    await db.stop()


@pytest.mark.parametrize(
    "bad", ["sqlite:relative.db", "sqlite:", "mysql://h/db", "/path", "sqlite::memory:", "cockroach://h/db"]
)
async def test_an_address_that_is_none_is_refused(bad: str) -> None:
    with pytest.raises(ConfigError, match="database: must be"):
        await open_database(bad, new_upgrades(), "salles")


async def test_a_file_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.touch()
    path.chmod(0o640)
    with pytest.raises(Inconsistent, match="0600"):
        await open_database(f"sqlite:{path}", new_upgrades(), "salles")


async def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Temporary):
        await open_database(f"sqlite:{tmp_path}/none/store.db", new_upgrades(), "salles")


async def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.touch(0o600)
    path.write_bytes(secrets.token_bytes(4096))
    threads = threading.enumerate()
    with pytest.raises(Inconsistent, match="damaged"):
        await open_database(f"sqlite:{path}", new_upgrades(), "salles")

    async def ended() -> bool:
        return set(threading.enumerate()) <= set(threads)

    await until(ended, "its thread, which would keep the service from ending, ends", within=5)


async def test_a_full_disk_is_temporary(tmp_path: Path, clock: FrozenClock) -> None:
    db = await open_database(f"sqlite:{tmp_path}/store.db", new_upgrades(), "salles")
    pages = await db.fetchval("PRAGMA page_count")
    await db.fetchval(f"PRAGMA max_page_count = {pages}")
    handled = Handled(db, clock)
    many = (handled.mark(EventId("$" + "x" * 200 + str(n)), ROOM) for n in range(1000))
    with pytest.raises(Temporary, match="SQLITE_FULL"):
        await one_by_one(many)
    await db.fetchval("PRAGMA max_page_count = 100000")
    await handled.mark(EventId("$after"), ROOM)
    assert db.scheme is Scheme.SQLITE
    await db.stop()


@pytest.mark.postgres
async def test_postgres_away_is_temporary_and_comes_back(
    postgres_server: PostgresServer,
    clock: FrozenClock,
) -> None:
    db = await open_database(await postgres_server.new_database(), new_upgrades(), "salles")
    handled = Handled(db, clock)
    await handled.save_position("s1")
    port = postgres_server.port
    postgres_server.stop()
    for _ in range(2):
        with pytest.raises(Temporary):
            await handled.save_position("s2")
    postgres_server.start(port)
    await handled.save_position("s3")
    assert await handled.position() == "s3"
    await db.stop()


@pytest.mark.postgres
async def test_postgres_killed_before_a_connection_is_given_back_undoes_nothing(
    postgres_server: PostgresServer,
) -> None:
    db = await open_database(await postgres_server.new_database(), new_upgrades(), "salles")
    port = postgres_server.port
    try:
        async with db.acquire() as conn:
            await conn.execute("INSERT INTO sync_position (id, token) VALUES (1, 'here')")
            postgres_server.kill()
        postgres_server.start(port)
        assert await db.fetchval("SELECT token FROM sync_position") == "here"
    finally:
        await db.stop()


@pytest.mark.parametrize("broken", [asyncpg.InternalClientError("failed"), asyncpg.ConnectionDoesNotExistError("gone")])
async def test_a_connection_that_broke_in_the_middle_of_a_command_is_temporary(broken: Exception) -> None:
    with pytest.raises(Temporary):
        await translate(broken)


@pytest.mark.postgres
async def test_postgres_refusing_is_told_without_the_password(postgres_server: PostgresServer) -> None:
    url = postgres_server.url("nowhere").replace("postgres@", "postgres:Secret1@")
    with pytest.raises(ConfigError, match="refused by PostgreSQL") as caught:
        await open_database(url, new_upgrades(), "salles")
    assert "Secret1" not in str(caught.value)


async def test_postgres_nowhere_is_temporary() -> None:
    with pytest.raises(Temporary, match="can't be reached"):
        await open_database(f"postgres://postgres@127.0.0.1:{free_port()}/x", new_upgrades(), "salles")
