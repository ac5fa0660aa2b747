"""The store's promises, the same on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import secrets
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path

import pytest
from mautrix.util.async_db import Connection, Database, Scheme

from colloque.clock import FrozenClock
from colloque.errors import ConfigError, Inconsistent, Temporary
from colloque.files import free_port
from colloque.identity import EventId, RoomId, UserId
from colloque.rooms.mark import RoomKind
from colloque.store.handled import Handled
from colloque.store.incidents import Incidents
from colloque.store.roomkeys import RoomKeys
from colloque.store.rooms import BotRoom, Rooms
from colloque.store.schema import migration, new_upgrades, open_database, transaction
from tests.servers.postgres import PostgresServer, postgres_server  # noqa: F401

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


async def count(db: Database, table: str) -> int:
    return int(await db.fetchval(f"SELECT COUNT(*) FROM {table}"))


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


# room keys


async def test_a_token_is_steady_and_its_rooms_own(db: Database, opened: Opener) -> None:
    keys = RoomKeys(db)
    token = await keys.token(ROOM, "$event")
    assert len(token) == 20
    assert int(token, 16) >= 0
    assert await RoomKeys(await opened()).token(ROOM, "$event") == token
    assert len({token, await keys.token(ROOM, "$other"), await keys.token(OTHER, "$event")}) == 3


async def test_a_destroyed_key_never_comes_back(db: Database) -> None:
    keys = RoomKeys(db)
    before, kept = await keys.token(ROOM, "$event"), await keys.token(OTHER, "$event")
    await keys.destroy(ROOM)
    await keys.destroy(ROOM)
    assert await count(db, "room_key") == 1
    assert await keys.token(ROOM, "$event") != before
    assert await keys.token(OTHER, "$event") == kept


async def test_two_at_once_make_one_key(db: Database) -> None:
    tokens = await asyncio.gather(*(RoomKeys(db).token(ROOM, "$event") for _ in range(10)))
    assert len(set(tokens)) == 1


# handled events


async def test_the_position_is_kept(db: Database, clock: FrozenClock, opened: Opener) -> None:
    handled = Handled(db, clock)
    assert await handled.position() is None
    await handled.save_position("s1")
    await handled.save_position("s2")
    assert await Handled(await opened(), clock).position() == "s2"


async def test_marked_events_are_known_for_two_days(db: Database, clock: FrozenClock) -> None:
    handled = Handled(db, clock)
    assert not await handled.seen(EventId("$a"))
    await handled.mark(EventId("$a"), ROOM)
    await handled.mark(EventId("$a"), ROOM)
    clock.advance(hours=48)
    await handled.save_position("s1")
    assert await handled.seen(EventId("$a"))
    clock.advance(seconds=1)
    await handled.save_position("s2")
    assert not await handled.seen(EventId("$a"))


async def test_an_erased_room_leaves_no_event(db: Database, clock: FrozenClock) -> None:
    handled = Handled(db, clock)
    await handled.mark(EventId("$a"), ROOM)
    await handled.mark(EventId("$b"), OTHER)
    await handled.forget_room(ROOM)
    assert (await handled.seen(EventId("$a")), await handled.seen(EventId("$b"))) == (False, True)


# incidents


async def test_an_incident_is_news_once_even_after_a_restart(db: Database, clock: FrozenClock, opened: Opener) -> None:
    incidents = Incidents(db, clock)
    assert await incidents.open("mail.login", "Boîte arrêtée.")
    assert not await incidents.open("mail.login", "Autre texte.")
    again = Incidents(await opened(), clock)
    assert not await again.open("mail.login", "Boîte arrêtée.")
    [waiting] = await again.unposted()
    assert (waiting.key, waiting.text, waiting.opened_at, waiting.over) == (
        "mail.login",
        "Boîte arrêtée.",
        clock.now(),
        False,
    )
    await again.posted("mail.login")
    await again.posted("mail.login")
    assert await again.unposted() == []
    assert await again.current() == ["mail.login"]
    assert not await again.open("mail.login", "Boîte arrêtée.")


async def test_an_incident_that_comes_back_is_news_again(db: Database, clock: FrozenClock) -> None:
    incidents = Incidents(db, clock)
    assert not await incidents.close("mail.login")
    await incidents.open("mail.login", "Boîte arrêtée.")
    [first] = await incidents.unposted()
    await incidents.posted("mail.login")
    assert await incidents.close("mail.login")
    assert not await incidents.close("mail.login")
    assert (await incidents.current(), await count(db, "incident")) == ([], 0)
    clock.advance(hours=1)
    assert await incidents.open("mail.login", "Boîte arrêtée.")
    [second] = await incidents.unposted()
    assert first.txn != second.txn


async def test_an_incident_that_ended_untold_is_still_told(db: Database, clock: FrozenClock) -> None:
    incidents = Incidents(db, clock)
    await incidents.open("a", "A.")
    clock.advance(seconds=1)
    await incidents.open("b", "B.")
    assert await incidents.close("a")
    assert [(i.key, i.over) for i in await incidents.unposted()] == [("a", True), ("b", False)]
    await incidents.posted("a")
    assert [i.key for i in await incidents.unposted()] == ["b"]
    assert await count(db, "incident") == 1


# rooms


async def test_rooms_are_found_by_key_room_and_kind(db: Database) -> None:
    rooms = Rooms(db)
    owner = UserId("@anne:h.example")
    await rooms.put("home-1", ROOM, RoomKind.HOME, owner)
    await rooms.put("admin", OTHER, RoomKind.ADMIN, None)
    home = BotRoom("home-1", ROOM, RoomKind.HOME, owner)
    assert await rooms.get("home-1") == home == await rooms.by_room(ROOM)
    assert await rooms.all(RoomKind.HOME) == [home]
    assert await rooms.all(RoomKind.ADMIN) == [BotRoom("admin", OTHER, RoomKind.ADMIN, None)]
    assert await rooms.get("none") is None
    await rooms.forget(ROOM)
    await rooms.forget(ROOM)
    assert await rooms.by_room(ROOM) is None


async def test_a_room_made_anew_takes_its_key_over(db: Database) -> None:
    rooms = Rooms(db)
    await rooms.put("home-1", ROOM, RoomKind.HOME, None)
    await rooms.put("home-1", ROOM, RoomKind.HOME, None)
    await rooms.put("home-1", OTHER, RoomKind.HOME, None)
    assert (await rooms.by_room(ROOM), await count(db, "bot_room")) == (None, 1)


async def test_one_room_never_has_two_keys(db: Database) -> None:
    rooms = Rooms(db)
    await rooms.put("home-1", ROOM, RoomKind.HOME, None)
    with pytest.raises(Inconsistent):
        await rooms.put("home-2", ROOM, RoomKind.HOME, None)


# what only one of the two can show


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
    with pytest.raises(Inconsistent, match="damaged"):
        await open_database(f"sqlite:{path}", new_upgrades(), "salles")


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
    postgres_server: PostgresServer,  # noqa: F811
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
async def test_postgres_refusing_is_told_without_the_password(postgres_server: PostgresServer) -> None:  # noqa: F811
    url = postgres_server.url("nowhere").replace("postgres@", "postgres:Secret1@")
    with pytest.raises(ConfigError, match="refused by PostgreSQL") as caught:
        await open_database(url, new_upgrades(), "salles")
    assert "Secret1" not in str(caught.value)


async def test_postgres_nowhere_is_temporary() -> None:
    with pytest.raises(Temporary, match="can't be reached"):
        await open_database(f"postgres://postgres@127.0.0.1:{free_port()}/x", new_upgrades(), "salles")
