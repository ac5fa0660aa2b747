"""Who refuses whom. Times are milliseconds since 1970, UTC."""

from __future__ import annotations

from datetime import datetime

from mautrix.util.async_db import Connection, Database, UpgradeTable

from colloque.attestation import Change
from colloque.clock import to_millis
from colloque.identity import UserId
from colloque.store.schema import migration


def register_blocks(table: UpgradeTable) -> None:
    """Add this file's migration."""

    @migration(table, "Personal blocks")
    async def block(conn: Connection) -> None:
        await conn.execute(
            """CREATE TABLE block (
                user_id TEXT NOT NULL,
                other   TEXT NOT NULL,
                at      BIGINT NOT NULL,
                PRIMARY KEY (user_id, other)
            )"""
        )


class Blocks:
    """Queries over the table above. One instance a service, the only one that writes: it knows when to read again."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._edition = 0
        self._read = -1
        self._published = Change()

    async def of(self, user: UserId) -> list[UserId]:
        """Whom the person refuses, oldest first."""
        rows = await self._db.fetch("SELECT other FROM block WHERE user_id = $1 ORDER BY at, other", user)
        return [UserId(row["other"]) for row in rows]

    async def add(self, user: UserId, other: UserId, now: datetime) -> None:
        """`user` refuses `other` from now on; no error when they do already."""
        try:
            await self._db.execute(
                "INSERT INTO block (user_id, other, at) VALUES ($1, $2, $3) ON CONFLICT (user_id, other) DO NOTHING",
                user,
                other,
                to_millis(now),
            )
        finally:
            self._edition += 1  # Also when the answer was lost: it may have been written.

    async def remove(self, user: UserId, other: UserId) -> None:
        """No longer; no error when they did not."""
        try:
            await self._db.execute("DELETE FROM block WHERE user_id = $1 AND other = $2", user, other)
        finally:
            self._edition += 1

    async def published(self) -> Change:
        """All of them, for every snapshot; read anew only when something was written since."""
        if self._read != self._edition:
            edition = self._edition
            found: dict[UserId, set[UserId]] = {}
            for row in await self._db.fetch("SELECT user_id, other FROM block"):
                found.setdefault(UserId(row["user_id"]), set()).add(UserId(row["other"]))
            self._published = Change(blocks={user: frozenset(others) for user, others in found.items()})
            self._read = edition
        return self._published
