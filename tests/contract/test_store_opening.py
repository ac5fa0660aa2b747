"""Opening a store, its migrations and its transactions: the same promises on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from mautrix.util.async_db import Connection, Database

from colloque.clock import FrozenClock
from colloque.errors import ConfigError, Inconsistent
from colloque.identity import EventId
from colloque.rooms.mark import RoomKind
from colloque.store.handled import Handled
from colloque.store.rooms import Rooms
from colloque.store.schema import migration, new_upgrades, open_database, transaction
from tests.servers.databases import OTHER, ROOM, Opener, count

# opening


async def test_it_opens_again_with_what_it_held(opened: Opener) -> None:
    first = await opened()
    await Rooms(first).put("home-1", ROOM, RoomKind.HOME, None)
    await first.stop()
    assert await Rooms(await opened()).get("home-1") is not None


async def test_anothers_database_is_refused(opened: Opener) -> None:
    await opened(owner="annuaire")
    with pytest.raises(ConfigError, match="another service"):
        await opened(owner="salles")


async def test_a_homeservers_database_is_refused(opened: Opener) -> None:
    db = await opened()
    await db.execute("CREATE TABLE state_groups_state (x INTEGER)")
    with pytest.raises(ConfigError, match="homeserver"):
        await opened()


async def test_a_newer_schema_is_refused(opened: Opener) -> None:
    upgrades = new_upgrades()

    @migration(upgrades, "one more")
    async def more(conn: Connection) -> None:
        await conn.execute("CREATE TABLE more (x INTEGER)")

    await opened(upgrades)
    with pytest.raises(Inconsistent, match="newer version"):
        await opened()


async def test_a_later_migration_runs_once_and_keeps_the_rows(opened: Opener) -> None:
    await Rooms(await opened()).put("home-1", ROOM, RoomKind.HOME, None)
    ran = []
    upgrades = new_upgrades()

    @migration(upgrades, "one more")
    async def more(conn: Connection) -> None:
        ran.append(1)
        await conn.execute("CREATE TABLE more (x INTEGER)")

    for _ in range(2):
        db = await opened(upgrades)
        assert await count(db, "more") == 0
        assert await Rooms(db).get("home-1") is not None
    assert ran == [1]


async def test_a_migration_that_fails_changes_nothing_and_runs_again(opened: Opener) -> None:
    await opened()
    failing = [True]
    upgrades = new_upgrades()

    @migration(upgrades, "one more")
    async def more(conn: Connection) -> None:
        await conn.execute("CREATE TABLE more (x INTEGER)")
        if failing:
            raise ValueError("power cut")

    with pytest.raises(ValueError, match="power cut"):
        await opened(upgrades)
    failing.clear()
    assert await count(await opened(upgrades), "more") == 0


# transactions


async def test_a_transaction_is_all_or_nothing(db: Database) -> None:
    async def work() -> None:
        async with transaction(db) as conn:
            await conn.execute("INSERT INTO sync_position (id, token) VALUES (1, 'a')")
            await Rooms(db).put("home-1", ROOM, RoomKind.HOME, None)
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await work()
    assert (await count(db, "sync_position"), await count(db, "bot_room")) == (0, 0)


@pytest.mark.parametrize("twice", [False, True])
async def test_a_cancelled_transaction_leaves_nothing_behind(db: Database, twice: bool) -> None:
    inside = asyncio.Event()

    async def work() -> None:
        async with transaction(db) as conn:
            await conn.execute("INSERT INTO sync_position (id, token) VALUES (1, 'a')")
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await inside.wait()
    task.cancel()
    if twice:
        await asyncio.sleep(0)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await count(db, "sync_position") == 0
    async with transaction(db) as conn:
        await conn.execute("INSERT INTO sync_position (id, token) VALUES (1, 'b')")
    assert await db.fetchval("SELECT token FROM sync_position") == "b"


async def test_cancelling_at_any_moment_never_poisons_the_database(db: Database, clock: FrozenClock) -> None:
    handled = Handled(db, clock)
    for turns in range(60):
        task = asyncio.create_task(handled.save_position(f"token-{turns}"))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await handled.save_position("last")
    assert await handled.position() == "last"
    assert await count(db, "sync_position") == 1


async def test_a_task_born_in_a_transaction_has_its_own_connection(db: Database) -> None:
    async def child() -> None:
        async with transaction(db) as conn:
            await conn.execute("INSERT INTO sync_position (id, token) VALUES (2, 'child')")
            raise ValueError("no")

    async with transaction(db) as conn:
        await conn.execute("INSERT INTO sync_position (id, token) VALUES (1, 'parent')")
        task = asyncio.create_task(child())
        await asyncio.sleep(0)
    with pytest.raises(ValueError, match="no"):
        await task
    assert [row["token"] for row in await db.fetch("SELECT token FROM sync_position")] == ["parent"]


async def test_two_databases_never_share_a_connection(db: Database, tmp_path: Path) -> None:
    other = await open_database(f"sqlite:{tmp_path}/other.db", new_upgrades(), "mssante")
    try:
        async with transaction(db):
            await Rooms(other).put("home-2", OTHER, RoomKind.HOME, None)
        assert (await count(db, "bot_room"), await count(other, "bot_room")) == (0, 1)
    finally:
        await other.stop()


async def test_many_tasks_at_once(db: Database, clock: FrozenClock) -> None:
    handled = Handled(db, clock)
    await asyncio.gather(*(handled.mark(EventId(f"${n}"), ROOM) for n in range(50)))
    assert await count(db, "seen_event") == 50
