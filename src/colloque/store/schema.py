"""Opening a service's database, and the tables that all services share.

Migrations are numbered by their order: 1 stands here, a service adds its own after it with `migration`. A database
belongs to one service: another's, Synapse's, or one that a newer version of ours made, is refused.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import asyncpg  # type: ignore[import-untyped]
from mautrix.util.async_db import Connection, Database, Scheme, UpgradeTable
from mautrix.util.async_db.errors import DatabaseNotOwned, ForeignTablesFound, UnsupportedDatabaseVersion
from yarl import URL

from colloque.errors import ConfigError, Inconsistent, Problem, Temporary
from colloque.store.pools import Postgres, Sqlite

Step = Callable[[Connection], Awaitable[None]]

_PRAGMAS = [
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # what was committed is there after a power cut
    "PRAGMA busy_timeout = 10000",
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = ON",  # a destroyed key is overwritten, not just unlinked
]

_COMMON = (
    "CREATE TABLE sync_position (id INTEGER PRIMARY KEY, token TEXT NOT NULL)",
    "CREATE TABLE seen_event (event TEXT PRIMARY KEY, room TEXT NOT NULL, at BIGINT NOT NULL)",
    "CREATE INDEX seen_event_by_age ON seen_event (at)",
    "CREATE INDEX seen_event_by_room ON seen_event (room)",
    """CREATE TABLE incident (
        key       TEXT PRIMARY KEY,
        text      TEXT NOT NULL,
        opened_at BIGINT NOT NULL,
        closed_at BIGINT,
        posted_at BIGINT
    )""",
    "CREATE TABLE room_key (room TEXT PRIMARY KEY, key BYTEA NOT NULL)",
    "CREATE TABLE bot_room (key TEXT PRIMARY KEY, room TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, owner TEXT)",
)


def migration(table: UpgradeTable, description: str) -> Callable[[Step], Step]:
    """Decorator: the function becomes the table's next migration, run once, in a transaction of its own."""
    return cast("Callable[[Step], Step]", table.register(description=description))


def new_upgrades() -> UpgradeTable:
    """An upgrade table that holds version 1: sync position, seen events, incidents, room keys, our own rooms."""
    table = UpgradeTable()

    @migration(table, "Tables that all services share")
    async def common(conn: Connection) -> None:
        for statement in _COMMON:
            await conn.execute(statement)

    return table


async def open_database(url: str, upgrades: UpgradeTable, owner: str) -> Database:
    """Open, migrate and check a service's database; `stop()` it at the end.

    `url`: `sqlite:/absolute/path` or `postgres://user@host/db` (more of PostgreSQL's settings after `?`, such as
    `search_path`). Raises ConfigError (bad URL, another owner, refused credentials), Inconsistent (made by a newer
    version, damaged, or readable by others), Temporary (can't be reached or used now).
    """
    db = _sqlite(url, upgrades, owner) if url.startswith("sqlite:") else _postgres(url, upgrades, owner)
    try:
        await db.start()
    except BaseException as error:
        await db.stop()
        known = explain(error)
        if known is None:
            raise
        raise known from None
    return db


def _problem(message: str) -> ConfigError:
    return ConfigError([Problem("database", message)])


def _sqlite(url: str, upgrades: UpgradeTable, owner: str) -> Database:
    path = Path("/" + url.removeprefix("sqlite:").lstrip("/"))
    if not url.startswith("sqlite:/"):
        raise _problem("must be sqlite:/absolute/path")
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise Temporary(f"the database file can't be opened: {error.strerror}") from None
    if mode & 0o077:
        raise Inconsistent("the database file is readable by others: its mode must be 0600")
    return Sqlite(
        URL.build(scheme="sqlite", path=str(path)),
        upgrades,
        db_args={"init_commands": [*_PRAGMAS]},
        owner_name=owner,
        ignore_foreign_tables=False,
    )


def _postgres(url: str, upgrades: UpgradeTable, owner: str) -> Database:
    if not url.startswith(("postgres://", "postgresql://")):
        raise _problem("must be sqlite:/absolute/path or postgres://user@host/db")
    return Postgres(
        URL(url),
        upgrades,
        db_args={"min_size": 1, "max_size": 4, "timeout": 30, "command_timeout": 60, "meow_exit_on_ice": False},
        owner_name=owner,
        ignore_foreign_tables=False,
    )


def explain(error: BaseException) -> Exception | None:
    """What a failed start means; None when it says enough by itself. Never repeats the URL (it may hold a secret)."""
    match error:
        case DatabaseNotOwned():
            return _problem("belongs to another service")
        case ForeignTablesFound():
            return _problem("holds the tables of a homeserver")
        case UnsupportedDatabaseVersion():
            return Inconsistent("the database was made by a newer version: install that one, or restore a backup")
        case asyncpg.InvalidAuthorizationSpecificationError() | asyncpg.InvalidCatalogNameError():
            return _problem(f"was refused by PostgreSQL: {type(error).__name__}")
        case sqlite3.DatabaseError() if getattr(error, "sqlite_errorname", "") in {"SQLITE_NOTADB", "SQLITE_CORRUPT"}:
            return Inconsistent("the database file is damaged")
        case (
            OSError() | asyncpg.PostgresConnectionError() | asyncpg.CannotConnectNowError() | sqlite3.OperationalError()
        ):
            return Temporary(f"the database can't be reached: {type(error).__name__}")
        case _:
            return None


@asynccontextmanager
async def transaction(db: Database) -> AsyncIterator[Connection]:
    """All or nothing, also when cancelled; nested calls join in. Start no task within that uses the database."""
    async with cast("AbstractAsyncContextManager[Any]", db.acquire()) as conn, conn.transaction():
        yield conn


async def scrub(db: Database) -> None:
    """Make deleted rows vanish from the files too, as far as the database can. Not within a transaction.

    SQLite: its log is emptied (deleted rows were overwritten already). PostgreSQL: the dead rows of room keys are
    vacuumed; its own log is recycled by itself, later.
    """
    if db.scheme is Scheme.SQLITE:
        await db.fetch("PRAGMA wal_checkpoint(TRUNCATE)")
    else:
        await db.execute("VACUUM room_key")
