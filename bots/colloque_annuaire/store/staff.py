"""Administrators that were asked for, and the first two. Times are milliseconds since 1970, UTC."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from mautrix.util.async_db import Connection, Database, UpgradeTable

from colloque.clock import from_millis, to_millis
from colloque.identity import EventId, UserId
from colloque.store.schema import migration


def register_staff(table: UpgradeTable) -> None:
    """Add this file's migration."""

    @migration(table, "Administrators")
    async def staff(conn: Connection) -> None:
        await conn.execute(
            """CREATE TABLE staff_asked (
                name  TEXT PRIMARY KEY,
                by_id TEXT NOT NULL,
                at    BIGINT NOT NULL,
                event TEXT
            )"""
        )
        await conn.execute(
            "CREATE TABLE staff_first (id INTEGER PRIMARY KEY, names TEXT NOT NULL, done BOOLEAN NOT NULL)"
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """An administrator wants another one. `event`: the command of a second one that confirmed it."""

    by: UserId
    at: datetime
    event: EventId | None


@dataclass(frozen=True, slots=True)
class First:
    """The first administrators, as the operator named them. `done`: all of them are made."""

    names: tuple[str, ...]
    done: bool


class StaffRows:
    """Queries over the tables above. (Who administers stands in `attestation`.)"""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def asked(self, name: str) -> Asked | None:
        """Who asked for an administrator of that (folded) name."""
        row = await self._db.fetchrow("SELECT * FROM staff_asked WHERE name = $1", name)
        if row is None:
            return None
        return Asked(UserId(row["by_id"]), from_millis(row["at"]), EventId(row["event"]) if row["event"] else None)

    async def ask(self, name: str, by: UserId, now: datetime) -> None:
        """Somebody asks for one; an earlier asking is replaced."""
        await self._db.execute(
            "INSERT INTO staff_asked (name, by_id, at, event) VALUES ($1, $2, $3, NULL) "
            "ON CONFLICT (name) DO UPDATE SET by_id = $2, at = $3, event = NULL",
            name,
            by,
            to_millis(now),
        )

    async def confirm(self, name: str, event: EventId) -> None:
        """A second one confirms."""
        await self._db.execute("UPDATE staff_asked SET event = $2 WHERE name = $1", name, event)

    async def first(self) -> First | None:
        """The first administrators."""
        row = await self._db.fetchrow("SELECT names, done FROM staff_first WHERE id = 1")
        return First(tuple(json.loads(row["names"])), bool(row["done"])) if row else None

    async def begin_first(self, names: Sequence[str]) -> None:
        """Their names, before anything is made."""
        await self._db.execute(
            "INSERT INTO staff_first (id, names, done) VALUES (1, $1, false) ON CONFLICT (id) DO NOTHING",
            json.dumps(list(names)),
        )

    async def first_done(self) -> None:
        """All of them are made."""
        await self._db.execute("UPDATE staff_first SET done = true WHERE id = 1")
